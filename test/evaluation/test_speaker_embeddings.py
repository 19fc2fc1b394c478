"""Speaker embeddings as a command."""

import kaldiio
import numpy as np
import pytest

from espnet2_valle.bin import speaker_embed
from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import read_scp, write_scp
from espnet2_valle.evaluation import speaker_embeddings


class Loudness:
    """Embeds a recording as its level and its length; counts what it heard."""

    def __init__(self):
        self.heard = 0
        self.devices = set()

    def embed(self, wav, rate):
        self.heard += 1
        level = np.abs(wav).max()
        return np.array([np.log(level) if level else np.nan, len(wav) / rate])


@pytest.fixture
def encoder(monkeypatch):
    found = Loudness()

    def open_encoder(component, device):
        found.devices.add(device)
        return found

    monkeypatch.setattr(speaker_embeddings, "_open_encoder", open_encoder)
    return found


@pytest.fixture
def wavs(tmp_path):
    paths = {f"utt{n}": tmp_path / f"{n}.wav" for n in range(5)}
    for number, path in enumerate(paths.values()):
        write_audio(path, np.full(800 * (number + 1), 0.5, dtype=np.float32), 8000)
    write_scp(tmp_path / "wav.scp", paths)
    return paths


def embed(tmp_path, *more):
    output = tmp_path / "spembs"
    speaker_embed.main(
        [f"--wav_scp={tmp_path / 'wav.scp'}", f"--output_dir={output}", "--shard_size=2", *more]
    )
    return {key: kaldiio.load_mat(place) for key, place in read_scp(output / "spembs.scp").items()}


def test_each_utterance_gets_its_vector(tmp_path, wavs, encoder):
    vectors = embed(tmp_path)
    assert list(vectors) == list(wavs)
    assert all(vector.dtype == np.float32 and vector.shape == (2,) for vector in vectors.values())
    assert vectors["utt3"][1] == pytest.approx(0.4)


def test_the_encoder_is_opened_on_the_device(tmp_path, wavs, encoder, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    embed(tmp_path, "--device=cuda")
    assert encoder.devices == {"cuda"}


def test_finished_shards_are_kept(tmp_path, wavs, encoder):
    embed(tmp_path)
    embed(tmp_path)
    assert encoder.heard == 5
    (tmp_path / "spembs" / "manifest" / "shard.2").unlink()
    embed(tmp_path)
    assert encoder.heard == 7


def test_beginnings_alone_are_embedded_and_do_not_pass_for_the_whole(tmp_path, wavs, encoder):
    embed(tmp_path)
    vectors = embed(tmp_path, "--seconds=0.3")
    assert [round(float(vector[1]), 3) for vector in vectors.values()] == [0.1, 0.2, 0.3, 0.3, 0.3]


def test_a_recording_without_voice_is_named(tmp_path, wavs, encoder):
    write_audio(wavs["utt4"], np.zeros(800, dtype=np.float32), 8000)
    with pytest.raises(InputError, match=r"4\.wav: no voice"):
        embed(tmp_path)


def test_an_unknown_encoder_is_named(tmp_path, wavs):
    with pytest.raises(InputError, match="there is no 'ears'"):
        embed(tmp_path, "--encoder=ears")
