"""Several corpora as one: their sets put together, with their speakers and utterances kept apart."""

import math
from collections.abc import Callable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import TypeVar

from espnet2_valle.common.fileio import atomic_open, read_text
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.ids import within
from espnet2_valle.data.pairs import NO_OTHER, PAIR_LISTS, Pair, read_pairs, write_pairs

TEST = "test"
SETS = ("train", "valid", TEST)
VOCABULARY = "vocabulary"
UNKNOWN_LANGUAGE, UNKNOWN_EMOTION = "und", "unknown"  # the former is of ISO 639-2
WHOLE = (0.0, math.inf)  # span

Value = TypeVar("Value")


def combine(corpora: Mapping[str, Path], output_dir: Path) -> dict[str, DataDir]:
    """Put the sets of several corpora together; each corpus' test set is written by itself, too.

    Args:
        corpora: name -> folder with train/, valid/ and test/, as stage 1 writes them. Names go before the ids
            of utterances, speakers and pairs.
        output_dir: gets train/, valid/, test/ and, of each corpus, test_NAME/. The vocabulary is that of all,
            if each has a closed one.

    Returns:
        set -> what was written.

    Raises:
        InputError: a corpus lacks a set, or lists for tests.
    """
    sets = {name: _together(name, corpora, output_dir / name) for name in SETS}
    for corpus, folder in corpora.items():
        name = f"{TEST}_{corpus}"
        sets[name] = _together(TEST, {corpus: folder}, output_dir / name)
    for data, lists in sets.values():  # when all have been read
        data.write()
        for kind in PAIR_LISTS:
            if lists.get(kind):
                write_pairs(data.path / kind, lists[kind])
            else:
                (data.path / kind).unlink(missing_ok=True)  # of an earlier run
    vocabularies = [folder / VOCABULARY for folder in corpora.values()]
    if all(path.is_file() for path in vocabularies):
        words = {word for path in vocabularies for word in read_text(path).split()}
        with atomic_open(output_dir / VOCABULARY) as stream:
            stream.writelines(f"{word}\n" for word in sorted(words))
    else:
        (output_dir / VOCABULARY).unlink(missing_ok=True)
    return {name: data for name, (data, _) in sets.items()}


def _together(name: str, corpora: Mapping[str, Path], target: Path) -> tuple[DataDir, dict[str, list[Pair]]]:
    """One set of all corpora, to be written to `target`, and its lists of pairs."""
    sets = {corpus: DataDir.load(folder / name) for corpus, folder in corpora.items()}
    data = DataDir(
        target,
        _joined(sets, lambda one: one.wavs),
        _joined(sets, lambda one: one.texts),
        {
            within(corpus, utterance): within(corpus, speaker)
            for corpus, one in sets.items()
            for utterance, speaker in one.speakers.items()
        },
        _joined(sets, lambda one: one.languages, UNKNOWN_LANGUAGE),
        _joined(sets, lambda one: one.emotions, UNKNOWN_EMOTION),
        _joined(sets, lambda one: one.spans, WHOLE),
    )
    lists: dict[str, list[Pair]] = {}
    for corpus, one in sets.items():
        for kind in PAIR_LISTS:
            if (one.path / kind).is_file():
                pairs = [_renamed(corpus, pair) for pair in read_pairs(one.path / kind)]
                lists.setdefault(kind, []).extend(pairs)
    return data, lists


def _joined(
    sets: Mapping[str, DataDir], table: Callable[[DataDir], Mapping[str, Value]], missing: Value | None = None
) -> dict[str, Value]:
    """One table of all sets; what some of them lack is `missing`, and what all lack is empty."""
    tables = {corpus: table(one) for corpus, one in sets.items()}
    if not any(tables.values()):
        return {}
    joined: dict[str, Value] = {}
    for corpus, one in sets.items():
        for utterance in one.wavs:
            value = tables[corpus].get(utterance, missing)
            assert value is not None  # `DataDir.load` saw to it
            joined[within(corpus, utterance)] = value
    return joined


def _renamed(corpus: str, pair: Pair) -> Pair:
    return Pair(*(each if each == NO_OTHER else within(corpus, each) for each in astuple(pair)))
