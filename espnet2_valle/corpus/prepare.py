"""Sets of recordings -> data directories and the lists of test pairs."""

import argparse
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from espnet2_valle.common.audio import audio_seconds
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.recording import to_data_dir, write_recordings
from espnet2_valle.corpus.spool import Spool
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import Pair, write_pairs
from espnet2_valle.data.setaside import MAX_BAD
from espnet2_valle.data.utterances import Utterance
from espnet2_valle.jobs.pool import parallel_map

HEADERS_A_WORKER = 20000  # read in less time than a worker takes to start
# (test set, seconds of its utterances, what the training set shares with it) -> file name -> pairs
ListMaker = Callable[[DataDir, Mapping[str, float], DataDir | None], Mapping[str, list[Pair]]]


def add_preparation_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that the preparation of every corpus has."""
    parser.add_argument("--num_pairs", type=int, default=216, help="test pairs")
    parser.add_argument("--min_prompt", type=float, default=1.0, help="shortest prompt, seconds")
    parser.add_argument("--max_prompt", type=float, default=10.0, help="longest prompt, seconds")
    parser.add_argument(
        "--max_bad", type=float, default=MAX_BAD, help="share of bad entries left out with a warning"
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--nj", type=int, default=1, help="processes")


def write_splits(
    splits: Mapping[str, Collection[Utterance]], output_dir: Path, make_lists: ListMaker, nj: int = 1
) -> None:
    """Write one data directory a set, and the test set's lists of pairs; nothing if no pair can be made.

    Args:
        splits: `test`, and `train` and `valid` unless the corpus is for tests only.
        output_dir: data/NAME.
        make_lists: chooses the pairs.
        nj: processes.

    Raises:
        InputError: no pair can be made; if there are sound files that cannot be read, it names the first.
    """
    test = to_data_dir(splits["test"], output_dir / "test")
    train = to_data_dir(shared(splits["train"], test), output_dir / "train") if "train" in splits else None
    durations, unreadable = audio_durations(test, nj)
    try:
        lists = make_lists(test, durations, train)
    except InputError:
        if not unreadable:
            raise
        first = unreadable[0]
        raise InputError(
            first.where,
            f"{first.problem} ({len(unreadable)} sound files of the test set cannot be read, "
            "and no test pair can be made)",
            first.remedy,
        ) from None
    for name, recordings in splits.items():
        speakers = write_recordings(recordings, output_dir / name, by_id(recordings))
        logging.info("%s: %d utterances, %d speakers", name, len(recordings), speakers)
    for name, pairs in lists.items():
        write_pairs(output_dir / "test" / name, pairs)
        logging.info("%s: %d pairs", name, len(pairs))


def by_id(recordings: Collection[Utterance]) -> Iterable[Utterance]:
    """Recordings in order of their ids."""
    if isinstance(recordings, Spool):
        return recordings.in_order()
    return sorted(recordings, key=lambda recording: recording.utterance)


def shared(train: Iterable[Utterance], test: DataDir) -> list[Utterance]:
    """A recording of each speaker and of each text of the test set that the training set has too."""
    speakers, texts = set(test.speakers.values()), set(test.texts.values())
    of_speakers = {r.speaker: r for r in train if r.speaker in speakers}
    of_texts = {r.text: r for r in train if r.text in texts}
    return [*of_speakers.values(), *of_texts.values()]


def audio_durations(data: DataDir, nj: int) -> tuple[dict[str, float], list[InputError]]:
    """Seconds of each utterance, and the errors of headers that cannot be read.

    Where that is so the seconds are 0, so that the utterance serves in no pair; stage 2 sets it aside.
    """
    durations = {utt: end - start for utt, (start, end) in data.spans.items()}
    unreadable: list[InputError] = []
    whole = [utterance for utterance in data.wavs if utterance not in data.spans]
    paths = [data.wavs[utterance] for utterance in whole]
    found = parallel_map(audio_seconds, paths, nj, "durations", HEADERS_A_WORKER, keep_errors=True)
    for utterance, seconds in zip(whole, found):
        if isinstance(seconds, InputError):
            unreadable.append(seconds)
            seconds = 0.0
        durations[utterance] = seconds
    return durations, unreadable
