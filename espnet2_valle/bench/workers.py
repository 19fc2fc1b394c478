"""Speed-up of work by a second worker: whole runs, Python's start included."""

import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np

from espnet2_valle.bench.fresh import run_fresh
from espnet2_valle.bench.metric import Metric
from espnet2_valle.bench.speech import voice
from espnet2_valle.common.audio import write_audio

WORKERS = (1, 2)
BAR = ">= 1.8"  # of two workers over one
# A worker is one thread; the own process of what is measured, which is the one worker, too.
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")}


def seconds_of(function: Callable[..., None], *args: object, **options: object) -> float:
    """Wall-clock seconds of a function in a fresh process, Python's start included.

    Raises:
        InputError, RuntimeError: see `run_fresh`.
    """
    return run_fresh(function, *args, environment=ONE_THREAD, **options).seconds


def compare_workers(
    name: str, count: int, rounds: int, seconds_with: Callable[[int, int], float], config: dict[str, object]
) -> list[Metric]:
    """Figures of work on `count` utterances.

    Args:
        name: of the work, with which the figures' names begin.
        count: utterances.
        rounds: runs with each number of workers, in turn.
        seconds_with: seconds of a run, by number of workers and round.
        config: what the metrics were measured on.
    """
    taken = [[seconds_with(nj, number) for nj in WORKERS] for number in range(rounds)]
    about = {"utterances": count, "rounds": rounds, **config}
    rates = [
        Metric(
            f"{name}_rate", count / statistics.median(column), "utterances/s", "", {**about, "workers": nj}
        )
        for nj, column in zip(WORKERS, zip(*taken))
    ]
    ratio = statistics.median(one / two for one, two in taken)
    return [*rates, Metric(f"{name}_two_workers", ratio, "ratio", BAR, about)]


def write_voices(folder: Path, count: int, seconds: float, sample_rate: int) -> dict[str, Path]:
    """Sound files of made-up voices, no two alike, by utterance."""
    long = voice(2 * seconds, sample_rate)
    shifts = np.linspace(0, len(long) // 2, count, dtype=int)
    paths = {f"utt{number:06}": folder / f"utt{number:06}.wav" for number in range(count)}
    for path, shift in zip(paths.values(), shifts):
        write_audio(path, long[shift : shift + round(seconds * sample_rate)], sample_rate)
    return paths
