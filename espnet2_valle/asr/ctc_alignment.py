"""Forced alignment of a text by a recogniser of phones: when each phone is heard."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from espnet2_valle.asr.recognizer import CTCModel
from espnet2_valle.common.errors import InputError


class PhoneTimes:
    """A recogniser of phones that knows what is said.

    Args:
        judge_dir: training directory of `judge_train --token_type phn`.
    """

    def __init__(self, judge_dir: str):
        self.model = CTCModel(judge_dir)
        self._numbers = {phone: number for number, phone in enumerate(self.model.tokens)}

    def __call__(
        self, wav: np.ndarray, rate: int, sounds: Sequence[str], where: str
    ) -> tuple[np.ndarray, list[int], float]:
        """Find the sounds of an utterance in time.

        Args:
            wav: (S,) float32 at `rate` Hz.
            sounds: tokens that are said, in order.
            where: the utterance, for messages.

        Returns:
            (N, 2) begin and end in seconds of those that the recogniser knows, their places in `sounds`, and
            the seconds of one of its frames.

        Raises:
            InputError: too little sound for so many phones.
        """
        log_probs = self.model.log_probs(wav, rate)
        known = [place for place, sound in enumerate(sounds) if sound in self._numbers]
        targets = [self._numbers[sounds[place]] for place in known]
        if log_probs is None or not targets:
            raise InputError(where, "the recogniser hears no phone of it", "Correct its text, or remove it")
        spans = ctc_spans(log_probs.numpy(), targets, self.model.blank, where)
        seconds = len(wav) / rate / len(log_probs)
        return spans * seconds, known, seconds


def ctc_spans(log_probs: np.ndarray, targets: Sequence[int], blank: int, where: str) -> np.ndarray:
    """Begin and end (N, 2) in frames of each target on the likeliest path of a CTC model.

    Args:
        log_probs: (T, V) of the model.
        targets: (N,) tokens, in order.
        blank: its blank.
        where: the utterance, for the message.

    Raises:
        InputError: fewer frames than the targets need.
    """
    import torch
    from torchaudio.functional import forced_align, merge_tokens

    repeats = sum(one == other for one, other in zip(targets, targets[1:]))
    if len(log_probs) < len(targets) + repeats:
        raise InputError(
            where,
            f"is too short for its {len(targets)} phones at {len(log_probs)} frames of the recogniser",
            "Correct its text, or remove it",
        )
    path, scores = forced_align(
        torch.from_numpy(log_probs)[None].contiguous(), torch.tensor([list(targets)]), blank=blank
    )
    found = merge_tokens(path[0], scores[0], blank=blank)
    return np.array([(one.start, one.end) for one in found], dtype=np.float64)


@lru_cache(maxsize=1)
def open_phone_times(judge_dir: str) -> PhoneTimes:
    """`PhoneTimes`, once a process."""
    return PhoneTimes(judge_dir)
