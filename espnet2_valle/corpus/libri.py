"""The layout of LibriTTS, LibriTTS-R and LibriSpeech, and the field's lists of pairs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.abs_corpus import AbsCorpus, split_by_name
from espnet2_valle.corpus.split import Splits
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import CONTINUATION_PAIRS, NO_OTHER, PAIRS, Pair
from espnet2_valle.data.utterances import Utterance

SHORTEST, LONGEST = 4.0, 10.0  # seconds


def librispeech_pairs(test: DataDir, durations: Mapping[str, float]) -> dict[str, list[Pair]]:
    """Both lists of a test set.

    Args:
        test: the test set.
        durations: seconds of each of its utterances.

    Returns:
        file name -> pairs, each named by its target. The other voice of a speaker's i-th utterance is the
        i-th of the next speaker, counted round.

    Raises:
        InputError: no speaker has two utterances of 4 to 10 s.
    """
    groups = [
        [u for u in group if SHORTEST <= durations[u] <= LONGEST] for group in test.by_speaker().values()
    ]
    groups = [group for group in groups if group]
    cross, continuation = [], []
    for number, group in enumerate(groups):
        others = groups[(number + 1) % len(groups)] if len(groups) > 1 else [NO_OTHER]
        for place, target in enumerate(group):
            other = others[place % len(others)]
            continuation.append(Pair(target, target, target, other))
            if len(group) > 1:
                cross.append(Pair(target, group[place - 1], target, other))
    if not cross:
        raise InputError(
            test.path,
            f"no speaker has two utterances of {SHORTEST:g} to {LONGEST:g} s",
            "Give the whole of the test set",
        )
    return {PAIRS: cross, CONTINUATION_PAIRS: continuation}


OPENSLR = "https://www.openslr.org/resources"
TRAIN = ("train-clean-100", "train-clean-360", "train-other-500")
PARTS = (*TRAIN, "dev-clean", "dev-other", "test-clean", "test-other")


class AbsLibri(AbsCorpus):
    """The layout that the three share."""

    parts = PARTS
    default_parts: Sequence[str] = (*TRAIN, "dev-clean", "test-clean")

    def is_root(self, path: Path) -> bool:
        return any((path / part).is_dir() for part in PARTS)

    def split(self, found: Mapping[str, list[Utterance]], seed: int) -> Splits:
        return split_by_name(found, seed)
