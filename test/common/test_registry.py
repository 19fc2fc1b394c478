"""Entries by name, built from a configuration."""

import os

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Component, Registry, check_options, choose_among


class Bell:
    def __init__(self, size=1, metal="bronze"):
        self.size, self.metal = size, metal


class Drum:
    pass


@pytest.fixture
def instruments():
    return Registry("instrument", {"bell": Bell, "drum": Drum})


def test_an_entry_is_built_with_its_options(instruments):
    built = instruments.build(Component.parse({"name": "bell", "size": 3}, "conf"))
    assert (type(built), built.size, built.metal) == (Bell, 3, "bronze")


def test_it_iterates_as_registered_and_knows_its_names(instruments):
    assert list(instruments) == ["bell", "drum"]
    assert len(instruments) == 2
    assert "drum" in instruments
    assert "flute" not in instruments


def test_an_unknown_name_is_told_with_the_choices_and_the_nearest(instruments):
    for look in (instruments.check_name, instruments.__getitem__, lambda n: instruments.build(Component(n))):
        with pytest.raises(InputError, match="instrument: there is no 'flute'. Choose among bell, drum$"):
            look("flute")
    with pytest.raises(InputError, match="Choose among bell, drum; did you mean 'drum'"):
        instruments.check_name("drums")


def test_an_unknown_option_is_told(instruments):
    with pytest.raises(InputError, match="instrument bell: there is no option 'sise'. Choose among metal, s"):
        instruments.check(Component("bell", (("sise", 3),)))
    with pytest.raises(InputError, match="instrument drum: there is no option 'size'. Leave it out"):
        instruments.check(Component("drum", (("size", 3),)))


def test_options_beside_what_is_given_otherwise():
    check_options("bell", Bell, {"metal": "tin"}, beside=["size"])
    with pytest.raises(InputError, match="bell: there is no option 'size'. Choose among metal"):
        check_options("bell", Bell, {"size": 3}, beside=["size"])


def test_a_new_entry_is_one_line(instruments):
    instruments.register("gong", Bell)
    assert isinstance(instruments.build(Component("gong")), Bell)
    with pytest.raises(ValueError, match="instrument 'gong' is there already"):
        instruments.register("gong", Drum)


def test_a_heavy_one_is_imported_when_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "heavy_instrument.py").write_text("class Organ:\n    pass\n")
    registry = Registry("instrument", {"organ": "heavy_instrument:Organ", "gone": "no_such_module:Organ"})
    assert list(registry) == ["organ", "gone"]
    assert type(registry.build(Component("organ"))).__name__ == "Organ"
    with pytest.raises(ModuleNotFoundError):
        registry["gone"]


def test_choices_are_named_in_their_order():
    assert choose_among("zzz", {"b": 1, "a": 2}) == "Choose among b, a"


def test_components_are_known_as_in_earlier_versions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    for name in ("a.pth", "b.pth"):
        (tmp_path / "model" / name).write_text("abc")
        os.utime(tmp_path / "model" / name, ns=(1_700_000_000_123_456_789,) * 2)
    assert Component("ctc", (("beam", 3), ("judge_dir", "model"))).identity() == (
        "ctc (beam 3, judge_dir model) model/a.pth 3 1700000000123456789 model/b.pth 3 1700000000123456789"
    )
