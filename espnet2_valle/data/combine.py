"""Several corpora as one: their sets put together, with their speakers and utterances kept apart."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from espnet2_valle.common.fileio import atomic_open, read_text
from espnet2_valle.data.ids import within
from espnet2_valle.data.pairs import ACROSS_PAIRS, NO_OTHER, PAIR_LISTS, PAIRS, Pair, read_pairs, write_pairs
from espnet2_valle.data.pairs_across import with_pairs_across
from espnet2_valle.data.utterances import (
    DataReader,
    Utterance,
    recording_names,
    sorted_utterances,
    write_utterances,
)

TEST = "test"
SETS = ("train", "valid", TEST)
VOCABULARY = "vocabulary"
UNKNOWN_LANGUAGE, UNKNOWN_EMOTION = "und", "unknown"  # the former is of ISO 639-2
WHOLE = (0.0, math.inf)  # span


def combine(corpora: Mapping[str, Path], output_dir: Path) -> dict[str, tuple[int, int]]:
    """Put the sets of several corpora together; each corpus' test set is written by itself, too.

    Args:
        corpora: name -> folder with train/, valid/ and test/, as stage 1 writes them. Names go before the ids
            of utterances, speakers and pairs.
        output_dir: gets train/, valid/, test/ and, of each corpus, test_NAME/. The vocabulary is that of all,
            if each has a closed one.

    Of corpora in several languages, test/ has a list of pairs that cross them, too; see `with_pairs_across`.

    Returns:
        set -> utterances and speakers that were written.

    Raises:
        InputError: a corpus lacks a set, or lists for tests.
    """
    read = {name: {corpus: DataReader(folder / name) for corpus, folder in corpora.items()} for name in SETS}
    sets = {name: (output_dir / name, readers) for name, readers in read.items()}
    for corpus, reader in read[TEST].items():
        sets[f"{TEST}_{corpus}"] = output_dir / f"{TEST}_{corpus}", {corpus: reader}
    lists = {name: _pairs(readers) for name, (_, readers) in sets.items()}
    lists[TEST][ACROSS_PAIRS] = _across(read[TEST], lists[TEST].get(PAIRS, []))
    written = {}
    for name, (target, readers) in sets.items():  # when all have been read
        written[name] = sum(map(len, readers.values())), _write(readers, target)
        for kind in PAIR_LISTS:
            if lists[name].get(kind):
                write_pairs(target / kind, lists[name][kind])
            else:
                (target / kind).unlink(missing_ok=True)  # of an earlier run
    vocabularies = [folder / VOCABULARY for folder in corpora.values()]
    if all(path.is_file() for path in vocabularies):
        words = {word for path in vocabularies for word in read_text(path).split()}
        with atomic_open(output_dir / VOCABULARY) as stream:
            stream.writelines(f"{word}\n" for word in sorted(words))
    else:
        (output_dir / VOCABULARY).unlink(missing_ok=True)
    return written


def _write(readers: Mapping[str, DataReader], target: Path) -> int:
    """Write one set of all corpora; return the number of speakers.

    What some corpora tell and others do not is unknown of these.
    """
    language = UNKNOWN_LANGUAGE if any("utt2lang" in one.tables for one in readers.values()) else ""
    emotion = UNKNOWN_EMOTION if any("utt2emo" in one.tables for one in readers.values()) else ""
    span = WHOLE if any(one.has_segments for one in readers.values()) else None

    def renamed() -> Iterator[Utterance]:
        for corpus, reader in readers.items():
            for one in reader:
                yield one._replace(
                    utterance=within(corpus, one.utterance),
                    speaker=within(corpus, one.speaker),
                    language=one.language or language,
                    emotion=one.emotion or emotion,
                    span=one.span or span,
                )

    recordings = recording_names({one.wav for one in renamed()}) if span else None
    return write_utterances(target, sorted_utterances(renamed()), recordings)


def _pairs(readers: Mapping[str, DataReader]) -> dict[str, list[Pair]]:
    """Lists of pairs of one set of all corpora."""
    lists: dict[str, list[Pair]] = {}
    for corpus, one in readers.items():
        for kind in PAIR_LISTS:
            if (one.path / kind).is_file():
                pairs = [_renamed(corpus, pair) for pair in read_pairs(one.path / kind)]
                lists.setdefault(kind, []).extend(pairs)
    return lists


def _across(readers: Mapping[str, DataReader], pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs of the combined test set that cross languages, with those that do not; none of one language."""
    languages = {
        within(corpus, one.utterance): one.language or UNKNOWN_LANGUAGE
        for corpus, reader in readers.items()
        for one in reader
    }
    return [] if UNKNOWN_LANGUAGE in languages.values() else with_pairs_across(pairs, languages)


def _renamed(corpus: str, pair: Pair) -> Pair:
    return Pair(*(each if each == NO_OTHER else within(corpus, each) for each in astuple(pair)))
