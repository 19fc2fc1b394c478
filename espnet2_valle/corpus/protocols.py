"""The field's lists of LibriSpeech test-clean, by rule: continuation and cross-sentence, 4 to 10 s.

VALL-E (arXiv 2301.02111) scores the utterances of test-clean that last 4 to 10 s, 2.2 hours of 40 speakers.
In the continuation the first 3 s of an utterance are the prompt for the rest of it; in the cross-sentence
task the prompt is another utterance of the same speaker. The paper draws that one anew in each run, which
nobody can repeat; here it is the speaker's utterance before, as in VALL-E 2 (arXiv 2406.05370). Nothing is
drawn: ids and lengths of the recordings alone decide, so that every copy of the corpus gives the same lists.
"""

from collections.abc import Mapping

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.datadir import DataDir
from espnet2_valle.corpus.pairs import CONTINUATION_PAIRS, NO_OTHER, PAIRS, Pair

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
