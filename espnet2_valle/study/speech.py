"""Codes to sound: what a codec makes of the first codebooks of an utterance's codes."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from espnet2_valle.codec.build import open_codec
from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.resume import digest
from espnet2_valle.data.code_files import codec_state
from espnet2_valle.data.made_from import make_missing
from espnet2_valle.generate.decoding_folder import codes_path
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.postprocess import finish


def decoded_codes(folder: Path, pair_ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Codes (T, Q) int16 of the pairs in a decoding folder that have some."""
    paths = {pair_id: codes_path(folder, pair_id) for pair_id in pair_ids}
    return {pair_id: np.load(path) for pair_id, path in paths.items() if path.is_file()}


def sound_of_codes(
    codec_config: str,
    codes: Mapping[str, np.ndarray],
    folder: Path,
    codebooks: int | None = None,
    nj: int = 1,
) -> dict[str, str]:
    """Make sound of codes, but for what was made of the same before.

    Args:
        codec_config: codec.yaml.
        codes: (T, Q) int16, by key.
        folder: gets codebooks_N/KEY.wav.
        codebooks: only the first so many; None for all.
        nj: number of processes.

    Returns:
        Key -> sound file.

    Raises:
        InputError: the codec has fewer codebooks.
    """
    there = open_codec(codec_config).num_codebooks
    if codebooks is not None and codebooks > there:
        raise InputError("codebooks", f"{codebooks}, but the codec has {there}", "Correct the study")
    output = folder / f"codebooks_{codebooks or there}"
    codec = codec_state(codec_config)
    chosen = {key: matrix[:, :codebooks] for key, matrix in codes.items()}
    states = {
        key: digest([codec, str(matrix.shape), np.ascontiguousarray(matrix).tobytes()])
        for key, matrix in chosen.items()
    }
    wavs = {key: output / f"{key}.wav" for key in chosen}
    jobs = {key: (matrix, wavs[key]) for key, matrix in chosen.items()}
    make_missing(output, states, jobs, partial(_decode, codec_config), nj, "decode codes", "{}.wav")
    return {key: str(wav) for key, wav in wavs.items()}


def _decode(codec_config: str, job: tuple[np.ndarray, Path]) -> int:
    """Make sound file job[1] of codes job[0]; returns its samples."""
    codec = open_codec(codec_config)
    # Unsigned: a measurement of what the codec makes of codes, those of recordings among them.
    speech, _ = finish(codec.decode(job[0].astype(np.int64)), codec.sample_rate, Outcome.OK, None)
    write_audio(job[1], speech, codec.sample_rate)
    return len(speech)
