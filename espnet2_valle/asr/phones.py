"""Scoring speech by how likely a recogniser of phones finds its text.

Words need a vocabulary, which a corpus of free text has not; phones are few, and those of an hour of speech
are enough to tell a clear candidate from a mumbled one. The recogniser is trained by `judge_train
--token_type`.
"""

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.asr.recognizer import PHONE_UNITS, CTCModel
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.text.markup import without_markup
from espnet2_valle.text.multilingual import MultilingualTokenizer
from espnet2_valle.text.reading import ESPNET
from espnet2_valle.text.tokenizer import Tokenizer, build_tokenizer


@dataclass(frozen=True)
class PhoneUnits:
    """Options, as `build_tokenizer` takes them, of turning a text into the phones that are listened for."""

    token_type: str
    g2p: str | None = None
    cleaner: str | None = None
    reading: int = ESPNET  # of recognisers that do not say theirs

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Built when it is first wanted."""
        return build_tokenizer(self.token_type, self.g2p, self.cleaner, reading=self.reading)

    def of(self, text: str) -> list[str]:
        """The phones of `text`, without the tokens that are no sound: stress, pauses, punctuation.

        Marks of languages count where there are several g2p.
        """
        reads_marks = isinstance(self.tokenizer, MultilingualTokenizer)
        return sounding(self.tokenizer.text2tokens(text if reads_marks else without_markup(text)))

    def save(self, judge_dir: str | Path) -> None:
        """Keep them beside a recogniser."""
        with atomic_open(Path(judge_dir) / PHONE_UNITS) as stream:
            json.dump(asdict(self), stream)

    @classmethod
    def load(cls, judge_dir: str | Path) -> "PhoneUnits":
        """Those of a recogniser.

        Raises:
            InputError: it has none: it hears words, or is not there.
        """
        path = Path(judge_dir) / PHONE_UNITS
        if not path.is_file():
            raise InputError(
                path, "no such file, so nothing here hears phones", "Run `valle asr train --token_type phn`"
            )
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def sounding(tokens: Iterable[str]) -> list[str]:
    """The tokens with a letter in them; marks of stress and length are letters' modifiers, not letters."""
    return [
        token
        for token in tokens
        if not token.startswith("<")
        and any(unicodedata.category(sign) in ("Ll", "Lu", "Lo") for sign in token)
    ]


class PhoneScorer:
    """Scorer of candidates of one text: the likelier its phones are in what is heard, the better.

    Args:
        judge_dir: training directory of a phone recogniser.
        device: where it computes: cpu, cuda, cuda:N.

    Raises:
        InputError: there is none.
    """

    def __init__(self, judge_dir: str | Path, device: str = "cpu"):
        self.units = PhoneUnits.load(judge_dir)
        self.model = CTCModel(judge_dir, device)
        self._numbers = {phone: number for number, phone in enumerate(self.model.tokens)}

    def __call__(self, speech: Any, rate: int, text: str) -> float:
        """Log-probability (CTC: Graves et al., 2006) that `speech` says `text`, in nats a frame.

        A frame and not a phone, since all candidates have the same phones: who speaks slowly has more frames
        that may go wrong, but is understood more easily.

        Args:
            speech: samples (S,).
            rate: in Hz.
            text: what was to be said. Phones that were never heard in training are passed over.

        Returns:
            -inf where there is too little sound for so many phones, or no known phone.
        """
        import torch

        log_probs = self.model.log_probs(np.asarray(speech, dtype=np.float32), rate)
        phones = [self._numbers[phone] for phone in self.units.of(text) if phone in self._numbers]
        if log_probs is None or not phones:
            return float("-inf")
        loss = torch.nn.functional.ctc_loss(
            log_probs.unsqueeze(1),
            torch.tensor([phones]),
            torch.tensor([len(log_probs)]),
            torch.tensor([len(phones)]),
            blank=self.model.blank,
            reduction="sum",
        )
        return -float(loss) / len(log_probs)
