"""Times of words or phones from Praat's TextGrid files, as forced aligners write them."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import read_text
from espnet2_valle.text.roles import Role, role

SUFFIX = ".TextGrid"
SILENCES = {"", "sil", "sp", "spn", "<eps>", "#"}  # how aligners mark that nothing is said
ITEM = re.compile(
    r'class = "IntervalTier"\s*name = "(?P<name>[^"]*)".*?(?=class = "|\Z)', re.DOTALL | re.IGNORECASE
)
INTERVAL = re.compile(r'xmin = (\S+)\s*xmax = (\S+)\s*text = "((?:[^"]|"")*)"')
Interval = tuple[float, float, str]


def read_tiers(path: Path) -> dict[str, list[Interval]]:
    """Read the interval tiers of a long TextGrid: name -> begin, end in seconds and label of what is said.

    Raises:
        InputError: missing file, or no such tier in it.
    """
    if not path.is_file():
        raise InputError(path, "no such TextGrid", "Write one for each utterance, or leave out --textgrids")
    text = read_text(path)
    tiers = {
        item["name"].lower(): [
            (float(begin), float(end), label)
            for begin, end, label in INTERVAL.findall(item.group())
            if label.strip().lower() not in SILENCES
        ]
        for item in ITEM.finditer(text)
    }
    if not tiers:
        raise InputError(
            path, "has no interval tier", "Save it as a long text file (Praat: Save as text file)"
        )
    return tiers


def sound_spans(path: Path, tokens: Sequence[str]) -> np.ndarray:
    """Begin and end (N, 2) in seconds of the sounds among `tokens`.

    The tier `phones` is taken if it has as many as there are sounds; else `words`, whose sounds share each
    word evenly.

    Raises:
        InputError: see `read_tiers`, or neither tier fits the tokens.
    """
    tiers = read_tiers(path)
    groups = word_sizes(tokens)
    phones, words = tiers.get("phones", []), tiers.get("words", [])
    if len(phones) == sum(groups):
        return np.array([(begin, end) for begin, end, _ in phones])
    if len(words) != len(groups):
        raise InputError(
            path,
            f"has {len(phones)} phones in {len(words)} words, its text {sum(groups)} in {len(groups)}",
            "Align the same text",
        )
    edges = [np.linspace(begin, end, size + 1) for (begin, end, _), size in zip(words, groups, strict=True)]
    return np.concatenate([np.stack([edge[:-1], edge[1:]], axis=1) for edge in edges])


def word_sizes(tokens: Sequence[str]) -> list[int]:
    """Number of sounds of each word; pauses part words."""
    sizes: list[int] = []
    inside = False
    for token in tokens:
        kind = role(token)
        if kind == Role.SOUND:
            sizes = [*sizes[:-1], sizes[-1] + 1] if inside else [*sizes, 1]
            inside = True
        elif kind == Role.PAUSE:
            inside = False
    return sizes
