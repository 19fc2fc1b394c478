import numpy as np
import pytest

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.data import code_files
from espnet2_valle.data.code_files import codec_state, encode_files
from espnet2_valle.data.setaside import SetAside

RATE = 8000


class LoudnessCodec(AbsCodec):
    """A code of the loudness of each tenth of a second."""

    sample_rate = RATE

    def __init__(self):
        self.encoded = []

    @classmethod
    def load(cls):
        return cls()

    def encode(self, wav):
        self.encoded.append(len(wav))
        tenths = wav[: len(wav) // 800 * 800].reshape(-1, 800)
        return (100 * np.abs(tenths).max(axis=1, keepdims=True)).round().astype(np.int64)

    def decode(self, codes):
        return np.repeat(codes[:, 0] / 100, 800).astype(np.float32)


@pytest.fixture
def codec(tmp_path, monkeypatch):
    """A codec that tells what it was given, and its codec.yaml."""
    codec = LoudnessCodec()
    monkeypatch.setattr(code_files, "open_codec", lambda *_: codec)
    (tmp_path / "codec.yaml").write_text(
        "type: world\nmodel: codec.npz\nsample_rate: 8000\nframe_rate: 50\nnum_codebooks: 2\n"
        "codebook_size: 4\noptions: {}\n"
    )
    (tmp_path / "codec.npz").write_bytes(b"\x00fitted\xff")
    return codec


@pytest.fixture
def wavs(tmp_path):
    paths = {f"u{number}": str(tmp_path / f"u{number}.wav") for number in range(3)}
    for number, path in enumerate(paths.values()):
        write_audio(path, np.full(800 * (1 + number), 0.2 + 0.2 * number, dtype=np.float32), RATE)
    return paths


def test_files_are_encoded_once(codec, wavs, tmp_path):
    def encode():
        codec.encoded.clear()
        found = encode_files(str(tmp_path / "codec.yaml"), wavs, tmp_path / "codes", shard_size=2)
        return {key: codes[:, 0].tolist() for key, codes in found.items()}

    assert encode() == {"u0": [20], "u1": [40, 40], "u2": [60, 60, 60]}
    assert codec.encoded == [800, 1600, 2400]
    assert encode() == {"u0": [20], "u1": [40, 40], "u2": [60, 60, 60]}
    assert codec.encoded == []
    write_audio(wavs["u2"], np.full(800, 0.7, dtype=np.float32), RATE)
    assert encode()["u2"] == [70]
    assert codec.encoded == [800]
    (tmp_path / "codec.npz").write_bytes(b"another")
    encode()
    assert len(codec.encoded) == 3


def test_a_bad_file_ends_the_work_unless_some_may_be_set_aside(codec, wavs, tmp_path):
    (tmp_path / "u1.wav").write_text("no sound")
    config = str(tmp_path / "codec.yaml")
    for _ in range(2):  # a rerun says it again
        with pytest.raises(InputError, match="^.*u1.wav: not a readable sound file"):
            encode_files(config, wavs, tmp_path / "codes")
    aside = SetAside(3, 0.5, "set")
    assert list(encode_files(config, wavs, tmp_path / "codes", aside=aside)) == ["u0", "u2"]
    assert list(aside.bad) == ["u1"]
    assert codec.encoded == [800, 2400]


def test_a_codec_is_known_as_in_earlier_versions(codec, tmp_path):
    assert codec_state(tmp_path / "codec.yaml") == "8c7d25bcf1a7573baf2a96da930396a5"
