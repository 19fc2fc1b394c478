"""Durations in frames from spans of time, and the order and least lengths that they keep."""

from collections.abc import Sequence

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.roles import Role


def whole_frames(ends: np.ndarray, least: np.ndarray, frames: int, where: str) -> np.ndarray:
    """Durations (S,) int16 with the sum `frames`, whose ends are as near to `ends` as `least` allows.

    Args:
        ends: (S,) of the tokens, in frames, not falling; the last one is taken to be `frames`.
        least: (S,) frames of each token.
        frames: of the utterance.
        where: the utterance, for the message.

    Raises:
        InputError: there are fewer frames than the tokens need.
    """
    needed = np.cumsum(least)
    if needed[-1] > frames:
        raise InputError(
            where,
            f"{frames} frames are too few for the {int((least > 0).sum())} sounds of its text",
            "Correct its text, or remove it",
        )
    placed = np.rint(np.clip(ends, 0, frames)).astype(np.int64)
    placed[-1] = frames
    # No end before the least of what lies before it, none after what those behind it need.
    placed = np.maximum.accumulate(placed - needed) + needed
    placed = np.maximum(placed, needed)
    rest = frames - (needed[-1] - needed)
    placed = np.minimum(placed, rest)
    return np.diff(placed, prepend=0).astype(np.int16)


def ends_of(
    spans: np.ndarray, aligned: Sequence[int], roles: np.ndarray, frames: float, margin: float
) -> np.ndarray:
    """Ends (S,) of all tokens, in frames, where only some were found in time.

    What lies between two that were found is divided: pauses and sounds that were not found get all but a
    margin at either neighbour; without any, the middle parts the neighbours.

    Args:
        spans: (N, 2) begin and end of those that were found, in frames.
        aligned: (N,) their places among the tokens, ascending.
        roles: (S,) of all tokens.
        frames: of the utterance.
        margin: frames that belong to a neighbour still.
    """
    ends = np.zeros(len(roles))
    places = [-1, *aligned, len(roles)]
    stops = [0.0, *spans[:, 1]]
    begins = [*spans[:, 0], float(frames)]
    for place, following, stop, begin in zip(places, places[1:], stops, begins, strict=False):
        gap = max(begin - stop, 0.0)
        takers = [one for one in range(place + 1, following) if roles[one] != Role.MARK]
        first = following if not takers else takers[0]
        if takers:
            before = min(margin, gap / 4) if place >= 0 else 0.0
            behind = min(margin, gap / 4) if following < len(roles) else 0.0
            edges = np.linspace(stop + before, begin - behind, len(takers) + 1)
        else:
            edges = np.array([stop + gap / 2 if 0 <= place and following < len(roles) else begin])
        ends[max(place, 0) : first] = edges[0]
        for number, taker in enumerate(takers):
            until = takers[number + 1] if number + 1 < len(takers) else following
            ends[taker:until] = edges[number + 1]
    return np.maximum.accumulate(ends)


def least_frames(roles: np.ndarray) -> np.ndarray:
    """Frames (S,) that tokens need: a sound one, others none."""
    return (roles == Role.SOUND).astype(np.int64)


PAUSE_SHARE = 0.5  # of a sound's time that a pause gets where nothing is known


def even_ends(roles: np.ndarray, begin: float, end: float, frames: float) -> np.ndarray:
    """Ends (S,) in frames of tokens that share what is spoken of an utterance evenly: a first guess.

    Args:
        roles: (S,) of the tokens, with an edge before and behind them.
        begin, end: frames between which there is speech.
        frames: of the utterance.
    """
    shares = np.where(roles == Role.SOUND, 1.0, np.where(roles == Role.PAUSE, PAUSE_SHARE, 0.0))
    shares[[0, -1]] = 0.0
    ends = begin + np.cumsum(shares) * (end - begin) / max(shares.sum(), 1.0)
    ends[-1] = frames
    return np.asarray(ends)
