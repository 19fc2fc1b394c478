"""A folder of recordings -> data directories, test pairs and a closed task's vocabulary."""

import logging
from pathlib import Path

from espnet2_valle.common.audio import audio_seconds
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.corpus.prepare import write_splits
from espnet2_valle.corpus.split import Splits, closed_vocabulary
from espnet2_valle.data.pairs import PAIRS, PairMaker
from espnet2_valle.data.utterances import Utterance


def prepare_folder(
    splits: Splits,
    output_dir: Path,
    make: PairMaker,
    vocabulary: str = "auto",
    max_vocabulary: int = 100,
    nj: int = 1,
) -> None:
    """Write data directories, the list of pairs and the vocabulary of a corpus.

    Args:
        splits: of its recordings, see `split.read_splits`.
        output_dir: data/NAME.
        make: draws the pairs.
        vocabulary: auto, none, or a file with one word a line.
        max_vocabulary: words that auto still takes as closed.
        nj: processes.

    Raises:
        InputError: no pair can be made, or no such vocabulary.
    """
    write_splits(splits, output_dir, lambda *given: {PAIRS: make(*given)}, nj)
    write_vocabulary(vocabulary, max_vocabulary, splits, output_dir / "vocabulary")


def is_prompt(recording: Utterance, min_seconds: float, max_seconds: float) -> bool:
    """Tell whether a recording has the length of a prompt; one that cannot be read has none."""
    try:
        start, end = recording.span or (0.0, audio_seconds(recording.wav))
    except InputError:
        return False
    return min_seconds <= end - start <= max_seconds


def write_vocabulary(choice: str, max_words: int, splits: Splits, path: Path) -> None:
    """Write the closed vocabulary, or remove one of an earlier run, as --vocabulary says."""
    if choice not in ("auto", "none") and not Path(choice).is_file():
        raise InputError("--vocabulary", f"no such file '{choice}'", "Give auto, none or a file of words")
    if choice == "auto":
        words = closed_vocabulary(splits, max_words)
    else:
        words = None if choice == "none" else Path(choice).read_text(encoding="utf-8").split()
    if words is None:
        path.unlink(missing_ok=True)
        return
    with atomic_open(path) as stream:
        stream.writelines(f"{word}\n" for word in words)
    logging.info("closed vocabulary of %d words: %s", len(words), path)
