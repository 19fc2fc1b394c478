import os
from pathlib import Path

import pytest

from espnet2_valle.data.made_from import LIST, MadeFrom, make_missing, sound_state


def made_from(folder, states):
    return MadeFrom(folder, sorted(states.items()), str)


@pytest.fixture
def sounds(tmp_path):
    """A set of two sound files, a and b."""
    (tmp_path / "wav").mkdir()
    for name in "ab":
        (tmp_path / "wav" / f"{name}.flac").touch()
    with made_from(tmp_path, {"a": "1", "b": "2"}) as made:
        made.add("b", "2", 20)  # workers may end in any order
        made.add("a", "1", 10)
    return tmp_path


def kept(folder, **states):
    with made_from(folder, states) as made:
        missing = {name for name, state, job in made.missing() if state == job}
        assert (made.kept, made.num_missing) == (len(states) - len(missing), len(missing))
    assert dict(made.samples()).keys() == states.keys() - missing
    return dict(made.samples())


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


def test_what_is_missing_is_told_while_it_is_added(sounds):
    states = {name: name for name in "abcd"}
    states |= {"a": "1", "b": "2"}
    with made_from(sounds, states) as made:
        for number, (name, state, _) in enumerate(made.missing()):
            made.add(name, state, number)
    assert dict(made.samples()) == {"a": 10, "b": 20, "c": 0, "d": 1}


def test_what_is_to_be_made_again_is_forgotten_before_it_is(sounds):
    made = made_from(sounds, {"a": "1", "b": "new"})
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


def test_lists_of_earlier_versions_are_read_and_written_alike(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = 1_700_000_000_123_456_789
    Path("a.wav").write_text("sound of a")
    os.utime("a.wav", ns=(written, written))
    assert sound_state("a.wav", (0.5, 1.25), 16000) == "8cb7d65ba5fd774b9bdd26417bf94cf7"
    assert sound_state("a.wav", None, 0.9, 24000) == "dc1f6c6bb8b87f43123e0004cc993e9a"
    content = '["a", "1", 10]\n["\\u00e9", "2", 20]\n'
    Path(LIST).write_text(content)
    for name in "aé":
        (tmp_path / "wav" / f"{name}.flac").parent.mkdir(exist_ok=True)
        (tmp_path / "wav" / f"{name}.flac").touch()
    assert kept(tmp_path, a="1", é="2") == {"a": 10, "é": 20}
    assert Path(LIST).read_text() == content


def test_files_may_lie_elsewhere(tmp_path):
    jobs = {name: str(tmp_path / f"{name}.wav") for name in "ab"}
    seen = []

    def write(path):
        seen.append(Path(path).stem)
        return Path(path).write_text("abc")

    for _ in range(2):
        samples = make_missing(tmp_path, {"a": "1", "b": "2"}, jobs, write, 1, "", "{}.wav")
        assert samples == {"a": 3, "b": 3}
    assert seen == ["a", "b"]
