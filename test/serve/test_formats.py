"""Sound that is sent while it is made is the sound, whatever the format."""

import io

import numpy as np
import pytest
import soundfile

from espnet2_valle.serve.formats import FORMATS, Encoder, whole_file

RATE = 24000
WAV = (0.3 * np.sin(np.arange(30000) * 2 * np.pi * 440 / RATE)).astype(np.float32)


def streamed(name, wav=WAV, rate=RATE, step=4999):
    encoder = Encoder(name, rate)
    parts = [encoder.encode(wav[at : at + step]) for at in range(0, len(wav), step)]
    return parts, b"".join([*parts, encoder.close()])


def heard(name, content):
    """Samples, read block by block as players do: a stream's length is not in its head."""
    if name == "pcm":
        return np.frombuffer(content, dtype="<i2") / 32767, RATE
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        if file.frames < 1 << 40:
            return file.read(), file.samplerate
        blocks = []
        while True:
            try:
                blocks.append(file.read(1024))
            except soundfile.LibsndfileError:  # it seeks to where a stream of unknown length would go on
                break
        return np.concatenate(blocks), file.samplerate


@pytest.mark.parametrize("name", FORMATS)
def test_a_stream_is_the_sound(name):
    parts, content = streamed(name)
    wav, rate = heard(name, content)
    assert rate == RATE
    if name in ("wav", "pcm"):
        assert np.abs(wav - WAV).max() < 1e-4
    if name != "flac":  # of which the last block cannot be read back by soundfile
        assert len(WAV) <= len(wav) < len(WAV) + 0.15 * RATE
    tone = np.abs(np.fft.rfft(wav[:16384] * np.hanning(16384)))
    assert abs(tone.argmax() * rate / 16384 - 440) < 3
    assert sum(map(len, parts)) > 0.6 * len(content)  # it does come while it is made


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "pcm"])
def test_a_file_of_which_all_is_known_has_its_length(name):
    info = soundfile.info(io.BytesIO(whole_file(name, RATE, WAV)))
    assert info.frames == len(WAV)


def test_raw_samples_have_the_rate_that_clients_expect_and_opus_one_that_it_knows():
    wav = WAV[:22050]
    for name, rate in (("pcm", RATE), ("opus", RATE), ("mp3", 22050), ("wav", 22050)):
        encoder = Encoder(name, 22050)
        assert encoder.rate == rate
    content = streamed("pcm", wav, 22050)[1]
    assert len(content) == pytest.approx(2 * RATE, abs=4)


def test_what_is_louder_than_full_scale_is_cut_not_turned_over():
    content = streamed("pcm", np.array([2.0, -2.0], dtype=np.float32))[1]
    assert np.frombuffer(content, dtype="<i2").tolist() == [32767, -32767]
