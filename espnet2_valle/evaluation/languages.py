"""Scores by language: of texts in the language of the prompt, and of texts in others."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet2_valle.data.combine import UNKNOWN_LANGUAGE
from espnet2_valle.evaluation.groups import figures_of_groups
from espnet2_valle.evaluation.labels import Sounds, heard_scores
from espnet2_valle.evaluation.table import ACROSS, COMPARED, WITHIN
from espnet2_valle.evaluation.utterance import UtteranceScore
from espnet2_valle.labels.kinds import LANGUAGE


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


def spoken_in(languages: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Language of each text that is known, in order of the pairs; none where all pairs are of one."""
    texts = {pair: text for pair, (_, text) in sorted(languages.items()) if text != UNKNOWN_LANGUAGE}
    return texts if group_pairs(languages) else {}


def language_scores(
    rows: Mapping[str, Sequence[UtteranceScore]],
    wavs: Sounds,
    languages: Mapping[str, tuple[str, str]],
    recognizer: str | None,
    folder: Path,
    seed: int = 0,
    nj: int = 1,
) -> dict[str, Any]:
    """Figures by language for scores.json, and what the recogniser hears; nothing where all pairs are of one.

    Args:
        rows: system -> rows of all pairs.
        wavs: of the systems.
        languages: pair id -> codes of prompt's and text's language.
        recognizer: folder of the recogniser, if there is one.
        folder: keeps what was heard, for a run that goes on.
        seed: of the bootstrap.
        nj: workers.

    Returns:
        See `by_language`; "language": see `heard_scores`, with the groups WITHIN and ACROSS: how often texts
        of another language than the prompt's are heard as what they are tells of accent.

    Raises:
        InputError: the recogniser cannot be had, or does not know a language.
    """
    scores = by_language(rows, languages, seed)
    intended = spoken_in(languages)
    if not intended or recognizer is None:
        return scores
    both = {group: pairs for group, pairs in group_pairs(languages).items() if group in (WITHIN, ACROSS)}
    return scores | {"language": heard_scores(LANGUAGE, recognizer, wavs, intended, folder, both, seed, nj)}


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
