"""EnCodec at 24 kHz, the codec of the VALL-E paper, through its own package."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.codec.abs_codec import AbsCodec, CodecSource
from espnet2_valle.codec.latent import LatentCodewords
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.codec.weights import fetch_weights
from espnet2_valle.common.errors import InputError

CHECKPOINT = "encodec_24khz-d7cc33bc.th"
URL = f"https://dl.fbaipublicfiles.com/encodec/v0/{CHECKPOINT}"
DEFAULT_BANDWIDTH = 6.0  # kilobits a second: 8 codebooks, as in the paper
# The last layer mirrors so many frames around the beginning: of a shorter utterance it would mirror what
# follows it in a batch.
MIRRORED_FRAMES = 6
REMEDY = f"Download {URL} where there is a network and give it as --codec_model PATH"


class EncodecCodec(AbsCodec):
    """The `encodec` package's 24 kHz model.

    It is causal: what follows an utterance changes none of its codes and samples, so that utterances of
    different lengths are encoded, and decoded, at once. A last frame that is not full is filled with silence,
    where the package mirrors the signal.

    Args:
        model: file with its weights.
        bandwidth: kbit/s, one of those the model was trained for; fixes the number of codebooks.

    Raises:
        InputError: package or weights missing or unusable, or an unknown bandwidth.
    """

    on_gpu = True

    def __init__(self, model: Path, bandwidth: float = DEFAULT_BANDWIDTH):
        import torch

        package = import_encodec()
        self.torch = torch
        self.device = "cpu"
        self._latent_codewords: LatentCodewords | None = None
        self.model = package.EncodecModel.encodec_model_24khz(pretrained=False)
        if bandwidth not in self.model.target_bandwidths:
            raise InputError(
                "encodec", f"unknown bandwidth {bandwidth!r}", f"Use one of {self.model.target_bandwidths}"
            )
        self.model.load_state_dict(read_weights(model, self.model.state_dict()))
        self.model.set_target_bandwidth(bandwidth)
        self.model.eval()
        self.spec = CodecSpec(
            name="encodec",
            sample_rate=self.model.sample_rate,
            frame_rate=float(self.model.frame_rate),
            num_codebooks=self.model.quantizer.get_num_quantizers_for_bandwidth(
                self.model.frame_rate, bandwidth
            ),
            codebook_size=self.model.quantizer.bins,
        )

    @classmethod
    def load(cls, model: Path, bandwidth: float = DEFAULT_BANDWIDTH) -> "EncodecCodec":
        """See AbsCodec."""
        return cls(model, bandwidth)

    @classmethod
    def prepare(cls, given: CodecSource) -> tuple[str | None, dict[str, Any]]:
        """See AbsCodec: the weights are fetched where none are given.

        Raises:
            InputError: no network.
        """
        return super().prepare(replace(given, model=given.model or published_weights()))

    def to(self, device: str) -> "EncodecCodec":
        """See AbsCodec."""
        if device.startswith("cuda") and not self.torch.cuda.is_available():
            raise InputError("--device", f"{device}: torch finds no GPU here", "Leave it out")
        self.model.to(device)
        self.device = device
        return self

    def encode(self, wav: np.ndarray) -> np.ndarray:
        """Encode `wav` (S,) to codes (T, Q) int16, T = ceil(S / 320)."""
        return self._encode([self.check_wav(wav)])[0]

    def encode_batch(self, wavs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See AbsCodec: one pass of the model for all but the shortest."""
        checked = [self.check_wav(wav) for wav in wavs]
        together = [n for n, wav in enumerate(checked) if self.num_frames(len(wav)) > MIRRORED_FRAMES]
        found = dict(zip(together, self._encode([checked[n] for n in together]))) if together else {}
        return [found[n] if n in found else self.encode(wav) for n, wav in enumerate(checked)]

    def _encode(self, wavs: Sequence[np.ndarray]) -> list[np.ndarray]:
        frames = [self.num_frames(len(wav)) for wav in wavs]
        padded = np.zeros((len(wavs), 1, round(max(frames) * self.hop_length)), dtype=np.float32)
        for row, wav in zip(padded, wavs):
            row[0, : len(wav)] = wav
        with self.torch.inference_mode():
            [(codes, _)] = self.model.encode(self._tensor(padded))
        return [
            row[:, :count].T.astype(np.int16) for row, count in zip(codes.cpu().numpy(), frames, strict=True)
        ]

    def _tensor(self, array: np.ndarray) -> Any:
        return self.torch.from_numpy(array).to(self.device)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Decode `codes` (T, q), q <= Q, to (T * 320,) float32."""
        codes = self.check_codes(codes)
        return self._decode([codes])[0] if len(codes) else np.zeros(0, dtype=np.float32)

    def decode_batch(self, batch: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See AbsCodec: one pass of the model for all of as many codebooks, but for the shortest."""
        checked = [self.check_codes(codes) for codes in batch]
        found: dict[int, np.ndarray] = {}
        for width in {codes.shape[1] for codes in checked}:
            alike = [n for n, codes in enumerate(checked) if codes.shape[1] == width]
            together = [n for n in alike if len(checked[n]) > MIRRORED_FRAMES]
            if together:
                found |= dict(zip(together, self._decode([checked[n] for n in together]), strict=True))
        return [found[n] if n in found else self.decode(codes) for n, codes in enumerate(checked)]

    def _decode(self, batch: Sequence[np.ndarray]) -> list[np.ndarray]:
        padded = np.zeros((len(batch), batch[0].shape[1], max(map(len, batch))), dtype=np.int64)
        for row, codes in zip(padded, batch):
            row[:, : len(codes)] = codes.T
        with self.torch.inference_mode():
            wavs = self.model.decode([(self._tensor(padded), None)])[:, 0].clamp(-1, 1).cpu().numpy()
        return [wav[: round(len(codes) * self.hop_length)] for wav, codes in zip(wavs, batch, strict=True)]

    def latent(self, codes: np.ndarray) -> np.ndarray:
        """See `AbsCodec.latent`: the sum of the codewords, (T, 128)."""
        return self.latent_codewords().sum(self.check_codes(codes))

    def decode_latent(self, latent: np.ndarray) -> np.ndarray:
        """See `AbsCodec.decode_latent`."""
        latent = self.check_latent(latent, self.model.quantizer.dimension)
        if not len(latent):
            return np.zeros(0, dtype=np.float32)
        with self.torch.inference_mode():
            wav = self.model.decoder(self._tensor(np.ascontiguousarray(latent.T[None])))
        return wav[0, 0, : round(len(latent) * self.hop_length)].clamp(-1, 1).cpu().numpy()

    def latent_codewords(self) -> LatentCodewords:
        """See `AbsCodec.latent_codewords`."""
        if self._latent_codewords is None:
            self._latent_codewords = LatentCodewords.unweighted(self.codewords())
        return self._latent_codewords

    def codewords(self) -> list[np.ndarray]:
        """See `AbsCodec.codewords`: the residual quantiser's codebooks, (1024, 128) each."""
        layers = self.model.quantizer.vq.layers[: self.num_codebooks]
        return [layer.codebook.detach().cpu().numpy() for layer in layers]


def import_encodec():  # type: ignore[no-untyped-def]  # a module
    """The package, or an InputError that says how to get it."""
    try:
        import encodec
    except ImportError as error:
        raise InputError("encodec", "the package is not installed", "Run: pip install encodec") from error
    return encodec


def read_weights(path: Path, expected: dict) -> dict:
    """Read a state dict from `path` and check that it has the names and shapes of `expected`."""
    import torch

    if not path.is_file():
        raise InputError(path, "no such file of EnCodec weights", REMEDY)
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a bad file
        raise InputError(path, f"not a file of weights ({error})", REMEDY) from error
    if not isinstance(weights, dict) or set(weights) != set(expected):
        raise InputError(path, "these are not the weights of EnCodec at 24 kHz", REMEDY)
    wrong = [name for name, value in expected.items() if weights[name].shape != value.shape]
    if wrong:
        raise InputError(path, f"{wrong[0]} has another shape than in EnCodec at 24 kHz", REMEDY)
    return weights


def published_weights() -> Path:
    """Path of EnCodec's weights in torch's cache, downloaded on first use.

    Raises:
        InputError: no network.
    """
    checksum = CHECKPOINT.split("-")[1].removesuffix(".th")
    return fetch_weights(URL, checksum, CHECKPOINT, "encodec", REMEDY)
