"""Sets of recordings -> data directories and the lists of test pairs."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import soundfile

from espnet2_valle.corpus.datadir import DataDir
from espnet2_valle.corpus.pairs import Pair, write_pairs
from espnet2_valle.corpus.recording import to_data_dir
from espnet2_valle.corpus.split import Splits
from espnet2_valle.jobs.pool import parallel_map

# (test set, seconds of its utterances, training set) -> file name -> pairs
ListMaker = Callable[[DataDir, Mapping[str, float], DataDir | None], Mapping[str, list[Pair]]]


def write_splits(splits: Splits, output_dir: Path, make_lists: ListMaker, nj: int = 1) -> None:
    """Write one data directory a set, and the test set's lists of pairs; nothing if no pair can be made.

    Args:
        splits: `test`, and `train` and `valid` unless the corpus is for tests only.
        output_dir: data/NAME.
        make_lists: chooses the pairs.
        nj: processes.

    Raises:
        InputError: no pair can be made.
    """
    sets = {name: to_data_dir(recordings, output_dir / name) for name, recordings in splits.items()}
    lists = make_lists(sets["test"], audio_durations(sets["test"], nj), sets.get("train"))
    for name, data in sets.items():
        data.write()
        logging.info("%s: %d utterances, %d speakers", name, len(data.wavs), len(data.by_speaker()))
    for name, pairs in lists.items():
        write_pairs(output_dir / "test" / name, pairs)
        logging.info("%s: %d pairs", name, len(pairs))


def audio_durations(data: DataDir, nj: int) -> dict[str, float]:
    """Seconds of each utterance; 0, so that it serves in no pair, where a header cannot be read."""
    whole = [utterance for utterance in data.wavs if utterance not in data.spans]
    seconds = parallel_map(_duration, [data.wavs[utterance] for utterance in whole], nj, "durations")
    return {utt: end - start for utt, (start, end) in data.spans.items()} | dict(zip(whole, seconds))


def _duration(path: str) -> float:
    try:
        return float(soundfile.info(path).duration)
    except soundfile.LibsndfileError:
        return 0.0
