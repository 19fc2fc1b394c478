import os

import pytest

from espnet2_valle.data.made_from import LIST, MadeFrom, sound_state


@pytest.fixture
def sounds(tmp_path):
    """A set of two sound files, a and b."""
    (tmp_path / "wav").mkdir()
    for name in "ab":
        (tmp_path / "wav" / f"{name}.flac").touch()
    with MadeFrom(tmp_path, {"a": "1", "b": "2"}) as made:
        made.add("b", 20)  # workers may end in any order
        made.add("a", 10)
    return tmp_path


def kept(folder, **states):
    with MadeFrom(folder, states) as made:
        return made.samples


def test_only_what_is_there_in_the_same_state_is_kept(sounds):
    assert kept(sounds, a="1", b="2", c="3") == {"a": 10, "b": 20}
    assert kept(sounds, a="1", b="other") == {"a": 10}
    assert kept(sounds, a="1", b="2") == {"a": 10}  # b was not made again
    (sounds / "wav" / "a.flac").unlink()
    assert kept(sounds, a="1") == {}


def test_what_was_made_before_a_kill_is_kept_and_what_it_left_is_removed(sounds):
    before = (sounds / LIST).read_text()
    assert [row.split('"')[1] for row in before.splitlines()] == ["a", "b"]
    (sounds / LIST).write_text(before + '["c", "3')
    (sounds / "wav" / ".unfinished.c.flac").touch()
    assert kept(sounds, a="1", b="2", c="3") == {"a": 10, "b": 20}
    assert (sounds / LIST).read_text() == before
    assert sorted(path.name for path in (sounds / "wav").iterdir()) == ["a.flac", "b.flac"]


def test_what_is_to_be_made_again_is_forgotten_before_it_is(sounds):
    made = MadeFrom(sounds, {"a": "1", "b": "new"})
    made.__enter__()  # and killed
    assert kept(sounds, a="1", b="2") == {"a": 10}


def test_a_state_tells_sources_parts_and_options_apart(tmp_path):
    one, two = tmp_path / "one.wav", tmp_path / "two.wav"
    for path in (one, two):
        path.write_bytes(b"same")
    states = [sound_state(one, None, 16000), sound_state(two, None, 16000), sound_state(one, None, 24000)]
    states += [sound_state(one, (0.0, 1.0), 16000), sound_state(one, (0.5, 1.5), 16000)]
    assert sound_state(one, None, 16000) == states[0]
    earlier = one.stat().st_mtime - 100
    os.utime(one, (earlier, earlier))
    states.append(sound_state(one, None, 16000))
    assert len(set(states)) == len(states)
