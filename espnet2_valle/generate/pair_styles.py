"""Styles of the pairs of a list: emotions from the data directory, and wishes from a file of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.combine import UNKNOWN_EMOTION
from espnet2_valle.data.pairs import Pair, read_lines_of_pairs
from espnet2_valle.generate.request import Request
from espnet2_valle.generate.styles import REFERENCE, STRENGTH, StyleOptions
from espnet2_valle.valle.styles import EMOTION

LINE = "pair_id emotion=happy emotion_strength=2 speaking_rate=5"


@dataclass(frozen=True)
class PairStyle:
    """Style of a pair.

    Attributes:
        given: options of `StyleOptions` that are asked for.
        emotion: of the target, as the data directory tells; empty where it does not.
        counts: whether the set is of several emotions, or some are asked for.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    emotion: str = ""
    counts: bool = False

    def added_to(self, request: Request, known: Sequence[str], asked: StyleOptions) -> Request:
        """A request with it; only a model that knows emotions is told what the data tell.

        Args:
            request: of the pair.
            known: emotions of the model.
            asked: of all pairs, whose emotion comes before that of the data.
        """
        wishes = dict(self.given)
        named = wishes.get(EMOTION) or wishes.get(REFERENCE) or asked.emotion or asked.emotion_reference
        if self.emotion and known and not named:
            wishes[EMOTION] = self.emotion
        return replace(request, style=wishes) if wishes else request

    def parts(self) -> list[str]:
        """Parts of a pair's digest: none for a set of one emotion, as in earlier versions."""
        return ["style", repr(sorted(self.given.items())), self.emotion] if self.counts else []


def read_styles(
    pairs: Sequence[Pair],
    emotions: Mapping[str, str],
    path: str | Path | None = None,
    where: str | Path = "the list",
) -> dict[str, PairStyle]:
    """The style of each pair.

    Args:
        pairs: the list.
        emotions: utterance -> emotion, if the data directory tells (utt2emo).
        path: lines `pair_id NAME=VALUE ...`, of the options of `StyleOptions`.
        where: the list, for errors.

    Raises:
        InputError: a line of another shape, or for no pair.
    """
    lines = read_lines_of_pairs(path, pairs, where) if path else {}
    several = len(set(emotions.values())) > 1
    found = {}
    for pair in pairs:
        given = _wishes(lines.get(pair.pair_id, ""), pair.pair_id, path or "")
        told = emotions.get(pair.target_utt, UNKNOWN_EMOTION)
        emotion = "" if told == UNKNOWN_EMOTION else told
        found[pair.pair_id] = PairStyle(given, emotion, bool((several and emotion) or given))
    return found


def _wishes(line: str, pair_id: str, path: str | Path) -> dict[str, Any]:
    """Options of a line; all are checked but for what only the model knows."""
    given: dict[str, Any] = {}
    for word in line.split():
        name, sign, value = word.partition("=")
        try:
            given[name] = float(value) if name == STRENGTH else value
        except ValueError:
            sign = ""
        if not sign:
            raise InputError(path, f"'{pair_id}' has '{word}', which is no wish", f"Write `{LINE}`")
    try:
        StyleOptions().with_style(given)
    except InputError as error:
        raise InputError(path, f"'{pair_id}': {error.problem}", error.remedy) from error
    return given
