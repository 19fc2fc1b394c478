import numpy as np
import pytest

from espnet2_valle.generate.resumable_wav import GrowingRecording

JOURNAL = '{"stamp": "abc"}\n{"end": 18, "outcome": "ok", "own_voice": false, "digest": "d1"}\n'


@pytest.fixture
def earlier(tmp_path):
    """A recording of which an earlier version had said the first sentence when it was killed."""
    (tmp_path / "out.wav.journal").write_text(JOURNAL + '{"end": 3')
    (tmp_path / "out.wav.pcm").write_bytes(bytes(40))
    return tmp_path / "out.wav"


def test_a_recording_of_an_earlier_version_goes_on(earlier):
    recording = GrowingRecording(earlier, 8000, {"stamp": "abc"}, ["d1", "d2"])
    assert [said.end for said in recording.said] == [18]
    assert earlier.with_name("out.wav.journal").read_text() == JOURNAL
    assert earlier.with_name("out.wav.pcm").stat().st_size == 36
    recording.add(np.zeros(10, dtype=np.float32), 0.0, "ok")
    assert len(GrowingRecording(earlier, 8000, {"stamp": "abc"}, ["d1", "d2"]).said) == 2


@pytest.mark.parametrize(("stamp", "digest"), [("another", "d1"), ("abc", "another")])
def test_what_was_said_otherwise_is_said_anew(earlier, stamp, digest):
    assert GrowingRecording(earlier, 8000, {"stamp": stamp}, [digest]).said == []
