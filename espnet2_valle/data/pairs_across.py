"""Pairs of prompt and text that cross languages, of a test set in several."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from espnet2_valle.data.pairs import Pair


def with_pairs_across(pairs: Sequence[Pair], languages: Mapping[str, str], seed: int = 0) -> list[Pair]:
    """Add to each pair one with the same prompt and a text in another language; the same seed gives the same.

    The other languages take turns, and so do their texts, in a seeded order. The recording of such a text is
    another speaker's: its words can be compared, its voice not.

    Args:
        pairs: within a language each.
        languages: of each utterance.
        seed: of the order.

    Returns:
        both, or nothing where all texts are in one language.
    """
    targets: dict[str, list[str]] = {}
    for pair in pairs:
        targets.setdefault(languages[pair.target_utt], []).append(pair.target_utt)
    if len(targets) < 2:
        return []
    rng = random.Random(seed)
    for name in sorted(targets):
        targets[name] = sorted(set(targets[name]))
        rng.shuffle(targets[name])
    turns = dict.fromkeys(targets, 0)
    across = []
    for number, pair in enumerate(pairs):
        others = [name for name in sorted(targets) if name != languages[pair.prompt_utt]]
        other = others[number % len(others)]
        target = targets[other][turns[other] % len(targets[other])]
        turns[other] += 1
        across.append(replace(pair, pair_id=f"{pair.pair_id}_{other}", target_utt=target))
    return [*pairs, *across]
