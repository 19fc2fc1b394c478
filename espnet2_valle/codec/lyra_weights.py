"""Weights of Lyra v2: the published files, and one file with all that coding needs."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet2_valle.codec.arrays import NO_ARRAYS
from espnet2_valle.codec.frame_network import FrameNetwork, open_interpreter
from espnet2_valle.codec.weights import fetch_weights
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_path

VERSION = "1.3.2"
COMMIT = "47698dadf0010abff6a848e02642f55f806d4842"  # of that version; a tag may be moved
URL = f"https://raw.githubusercontent.com/google/lyra/{COMMIT}/lyra/model_coeffs"
ENCODER, QUANTIZER, DECODER = "soundstream_encoder.tflite", "quantizer.tflite", "lyragan.tflite"
SHA256 = {
    ENCODER: "237da0b16226fb0a68d49551c81bebf614e42142af72764448359f68581e88f1",
    QUANTIZER: "841ee05989687d32d1f616a8ad1419fc7eda37599d3c05c7cf5a0d60ccf8ac5c",
    DECODER: "50e7839cda4f30599a3a34cfaddcd9c98449b049eee884e1a74295780448ad06",
}
NOTICE = f"Lyra {VERSION}, https://github.com/google/lyra, Copyright Google LLC, Apache-2.0"
REMEDY = f"Give --codec_model DIR, a folder with {', '.join(SHA256)} of {URL}"
STAGES, STAGE_SIZE = 46, 16  # of the published quantiser
UNUSED = -1  # index of a stage that adds nothing


@dataclass(frozen=True)
class LyraWeights:
    """The weights of Lyra v2.

    Attributes:
        encoder: samples (T, 320) -> features (T, 64).
        decoder: features -> samples.
        codewords: (stages, 16, 64) float32 of the residual quantiser.
    """

    encoder: FrameNetwork
    decoder: FrameNetwork
    codewords: np.ndarray

    @classmethod
    def from_folder(cls, folder: Path) -> "LyraWeights":
        """Read the published files; one that is not as published is told.

        Raises:
            InputError: a file is missing or no such network, or LiteRT is not installed.
        """
        content = {}
        for name, expected in SHA256.items():
            path = folder / name
            if not path.is_file():
                raise InputError(folder, f"has no {name}", REMEDY)
            content[name] = path.read_bytes()
            found = hashlib.sha256(content[name]).hexdigest()
            if found != expected:
                logging.warning(
                    "%s: not the file of Lyra %s (sha256 %s, published %s): its codes are those of "
                    "another codec, or it is damaged",
                    *(path, VERSION, found, expected),
                )
        encoder, decoder = (
            FrameNetwork(content[name], str(folder / name), REMEDY) for name in (ENCODER, DECODER)
        )
        return cls(encoder, decoder, read_codewords(content[QUANTIZER], str(folder / QUANTIZER)))

    @classmethod
    def published(cls) -> "LyraWeights":
        """Read the published files from torch's cache; they are downloaded on first use.

        Raises:
            InputError: no network, or LiteRT is not installed.
        """
        paths = [
            fetch_weights(f"{URL}/{name}", checksum, f"lyra-{VERSION}/{name}", "lyra", REMEDY)
            for name, checksum in SHA256.items()
        ]
        return cls.from_folder(paths[0].parent)

    def save(self, path: Path) -> None:
        """Write all to `path` (.npz), the same bytes for the same weights."""
        with atomic_path(path) as temporary:
            np.savez(
                temporary,
                encoder=np.frombuffer(self.encoder.content, dtype=np.uint8),
                decoder=np.frombuffer(self.decoder.content, dtype=np.uint8),
                codewords=self.codewords,
                notice=np.array(NOTICE),
            )

    @classmethod
    def load(cls, path: Path) -> "LyraWeights":
        """Read what `save` wrote.

        Raises:
            InputError: missing file, or another one, or LiteRT is not installed.
        """
        remedy = "Run stage 4 again"
        if not path.is_file():
            raise InputError(path, "no such weights of Lyra", remedy)
        try:
            with np.load(path, allow_pickle=False) as stored:
                networks = [stored[name].tobytes() for name in ("encoder", "decoder")]
                codewords = stored["codewords"]
        except NO_ARRAYS as error:
            raise InputError(path, f"not the weights of Lyra ({error})", remedy) from error
        encoder, decoder = (FrameNetwork(content, str(path), remedy) for content in networks)
        return cls(encoder, decoder, codewords)


def read_codewords(content: bytes, where: str) -> np.ndarray:
    """Codewords (stages, 16, 64) of a quantiser: what its decoder makes of one stage alone.

    What it makes of several stages is the sum of theirs.

    Raises:
        InputError: the network is another one.
    """
    interpreter = open_interpreter(content, where, REMEDY)
    try:
        decode = interpreter.get_signature_runner("decode")
        table = [
            [
                decode(encoding_indices=only(stage, index))["output_0"].reshape(-1)
                for index in range(STAGE_SIZE)
            ]
            for stage in range(STAGES)
        ]
    except (ValueError, RuntimeError, KeyError) as error:
        raise InputError(where, f"not the quantiser of Lyra v2 ({error})", REMEDY) from error
    return np.array(table, dtype=np.float32)


def only(stage: int, index: int) -> np.ndarray:
    """Indices (stages, 1, 1) of a frame of which one stage alone is used."""
    indices = np.full((STAGES, 1, 1), UNUSED, dtype=np.int32)
    indices[stage] = index
    return indices
