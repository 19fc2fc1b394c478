"""Sounds as the detector hears them: what tells systems apart, and not recordings, is left.

How loud a recording is and how much silence lies around it would tell real speech from synthetic in training
(Mueller et al., "Speech is silver, silence is golden", 2021), and nowhere else.
"""

import logging
from pathlib import Path

import numpy as np

from espnet2_valle.common.audio import read_audio, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.resume import digest, file_state
from espnet2_valle.data.made_from import FLAC, make_missing

RATE = 16000  # Hz
SECONDS = 4.0  # the longest piece that is heard
FEWEST_SECONDS = 0.3
FRAME = RATE // 100
EDGE_DB = -40.0  # frames at the edges that are so far below the loudest are silence
LEVEL = 10 ** (-26 / 20)  # root mean square


def prepared(wav: np.ndarray, where: str | Path) -> np.ndarray:
    """The first seconds of speech (samples,) at RATE, without silence before and behind it, at one level.

    Raises:
        InputError: less than a third of a second is left.
    """
    frames = wav[: len(wav) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    heard = np.flatnonzero(power > power.max(initial=0.0) * 10 ** (EDGE_DB / 10))
    if len(heard) * FRAME < FEWEST_SECONDS * RATE:
        raise InputError(
            where,
            f"has less than {FEWEST_SECONDS:g} s of sound, which tells nothing of where it comes from",
            "Give a longer recording",
        )
    speech = wav[heard[0] * FRAME : (heard[-1] + 1) * FRAME][: round(SECONDS * RATE)]
    level = np.sqrt(np.square(speech, dtype=np.float64).mean())
    return np.clip(speech * (LEVEL / level), -1, 1).astype(np.float32)


def prepare_sounds(wavs: dict[str, str], folder: Path, nj: int = 1, title: str = "") -> dict[str, str]:
    """Write the sound files of a system as the detector hears them; those that are there are kept.

    A system may say next to nothing: what has too little sound is left out, with a warning.

    Args:
        wavs: sound files by name.
        folder: gets wav/.
        nj, title: see `parallel_map`.

    Returns:
        the sound files written, by name.
    """
    states = {name: digest([file_state(path), f"{SECONDS} {EDGE_DB} {LEVEL}"]) for name, path in wavs.items()}
    jobs = {name: (path, folder / FLAC.format(name)) for name, path in wavs.items()}
    samples = make_missing(folder, states, jobs, _prepare, nj, title)
    left_out = sorted(name for name in jobs if not samples[name])
    if left_out:
        logging.warning(
            "%s: %d of %d have less than %g s of sound and are LEFT OUT, the first %s",
            *(title, len(left_out), len(jobs), FEWEST_SECONDS, wavs[left_out[0]]),
        )
    return {name: str(target) for name, (_, target) in jobs.items() if samples[name]}


def _prepare(job: tuple[str, Path]) -> int:
    """Samples of the file that is written; 0 where there is too little sound for one."""
    source, target = job
    wav, _ = read_audio(source, RATE)
    try:
        wav = prepared(wav, source)
    except InputError:
        return 0
    write_audio(target, wav, RATE)
    return len(wav)
