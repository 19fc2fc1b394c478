"""Between codes and sound: what a codec makes of the first levels of an utterance's codes."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from espnet2_valle.codec.build import open_codec
from espnet2_valle.common.audio import read_audio, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_path
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.postprocess import finish
from espnet2_valle.jobs.pool import parallel_map

CODES = "codes"


def encode_recordings(codec_config: str, wavs: Mapping[str, str], folder: Path, nj: int = 1) -> None:
    """Write codes/KEY.npy, (T, Q) int16, of each recording that has none there newer than the codec."""
    jobs = [(wav, codes_path(folder, key)) for key, wav in wavs.items()]
    stale = [job for job in jobs if _is_older(job[1], Path(codec_config))]
    for _ in parallel_map(partial(_encode, codec_config), stale, nj, "encode"):
        pass


def sound_of_codes(
    codec_config: str, keys: Sequence[str], folder: Path, codebooks: int | None = None, nj: int = 1
) -> dict[str, str]:
    """Make sound of codes/KEY.npy, newer than them, in a folder of its own.

    Args:
        codec_config: codec.yaml.
        keys: names of utterances; those without codes are left out.
        folder: has codes/, gets codebooks_N/KEY.wav.
        codebooks: only so many levels; None for all.
        nj: number of processes.

    Returns:
        Key -> sound file.

    Raises:
        InputError: the codec has fewer codebooks.
    """
    levels = open_codec(codec_config).num_codebooks
    if codebooks is not None and codebooks > levels:
        raise InputError("codebooks", f"{codebooks}, but the codec has {levels}", "Correct the study")
    output = folder / f"codebooks_{codebooks or levels}"
    there = [key for key in keys if codes_path(folder, key).is_file()]
    wavs = {key: output / f"{key}.wav" for key in there}
    stale = [
        (codes_path(folder, key), wav) for key, wav in wavs.items() if _is_older(wav, codes_path(folder, key))
    ]
    for _ in parallel_map(partial(_decode, codec_config, codebooks), stale, nj, "decode codes"):
        pass
    return {key: str(wav) for key, wav in wavs.items()}


def codes_path(folder: Path, key: str) -> Path:
    """Where an utterance's codes lie."""
    return folder / CODES / f"{key}.npy"


def _is_older(made: Path, source: Path) -> bool:
    return not made.is_file() or made.stat().st_mtime < source.stat().st_mtime


def _encode(codec_config: str, job: tuple[str, Path]) -> None:
    """Read sound file job[0], write codes job[1]."""
    codec = open_codec(codec_config)
    with atomic_path(job[1]) as path:
        np.save(path, codec.encode(read_audio(job[0], codec.sample_rate)[0]).astype(np.int16))


def _decode(codec_config: str, codebooks: int | None, job: tuple[Path, Path]) -> None:
    """Read codes job[0], write sound file job[1]."""
    codec = open_codec(codec_config)
    speech, _ = finish(codec.decode(np.load(job[0])[:, :codebooks].astype(np.int64)), Outcome.OK)
    write_audio(job[1], speech, codec.sample_rate)
