"""Scores by language: of texts in the language of the prompt, and of texts in others."""

from collections.abc import Mapping, Sequence
from typing import Any

from espnet2_valle.evaluation.groups import figures_of_groups
from espnet2_valle.evaluation.table import COMPARED
from espnet2_valle.evaluation.utterance import UtteranceScore

WITHIN, ACROSS = "within", "across"


def group_pairs(languages: Mapping[str, tuple[str, str]]) -> dict[str, list[str]]:
    """Pairs of each group: all within a language, all across, and the same for each language of a text.

    Args:
        languages: pair id -> languages of prompt and text.

    Returns:
        group -> pair ids; none where all pairs are of one language.
    """
    if len({language for both in languages.values() for language in both}) < 2:
        return {}
    groups: dict[str, list[str]] = {WITHIN: [], ACROSS: []}
    for kind in (WITHIN, ACROSS):
        for target in sorted({target for _, target in languages.values()}):
            found = [
                pair
                for pair, (prompt, text) in languages.items()
                if text == target and (prompt == text) == (kind == WITHIN)
            ]
            groups[kind] += found
            groups[f"{kind} {target}"] = found
    return {group: pairs for group, pairs in groups.items() if pairs}


def by_language(
    rows: Mapping[str, Sequence[UtteranceScore]], languages: Mapping[str, tuple[str, str]], seed: int = 0
) -> dict[str, Any]:
    """Figures by language for scores.json; nothing where all pairs are of one.

    Args:
        rows: system -> rows of all pairs.
        languages: pair id -> languages of prompt and text.
        seed: of the bootstrap.

    Returns:
        "by_language": group -> number of pairs, and FIGURES of each system; "across_over_within": system ->
        word accuracy and similarity to the prompt across languages as a share of those within one.
    """
    found = figures_of_groups(rows, group_pairs(languages), seed)
    if not found:
        return {}
    return {"by_language": found, "across_over_within": _shares(found)}


def _shares(found: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """System -> word accuracy and similarity across as a share of those within, where there are both."""
    if not {WITHIN, ACROSS} <= found.keys():
        return {}
    shares: dict[str, dict[str, float]] = {}
    for name, within in found[WITHIN]["systems"].items():
        across = found[ACROSS]["systems"][name]
        for key in COMPARED:
            if key in within and key in across and within[key]["value"]:
                shares.setdefault(name, {})[key] = across[key]["value"] / within[key]["value"]
    return shares
