"""Voices by their names, on disk and through the service."""

import pytest

from espnet2_valle.serve.refusal import Refusal
from espnet2_valle.serve.voices import Voices

from .conftest import a_voice


@pytest.fixture
def voices(tmp_path):
    a_voice("one").save(tmp_path / "ann.npz")
    return Voices(tmp_path, 3)


def test_what_is_uploaded_stays(voices, tmp_path):
    voices.add("bob", a_voice("two"))
    again = Voices(tmp_path, 3)
    assert [name for name, _ in again.items()] == ["ann", "bob"]
    assert again.get("bob").text == "two"
    assert (again.is_uploaded("ann"), again.is_uploaded("bob")) == (False, True)
    assert not len(again.get("bob").wav)  # it travels with every request


def test_what_was_uploaded_goes_and_nothing_else(voices, tmp_path):
    voices.add("bob", a_voice())
    voices.remove("bob")
    assert not list((tmp_path / "uploaded").iterdir())
    for name, status in (("bob", 404), ("ann", 403)):
        with pytest.raises(Refusal) as refused:
            voices.remove(name)
        assert refused.value.status == status
    assert (tmp_path / "ann.npz").is_file()


@pytest.mark.parametrize(
    "name", ["../bob", "/etc/passwd", "", ".bob", "a b", "b" * 65, "bob.npz", "b\x00", "é"]
)
def test_a_name_is_no_path(voices, name):
    with pytest.raises(Refusal):
        voices.add(name, a_voice())
    with pytest.raises(Refusal) as refused:
        voices.get(name)
    assert refused.value.status == 404


def test_names_and_room_are_used_once(voices):
    voices.add("bob", a_voice())
    voices.add("eve", a_voice())
    for name, status in (("ann", 409), ("dan", 507)):
        with pytest.raises(Refusal) as refused:
            voices.add(name, a_voice())
        assert refused.value.status == status


def test_without_a_folder_nothing_is_kept():
    with pytest.raises(Refusal) as refused:
        Voices(None, 3).check_new("bob")
    assert refused.value.status == 403
