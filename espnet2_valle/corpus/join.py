"""Training examples in which a speaker goes on with another utterance.

Synthesis continues a prompt with another utterance's text: across a pause and a falling melody. A model
trained on single utterances only has never seen speech go on behind those. Two utterances of a speaker laid
behind one another show it.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

Pairing = tuple[str, str]


def choose_joins(
    frames: Mapping[str, int], speakers: Mapping[str, str], max_frames: int, seed: int
) -> list[Pairing]:
    """Give each utterance one of the same speaker to go on with, where one is short enough.

    Args:
        frames: utterance -> its length.
        speakers: utterance -> speaker.
        max_frames: longest joined length.
        seed: of the choice; the same arguments give the same list.

    Returns:
        (first, second) utterances, in the order of `frames`; an utterance is first at most once.
    """
    rng = random.Random(seed)
    of_speaker: dict[str, list[str]] = defaultdict(list)
    for utt in frames:
        of_speaker[speakers[utt]].append(utt)
    joins = []
    for first in frames:
        fitting = [
            utt
            for utt in of_speaker[speakers[first]]
            if utt != first and frames[first] + frames[utt] <= max_frames
        ]
        if fitting:
            joins.append((first, rng.choice(fitting)))
    return joins


def join_ids(first: Sequence[int], second: Sequence[int], separator: int | None) -> list[int]:
    """Token ids of two texts said one after the other; `separator` is the word space, where there is one."""
    return [*first, *([] if separator is None else [separator]), *second]
