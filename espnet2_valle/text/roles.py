"""Roles of tokens in time: sounds that take some, pauses that may, and marks that take none."""

import unicodedata
from collections.abc import Sequence
from enum import IntEnum

import numpy as np

LETTERS = ("Ll", "Lu", "Lo")
SPACE = "<space>"
EDGE = "<sos/eos>"  # stands before and behind a text that has durations: for the silence around speech
WORD_START = "▁"  # of sentencepiece


class Role(IntEnum):
    """Role of a token in time."""

    MARK = 0  # stress or length of a sound beside it: no frame of its own
    PAUSE = 1  # between words, punctuation, the edges: silence, or nothing
    SOUND = 2  # at least a frame


def role(token: str) -> Role:
    """Tell the role of a token."""
    if token in (SPACE, EDGE):
        return Role.PAUSE
    if token.startswith("<"):  # <unk>: somebody said something
        return Role.SOUND
    kinds = [unicodedata.category(sign) for sign in token if sign != WORD_START]
    if any(kind in LETTERS or kind.startswith("N") for kind in kinds):
        return Role.SOUND
    return Role.PAUSE if not kinds or any(kind[0] in "PZ" for kind in kinds) else Role.MARK


def roles(tokens: Sequence[str]) -> np.ndarray:
    """Roles (S,) int8 of tokens."""
    return np.array([role(token) for token in tokens], dtype=np.int8)
