"""The judges of one scoring run, built once in every worker."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.score.mos import AbsQualityScorer, DNSMOSScorer
from espnet2_valle.score.recognizer import AbsRecognizer, CTCRecognizer, PocketsphinxRecognizer
from espnet2_valle.score.speaker import AbsSpeakerEncoder, ResemblyzerEncoder

MODEL_FILES = ("config.yaml", "valid.*.pth")


@dataclass(frozen=True)
class Scorers:
    """Loaded models.

    Attributes:
        judge: hears the words.
        second: hears them independently; None when there is one judge only.
        speaker: compares voices.
        quality: rates the sound.
    """

    judge: AbsRecognizer
    second: AbsRecognizer | None
    speaker: AbsSpeakerEncoder
    quality: AbsQualityScorer


class AbsScorerPlan(ABC):
    """What a worker needs to load the models: small, hashable, picklable."""

    @property
    @abstractmethod
    def judge_name(self) -> str:
        """Name of the judge, for tables."""

    @property
    @abstractmethod
    def second_name(self) -> str | None:
        """Name of the second judge, or None."""

    @abstractmethod
    def identity(self) -> str:
        """Changes whenever the models would: rows scored under another identity are not kept."""

    @abstractmethod
    def build(self) -> Scorers:
        """Load the models."""


@lru_cache(maxsize=1)
def load_scorers(plan: AbsScorerPlan) -> Scorers:
    """The models of `plan`, loaded once in a process."""
    return plan.build()


@dataclass(frozen=True)
class DefaultPlan(AbsScorerPlan):
    """The recipe's judges.

    A trained CTC recogniser is the judge where there is one, with pocketsphinx as the independent second;
    otherwise pocketsphinx judges alone.

    Attributes:
        judge_dir: of a trained `CTCRecognizer`, or None.
        vocabulary: all words there are, for pocketsphinx's grammar; empty means any English.
    """

    judge_dir: str | None = None
    vocabulary: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.judge_dir is not None and not Path(self.judge_dir).is_dir():
            raise InputError(self.judge_dir, "no such judge", "Train it (stage 8) or leave out --judge")

    @property
    def judge_name(self) -> str:
        """See AbsScorerPlan."""
        return "ESPnet CTC recogniser" if self.judge_dir else self._sphinx_name

    @property
    def second_name(self) -> str | None:
        """See AbsScorerPlan."""
        return self._sphinx_name if self.judge_dir else None

    @property
    def _sphinx_name(self) -> str:
        return "pocketsphinx with a grammar" if self.vocabulary else "pocketsphinx, free text"

    def identity(self) -> str:
        """See AbsScorerPlan; the judge counts with the content of its model files."""
        digest = hashlib.sha1(repr(sorted(self.vocabulary)).encode())
        if self.judge_dir:
            files = sorted(path for pattern in MODEL_FILES for path in Path(self.judge_dir).glob(pattern))
            for path in files:
                digest.update(path.name.encode())
                digest.update(path.read_bytes())
        names = (self.judge_name, self.second_name, ResemblyzerEncoder.name, DNSMOSScorer.name)
        return f"{names} {digest.hexdigest()}"

    def build(self) -> Scorers:
        """See AbsScorerPlan."""
        sphinx = PocketsphinxRecognizer(list(self.vocabulary) or None)
        if self.judge_dir is None:
            return Scorers(sphinx, None, ResemblyzerEncoder(), DNSMOSScorer())
        return Scorers(CTCRecognizer(self.judge_dir), sphinx, ResemblyzerEncoder(), DNSMOSScorer())
