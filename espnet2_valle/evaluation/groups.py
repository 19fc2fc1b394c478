"""Figures of groups of pairs, such as those of one language or of one emotion."""

from collections.abc import Mapping, Sequence
from typing import Any

from espnet2_valle.evaluation.systems import summarise
from espnet2_valle.evaluation.utterance import UtteranceScore

FIGURES = ("word_accuracy", "wer", "cer", "sim_prompt")


def figures_of_groups(
    rows: Mapping[str, Sequence[UtteranceScore]], groups: Mapping[str, Sequence[str]], seed: int = 0
) -> dict[str, Any]:
    """Number of pairs and FIGURES of each system, for each group.

    Args:
        rows: system -> rows of all pairs.
        groups: group -> pair ids.
        seed: of the bootstrap.
    """
    found: dict[str, Any] = {}
    for group, pairs in groups.items():
        members = set(pairs)
        chosen = {name: [row for row in scored if row.pair_id in members] for name, scored in rows.items()}
        figures = {name: summarise(some, {}, seed) for name, some in chosen.items()}
        found[group] = {
            "pairs": len(pairs),
            "systems": {
                name: {key: summary[key] for key in FIGURES if key in summary}
                for name, summary in figures.items()
            },
        }
    return found
