"""Lyra v2, SoundStream as published for speech at 16 kHz, through LiteRT."""

from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.codec.abs_codec import AbsCodec, CodecSource
from espnet2_valle.codec.latent import LatentCodewords
from espnet2_valle.codec.lyra_weights import REMEDY, LyraWeights
from espnet2_valle.codec.quantizer import ResidualQuantizer
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import check_options

MODEL = "lyra.npz"
SAMPLE_RATE = 16000
NUM_CODEBOOKS = 8
STAGES_PER_CODEBOOK = 2
MOST_JOINED = 3  # 4096 codewords; four stages would have more than an int16 tells


class LyraCodec(AbsCodec):
    """SoundStream (Zeghidour et al., 2021, arXiv:2107.03312) with the weights of Google's Lyra v2.

    Its residual quantiser has 46 stages of 16 codewords. Stages are joined to codebooks: the code of stages
    i and j is 16 i + j, as Lyra's own packets have them, and its codeword the sum of theirs. Codes of fewer
    codebooks are the first columns of those of more.

    Args:
        weights: of the networks and the quantiser.
        num_codebooks: Q; 8 of two stages are 3.2 kbit/s.
        stages_per_codebook: joined, 1 to 3: codebooks of 16, 256 or 4096 codewords.
        where: the file to name in errors.

    Raises:
        InputError: weights that do not fit together, or more stages than there are.
    """

    left_context = 0.5  # what the decoder remembers
    right_context = 0.02  # it is causal; the next frame is what pieces are faded with

    def __init__(
        self,
        weights: LyraWeights,
        num_codebooks: int = NUM_CODEBOOKS,
        stages_per_codebook: int = STAGES_PER_CODEBOOK,
        where: str | Path = "lyra",
    ):
        there, size, dim = weights.codewords.shape
        stages = count_stages(num_codebooks, stages_per_codebook, there)
        self.quantizer = ResidualQuantizer(weights.codewords[:stages], np.ones((stages, dim)))
        self.encoder, self.decoder = weights.encoder, weights.decoder
        hop = self.encoder.input_size
        if (self.encoder.output_size, self.decoder.input_size, self.decoder.output_size) != (dim, dim, hop):
            raise InputError(where, "its encoder, quantiser and decoder do not fit together", REMEDY)
        self.stages_per_codebook = stages_per_codebook
        self.stage_size = size
        self.spec = CodecSpec(
            name="lyra",
            sample_rate=SAMPLE_RATE,
            frame_rate=SAMPLE_RATE / hop,
            num_codebooks=num_codebooks,
            codebook_size=size**stages_per_codebook,
        )

    @classmethod
    def load(
        cls,
        model: Path,
        num_codebooks: int = NUM_CODEBOOKS,
        stages_per_codebook: int = STAGES_PER_CODEBOOK,
    ) -> "LyraCodec":
        """See AbsCodec."""
        return cls(LyraWeights.load(model), num_codebooks, stages_per_codebook, model)

    @classmethod
    def prepare(cls, given: CodecSource) -> tuple[str | None, dict[str, Any]]:
        """See AbsCodec: the weights, fetched where none are given, are written to one file in `folder`.

        Raises:
            InputError: see LyraWeights, and the class.
        """
        check_options("codec lyra", cls.load, given.options, beside=["model"])
        weights = LyraWeights.from_folder(given.model) if given.model else LyraWeights.published()
        cls(weights, **given.options, where=given.model or "lyra")  # before anything is written
        weights.save(given.folder / MODEL)
        return MODEL, dict(given.options)

    def encode(self, wav: np.ndarray) -> np.ndarray:
        """Encode `wav` (S,) to codes (T, Q) int16, T = ceil(S / 320)."""
        wav = self.check_wav(wav)
        hop = self.encoder.input_size
        features = self.encoder(np.pad(wav, (0, -len(wav) % hop)).reshape(-1, hop))
        return self.join(self.quantizer.encode(features))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Decode `codes` (T, q), q <= Q, to (T * 320,) float32."""
        return self.decode_latent(self.latent(codes))

    def latent(self, codes: np.ndarray) -> np.ndarray:
        """See `AbsCodec.latent`: the sum of the codewords, (T, 64)."""
        return self.quantizer.decode(self.split(self.check_codes(codes)))

    def decode_latent(self, latent: np.ndarray) -> np.ndarray:
        """See `AbsCodec.decode_latent`."""
        latent = self.check_latent(latent, self.decoder.input_size)
        return self.decoder(latent).reshape(-1).clip(-1, 1)

    def latent_codewords(self) -> LatentCodewords:
        """See `AbsCodec.latent_codewords`."""
        return LatentCodewords.unweighted(self.codewords())

    def join(self, stages: np.ndarray) -> np.ndarray:
        """Codes (T, Q) int16 of the codes of stages, (T, Q * stages_per_codebook)."""
        groups = stages.reshape(len(stages), -1, self.stages_per_codebook).astype(np.int64)
        return (groups @ self._places).astype(np.int16)

    def split(self, codes: np.ndarray) -> np.ndarray:
        """Codes of stages, (T, q * stages_per_codebook), of `codes` (T, q): the inverse of `join`."""
        stages = codes[..., None] // self._places % self.stage_size
        return stages.reshape(len(codes), codes.shape[1] * self.stages_per_codebook)

    @property
    def _places(self) -> np.ndarray:
        """Weight of one step of each stage of a codebook in the code; the first stage counts most."""
        return self.stage_size ** np.arange(self.stages_per_codebook)[::-1]

    def codewords(self) -> list[np.ndarray]:
        """See `AbsCodec.codewords`: (codebook_size, 64), sums of the codewords of the joined stages."""
        stages = self.split(np.arange(self.codebook_size)[:, None])
        books = self.quantizer.codebooks.reshape(
            self.num_codebooks, self.stages_per_codebook, self.stage_size, -1
        )
        return [sum(book[n][stages[:, n]] for n in range(self.stages_per_codebook)) for book in books]


def count_stages(num_codebooks: int, stages_per_codebook: int, there: int) -> int:
    """Number of stages of so many codebooks.

    Raises:
        InputError: more than are `there`, or no number.
    """
    check_range("stages_per_codebook", stages_per_codebook, MOST_JOINED)
    check_range("num_codebooks", num_codebooks, there // stages_per_codebook)
    return num_codebooks * stages_per_codebook


def check_range(name: str, value: Any, most: int) -> None:
    """Raise InputError unless the option `name` is one of 1..most."""
    if not isinstance(value, int) or not 1 <= value <= most:
        raise InputError("codec lyra", f"{name} {value!r} is not in 1..{most}", "Correct it in --config")
