import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from espnet2_valle.bin import valle_inference
from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.continuation import Divided, divide_text, read_beginning
from espnet2_valle.generate.outcome import Outcome

from .conftest import RATE, buzz

WORDS = st.lists(st.text("abc'", min_size=1, max_size=8), min_size=2, max_size=20)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Six seconds."""
    path = tmp_path_factory.mktemp("recording") / "r.wav"
    write_audio(path, buzz(150, 6.0), RATE)
    return path


@given(words=WORDS, seconds=st.floats(0.1, 5.9))
def test_both_parts_together_are_the_text(recording, words, seconds):
    divided = divide_text(recording, " ".join(words), seconds)
    assert divided.prompt_text.split() + divided.rest.split() == words
    assert divided.prompt_text
    assert divided.rest


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (3.0, Divided("aa bb cc", "dd ee ff")),
        (1.0, Divided("aa", "bb cc dd ee ff")),
        (5.9, Divided("aa bb cc dd ee", "ff")),
    ],
)
def test_the_text_is_divided_where_the_time_is(recording, seconds, expected):
    assert divide_text(recording, "aa bb cc dd ee ff", seconds) == expected


@pytest.mark.parametrize(("text", "seconds"), [("a b", 6.0), ("a b", 7.0), ("a", 3.0)])
def test_what_cannot_be_continued_is_named(recording, text, seconds):
    with pytest.raises(InputError, match=r"r.wav: lasts 6.0 s, with . words"):
        divide_text(recording, text, seconds)


def test_the_beginning_is_resampled(recording):
    assert len(read_beginning(recording, RATE // 2)) == 3 * RATE // 2


def test_a_pair_whose_prompt_is_its_target_is_continued(system, files, recording, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "wav.scp").write_text(f"low_0 {system}/data/wav/low_0.wav\nlow_9 {recording}\n")
    (data / "text").write_text("low_0 a b\nlow_9 a b c a b c\n")
    (data / "utt2spk").write_text("low_0 low\nlow_9 low\n")
    (tmp_path / "pairs").write_text("p1 low_9 low_9 -\np2 low_0 low_9 -\n")
    command = [f"--{name}={path}" for name, path in files.items()]
    command += [f"--pairs={tmp_path}/pairs", f"--data_dir={data}", f"--output_dir={tmp_path}/out"]
    valle_inference.main(command)
    given_wav, _ = soundfile.read(recording)
    whole, rate = soundfile.read(tmp_path / "out" / "wav" / "p1.wav")
    new = np.load(tmp_path / "out" / "codes" / "p1.npy")
    np.testing.assert_array_equal(whole[: 3 * rate], given_wav[: 3 * rate])
    assert len(new) > 0
    assert len(whole) > 3 * rate + len(new) * rate / 50 * 0.9  # the codes are of the new part
    cross, _ = soundfile.read(tmp_path / "out" / "wav" / "p2.wav")
    assert not np.array_equal(cross[:rate], given_wav[:rate])
    outcomes = dict(line.split() for line in (tmp_path / "out" / "outcomes").read_text().splitlines())
    assert outcomes.keys() == {"p1", "p2"}
    assert set(outcomes.values()) <= {outcome.value for outcome in Outcome}
