import numpy as np
import pytest
import soundfile

from espnet2_valle.data.format import Source, SourceCounter, format_utterance


def tone(seconds=0.5, rate=8000, channels=1):
    wave = 0.3 * np.sin(2 * np.pi * 220 * np.arange(int(seconds * rate)) / rate)
    return np.stack([wave, 0.5 * wave], 1) if channels == 2 else wave


def test_stereo_at_another_rate_becomes_mono_16_bit_at_the_target_rate(tmp_path):
    soundfile.write(tmp_path / "s.wav", tone(channels=2), 8000, subtype="FLOAT")
    result = format_utterance(Source("u", str(tmp_path / "s.wav")), tmp_path / "out", 24000)
    info = soundfile.info(tmp_path / "out" / "u.flac")
    assert (info.samplerate, info.channels, info.subtype) == (24000, 1, "PCM_16")
    assert (result.channels, result.rate, result.error) == (2, 8000, None)
    assert result.num_samples == info.frames == 12000


@pytest.mark.parametrize(("second", "lost"), [(-1.0, True), (0.0, True), (1.0, False), (0.5, False)])
def test_channels_that_cancel_each_other_give_the_loudest_and_are_told(tmp_path, caplog, second, lost):
    wave = tone()
    soundfile.write(tmp_path / "s.wav", np.stack([wave, second * wave], 1), 8000, subtype="FLOAT")
    result = format_utterance(Source("u", str(tmp_path / "s.wav")), tmp_path / "out", 8000)
    assert (result.error, result.cancelled) == (None, lost)
    wav, _ = soundfile.read(tmp_path / "out" / "u.flac")
    np.testing.assert_allclose(wav, wave if lost else wave * (1 + second) / 2, atol=1e-4)
    counter = SourceCounter()
    counter.count(result)
    counter.report(tmp_path, 8000)
    assert ("their loudest channel was taken, the first 'u'" in caplog.text) == lost


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such audio file"),
        (b"not audio", "not a readable sound file"),
        (np.zeros(4000), "the sound file is silent"),
        (np.zeros(0), "has no samples"),
        (np.full(4000, 0.5), "the sound file is silent"),  # DC and nothing else
        (np.full((4000, 2), [0.5, -0.2]), "the sound file is silent"),
        (20000 * np.sin(np.arange(4000.0)), "has samples up to 2e+04 in place of 1. Export it again"),
        (np.where(np.arange(4000) == 9, np.nan, 0.1), "NaN or infinite samples"),
    ],
)
def test_bad_files_are_told_and_leave_nothing(tmp_path, content, problem):
    source = tmp_path / "s.wav"
    if isinstance(content, bytes):
        source.write_bytes(content)
    elif content is not None:
        soundfile.write(source, content, 8000, subtype="FLOAT")
    result = format_utterance(Source("u", str(source)), tmp_path / "out", 16000)
    assert problem in str(result.error)
    assert str(source) in str(result.error)
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "DOUBLE", "ULAW", "ALAW", "MS_ADPCM"])
@pytest.mark.parametrize("rate", [4000, 8000, 96000])
def test_sound_of_any_depth_and_rate_becomes_the_same(tmp_path, subtype, rate):
    soundfile.write(tmp_path / "s.wav", tone(rate=rate), rate, subtype=subtype)
    result = format_utterance(Source("u", str(tmp_path / "s.wav")), tmp_path / "out", 8000)
    assert result.error is None
    wav, _ = soundfile.read(tmp_path / "out" / "u.flac")
    assert abs(len(wav) - 4000) <= 512  # ADPCM fills its last block
    np.testing.assert_allclose(wav[400:3600], tone()[400:3600], atol=0.02)


def test_an_mp3_in_a_wav_is_read_as_what_it_is(tmp_path):
    soundfile.write(tmp_path / "s.mp3", tone(rate=16000), 16000)
    (tmp_path / "s.mp3").rename(tmp_path / "s.wav")
    assert format_utterance(Source("u", str(tmp_path / "s.wav")), tmp_path / "out", 8000).error is None


def ramp(seconds, rate):
    """Samples whose value tells their time."""
    return np.arange(int(seconds * rate)) / (seconds * rate) * 0.9 + 0.05


def test_a_part_of_a_recording_is_cut_out(tmp_path):
    soundfile.write(tmp_path / "s.wav", ramp(4, 8000), 8000)
    source = Source("u", str(tmp_path / "s.wav"), (1.0, 2.5))
    assert format_utterance(source, tmp_path / "out", 8000).num_samples == 12000
    wav, _ = soundfile.read(tmp_path / "out" / "u.flac")
    np.testing.assert_allclose(wav, ramp(4, 8000)[8000:20000], atol=1e-4)


def test_a_part_behind_the_end_of_its_recording_is_told(tmp_path):
    soundfile.write(tmp_path / "s.wav", ramp(4, 8000), 8000)
    result = format_utterance(Source("u", str(tmp_path / "s.wav"), (3.0, 9.0)), tmp_path / "out", 8000)
    assert "lasts 4.00 s, and a segment of it ends at 9.00 s" in str(result.error)
