import pytest
import typeguard

from espnet2_valle.common.espnet_imports import import_g2p_without_download


def doubled(number: int) -> int:
    return 2 * number


def test_arguments_are_checked_but_for_those_of_espnet(monkeypatch):
    monkeypatch.setattr(typeguard, "typechecked", typeguard.typechecked)  # put back behind the test
    import_g2p_without_download()
    import_g2p_without_download()  # as often as it is called
    with pytest.raises(typeguard.TypeCheckError):
        typeguard.typechecked(doubled)("a")
    monkeypatch.setattr(doubled, "__module__", "espnet2.layers.somewhere")
    assert typeguard.typechecked(doubled) is doubled
