"""A codec of one codebook, the loudness of each frame: all that a new codec has to be."""

import json

import numpy as np

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.common.audio import read_audio

RATE, HOP = 8000, 80


class ToyCodec(AbsCodec):
    """Loudness in `steps` steps up to the loudest of the recordings it was fitted on, decoded to clicks."""

    def __init__(self, loudest, steps=16):
        self.loudest = loudest
        self.spec = CodecSpec("toy", RATE, RATE / HOP, 1, steps)

    @classmethod
    def prepare(cls, given):
        loudest = max(given.run(peak, given.wavs))
        given.folder.mkdir(parents=True, exist_ok=True)
        (given.folder / "toy.json").write_text(json.dumps(loudest))
        return "toy.json", dict(given.options)

    @classmethod
    def load(cls, model, steps=16):
        return cls(json.loads(model.read_text()), steps)

    def encode(self, wav):
        wav = self.check_wav(wav)
        frames = np.pad(wav, (0, -len(wav) % HOP)).reshape(-1, HOP)
        loudness = np.abs(frames).max(axis=1) / self.loudest * (self.codebook_size - 1)
        return np.minimum(np.rint(loudness), self.codebook_size - 1).astype(np.int16)[:, None]

    def decode(self, codes):
        wav = np.zeros((len(codes), HOP), dtype=np.float32)
        wav[:, 0] = self.check_codes(codes)[:, 0] * self.loudest / (self.codebook_size - 1)
        return wav.reshape(-1)


def peak(path):
    """The largest sample of a sound file."""
    return float(np.abs(read_audio(path, RATE)[0]).max())
