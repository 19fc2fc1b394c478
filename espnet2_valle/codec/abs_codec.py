"""The interface of every codec: waveform <-> integer codes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.codec.latent import LatentCodewords
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.common.errors import InputError

FileMap = Callable[[Callable[[str], Any], Sequence[str]], Iterable[Any]]  # maps sound files, as `map` does


@dataclass(frozen=True)
class CodecSource:
    """Ingredients of a codec: the command codec_fit's options, read.

    Attributes:
        folder: gets what is fitted.
        options: content of --config.
        where: --config itself, to be named in errors; None where none was given.
        model: --codec_model, trained weights; None where none were given.
        wavs: sound files of --wav_scp; None where none was given.
        run: maps a function over sound files, perhaps in other processes.
    """

    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    where: str | None = None
    model: Path | None = None
    wavs: Sequence[str] | None = None
    run: FileMap = map


class AbsCodec(ABC):
    """Interface of a codec: speech into a matrix of small integers and back.

    Encoding is deterministic. The number of rows follows from the number of samples
    alone: `num_frames(num_samples)`. A new codec is such a class and a line in `build.CODECS`.
    """

    spec: CodecSpec
    on_gpu: bool = False  # if it computes there, too

    # Seconds of codes that a piece of an utterance is decoded with before and behind it (CodecStream).
    left_context: float = 0.5
    right_context: float = 0.08

    @classmethod
    @abstractmethod
    def load(cls, *args: Any, **kwargs: Any) -> "AbsCodec":
        """Open the codec of a model file, `model`; its further arguments are the options in codec.yaml."""

    @classmethod
    def prepare(cls, given: CodecSource) -> tuple[str | None, dict[str, Any]]:
        """Make ready what `load` needs: fit a codec on recordings, or, as here, take trained weights.

        Returns:
            the model file (its name in `given.folder`, or a whole path; None where there is none), and the
            options of `load`. Both go into codec.yaml.
        """
        return str(given.model.resolve()) if given.model else None, dict(given.options)

    @property
    def sample_rate(self) -> int:
        """Hz of the waveforms that go in and come out."""
        return self.spec.sample_rate

    @property
    def frame_rate(self) -> float:
        """Rows of codes a second."""
        return self.spec.frame_rate

    @property
    def num_codebooks(self) -> int:
        """Columns of codes, coarse to fine."""
        return self.spec.num_codebooks

    @property
    def codebook_size(self) -> int:
        """Number of entries of a codebook: codes lie in 0 .. codebook_size - 1."""
        return self.spec.codebook_size

    @property
    def hop_length(self) -> float:
        """Samples a row of codes stands for."""
        return self.sample_rate / self.frame_rate

    def num_frames(self, num_samples: int) -> int:
        """Rows of codes for `num_samples` samples: every sample belongs to a row (rounded up)."""
        return int(np.ceil(num_samples / self.hop_length))

    def nearest(self, device: str) -> str:
        """`device`, as torch names it, if this codec can compute there, else the CPU."""
        return device if self.on_gpu else "cpu"

    def to(self, device: str) -> "AbsCodec":
        """Compute on `device`, as torch names it, from now on.

        Raises:
            InputError: this codec knows the CPU only, or there is no such device.
        """
        if device != "cpu":
            raise InputError("--device", f"codec {self.spec.name} computes on the CPU only", "Leave it out")
        return self

    @abstractmethod
    def encode(self, wav: np.ndarray) -> np.ndarray:
        """Encode `wav` (S,) float32 in [-1, 1] at `sample_rate` to codes (T, Q) int16."""

    def encode_batch(self, wavs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Encode each (S,) of `wavs` to codes (T, Q), the same as one by one, at once where that pays."""
        return [self.encode(wav) for wav in wavs]

    @abstractmethod
    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Decode `codes` (T, q), the first q <= Q codebooks, to a waveform (S,) float32."""

    def decode_batch(self, batch: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Decode each codes (T, q) of `batch` to (S,), the same as one by one, at once where that pays."""
        return [self.decode(codes) for codes in batch]

    def decode_part(self, codes: np.ndarray, utterance: np.ndarray) -> np.ndarray:
        """Decode `codes` (t, q), some frames of an utterance.

        What belongs to the utterance as a whole, as a level may, is taken from `utterance` (T, q), other
        codes of it or of its prompt, so that its parts fit together.
        """
        return self.decode(codes)

    def codewords(self) -> list[np.ndarray] | None:
        """Return the codewords of each codebook: Q arrays (codebook_size, dim) float32, or None.

        Codewords that lie near one another sound alike. `dim` is the codebook's own.
        """
        return None

    def latent(self, codes: np.ndarray) -> np.ndarray:
        """Continuous latent (T, D) float32 of `codes` (T, Q): the vectors that `decode` makes sound of.

        `decode_latent(latent(codes))` is `decode(codes)`.

        Raises:
            InputError: this codec does not tell it.
        """
        raise self._no_latent()

    def decode_latent(self, latent: np.ndarray) -> np.ndarray:
        """Decode a `latent` (T, D), which need not be that of any codes, to a waveform (S,) float32.

        Raises:
            InputError: see `latent`.
        """
        raise self._no_latent()

    def with_pitch(self, latent: np.ndarray, log_f0: np.ndarray) -> np.ndarray:
        """Return the latent (T, D) with another F0, where that is a part of it; else as it is.

        Args:
            latent: (T, D).
            log_f0: (T,) natural log of F0 in Hz, also where nothing is voiced.
        """
        return latent

    def latent_codewords(self) -> LatentCodewords | None:
        """Return the codewords of which latents are sums; None where a latent is no such sum."""
        return None

    def _no_latent(self) -> InputError:
        return InputError(
            f"codec {self.spec.name}",
            "tells no continuous latent of its codes, which a diffusion model learns",
            "Choose --codec world, encodec, espnet or lyra",
        )

    def check_latent(self, latent: np.ndarray, dim: int) -> np.ndarray:
        """Return `latent` as float32 (T, dim), or raise ValueError if it is not finite or of that shape."""
        latent = np.asarray(latent, dtype=np.float32)
        if latent.ndim != 2 or latent.shape[1] != dim or not np.isfinite(latent).all():
            raise ValueError(f"a finite latent of shape (T, {dim}) is needed; got shape {latent.shape}")
        return latent

    def check_wav(self, wav: np.ndarray) -> np.ndarray:
        """Return `wav` as float32, or raise ValueError when it is not (S,) with S > 0 and finite."""
        wav = np.asarray(wav, dtype=np.float32)
        if wav.ndim != 1 or wav.shape[0] == 0 or not np.isfinite(wav).all():
            raise ValueError(f"a waveform of shape (S,), S > 0, finite, is needed; got shape {wav.shape}")
        return wav

    def check_codes(self, codes: np.ndarray) -> np.ndarray:
        """Return `codes` as int64 (T, q), or raise ValueError when a shape or value is impossible."""
        codes = np.asarray(codes)
        if codes.ndim != 2 or not 1 <= codes.shape[1] <= self.num_codebooks:
            raise ValueError(f"codes of shape (T, 1..{self.num_codebooks}) are needed; got {codes.shape}")
        if codes.size and (codes.min() < 0 or codes.max() >= self.codebook_size):
            raise ValueError(
                f"codes must lie in 0..{self.codebook_size - 1}; got {codes.min()}..{codes.max()}"
            )
        return codes.astype(np.int64)
