"""Languages of the pairs of a list: from the data directory, or from a file of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.pairs import Pair, read_lines_of_pairs
from espnet2_valle.generate.request import Request

AS_IT_IS = "-"
COLUMNS = "pair_id LANG PROMPT_LANG ACCENT"


@dataclass(frozen=True)
class PairLanguages:
    """Languages of a pair, as they are named; empty where nothing tells them.

    Attributes:
        lang, prompt_lang, accent: see `Text2Speech.__call__`.
        counts: whether the set is of several languages, or these are asked for.
        given: whether these are asked for.
    """

    lang: str = ""
    prompt_lang: str = ""
    accent: str = ""
    counts: bool = False
    given: bool = False

    def added_to(self, request: Request, known: Sequence[str]) -> Request:
        """A request with them; a model of less than two languages is not told what only the data tell."""
        if len(known) < 2 and not self.given:
            return request
        named = self.lang or None, self.prompt_lang or None, self.accent or None
        return replace(request, lang=named[0], prompt_lang=named[1], accent=named[2])

    def parts(self) -> list[str]:
        """Parts of a pair's digest: none for a set of one language, as in earlier versions."""
        return ["languages", self.lang, self.prompt_lang, self.accent] if self.counts else []


def read_languages(
    pairs: Sequence[Pair],
    spoken: Mapping[str, str],
    path: str | Path | None = None,
    where: str | Path = "the list",
) -> dict[str, PairLanguages]:
    """The languages of each pair.

    Args:
        pairs: the list.
        spoken: utterance -> language, if the data directory tells (utt2lang).
        path: lines `pair_id LANG PROMPT_LANG ACCENT`, of which the last ones may be left out; `-` is what the
            data directory tells, and for an accent none.
        where: the list, for errors.

    Raises:
        InputError: a line of another shape, or for no pair.
    """
    lines = read_lines_of_pairs(path, pairs, where) if path else {}
    several = len(set(spoken.values())) > 1
    found = {}
    for pair in pairs:
        columns = lines.get(pair.pair_id, "").split()
        if len(columns) > 3:
            raise InputError(
                path or "", f"'{pair.pair_id}' has {len(columns)} languages", f"Write `{COLUMNS}`"
            )
        given = ["" if column == AS_IT_IS else column for column in columns] + [""] * (3 - len(columns))
        defaults = spoken.get(pair.target_utt, ""), spoken.get(pair.prompt_utt, ""), ""
        named = [own or default for own, default in zip(given, defaults)]
        asked = any(given)
        found[pair.pair_id] = PairLanguages(named[0], named[1], named[2], several or asked, asked)
    return found
