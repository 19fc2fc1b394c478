"""A detector learns from as much real as synthetic speech."""

from espnet2_valle.evaluation.detection import RECORDINGS, Sound, labelled
from espnet2_valle.mark.detector import REAL, SYNTHETIC


def test_recordings_are_repeated_until_there_are_as_many_as_outputs():
    systems = ["one", "two", "three"]
    sounds = {
        name: [
            Sound(f"{speaker}{number}", f"{name}/{speaker}{number}.wav", speaker)
            for speaker in "ab"
            for number in range(4)
        ]
        for name in [RECORDINGS, *systems]
    }
    found = labelled(sounds, systems, frozenset("a"))
    assert len({one.name for one in found}) == len(found) == 24
    real = [one for one in found if one.label == REAL]
    assert len(real) == len([one for one in found if one.label == SYNTHETIC]) == 12
    assert {one.wav for one in real} == {f"{RECORDINGS}/a{number}.wav" for number in range(4)}


def test_without_recordings_of_the_speakers_nothing_is_repeated():
    sounds = {RECORDINGS: [], "one": [Sound("x", "x.wav", "a")]}
    assert [one.label for one in labelled(sounds, ["one"], frozenset("a"))] == [SYNTHETIC]
