"""The scorers of one scoring run, built once in every worker."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from espnet2_valle.asr.normalise import NORMALISERS
from espnet2_valle.asr.recognizer import AbsRecognizer, unknown_words
from espnet2_valle.asr.registry import RECOGNIZERS
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Component
from espnet2_valle.common.resume import digest
from espnet2_valle.evaluation.mos import AbsQualityScorer, DNSMOSScorer
from espnet2_valle.evaluation.registry import QUALITY_SCORERS, SPEAKER_ENCODERS
from espnet2_valle.evaluation.settings import LanguageSettings, Settings
from espnet2_valle.evaluation.signal import SignalMetrics, signal_metrics
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder, ResemblyzerEncoder
from espnet2_valle.evaluation.table import SECOND

MODEL_FILES = ("config.yaml", "valid.*.pth")


ALL = ""  # language of the judges that hear all texts


@dataclass(frozen=True)
class Judges:
    """Recognisers of the words of a text.

    Attributes:
        recognizer: hears the words.
        second: hears them independently; None when there is one recogniser only.
        normalise: a text before words are counted (they are counted after `words.normalise` in any case).
    """

    recognizer: AbsRecognizer
    second: AbsRecognizer | None = None
    normalise: Callable[[str], str] = str

    def hear(self, wav: np.ndarray, rate: int) -> tuple[str, str | None]:
        """Words that each recogniser hears in `wav` (S,) at `rate` Hz, normalised; None without a second."""
        heard = self.normalise(self.recognizer.transcribe(wav, rate))
        return heard, None if self.second is None else self.normalise(self.second.transcribe(wav, rate))


@dataclass(frozen=True)
class Scorers:
    """Loaded models.

    Attributes:
        judges: language of a text -> who hears its words; ALL -> who hears those of any.
        speaker: compares voices.
        quality: rates the sound.
        more_quality: rate it too.
        signal: compares the signal with a reference recording; None where that is not wanted.
        second_speaker: compares voices independently; None when there is one encoder only.
    """

    judges: Mapping[str, Judges]
    speaker: AbsSpeakerEncoder
    quality: AbsQualityScorer
    more_quality: tuple[AbsQualityScorer, ...] = ()
    signal: SignalMetrics | None = None
    second_speaker: AbsSpeakerEncoder | None = None

    @property
    def encoders(self) -> tuple[AbsSpeakerEncoder, ...]:
        """The speaker encoder and, if there is one, the second."""
        return (self.speaker,) if self.second_speaker is None else (self.speaker, self.second_speaker)


class AbsScorerPlan(ABC):
    """Description of the models that a worker loads: small, hashable, picklable."""

    @property
    @abstractmethod
    def recognizer_name(self) -> str:
        """Name of the recogniser, for tables."""

    @property
    @abstractmethod
    def second_name(self) -> str | None:
        """Name of the second recogniser, or None."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of those that have judges of their own; none where the judges hear any."""
        return ()

    @property
    def speaker_name(self) -> str:
        """Name of the speaker encoder, for tables."""
        return ResemblyzerEncoder.name

    @property
    def second_speaker_name(self) -> str | None:
        """Name of the second speaker encoder, or None."""
        return None

    @property
    def speaker_marks(self) -> tuple[str, ...]:
        """Beginnings of the keys of what each speaker encoder says."""
        return ("", SECOND) if self.second_speaker_name else ("",)

    @abstractmethod
    def identity(self) -> str:
        """Digest that changes whenever the models would: rows scored under another identity are not kept."""

    @abstractmethod
    def build(self) -> Scorers:
        """Load the models."""


class ScorersError(Exception):
    """The models of a plan cannot be had; its arguments are those of the InputError that says why.

    No InputError itself: those of a worker are put down to the recording that it was given.
    """


@lru_cache(maxsize=1)
def load_scorers(plan: AbsScorerPlan) -> Scorers:
    """The models of `plan`, loaded once in a process.

    Raises:
        ScorersError: one of them cannot be loaded.
    """
    try:
        return plan.build()
    except InputError as error:
        raise ScorersError(error.where, error.problem, error.remedy) from error


@dataclass(frozen=True)
class DefaultPlan(AbsScorerPlan):
    """The scorers of a configuration.

    Where it names no recogniser, a trained CTC recogniser is taken if there is one, with pocketsphinx as the
    independent second if it knows all words; otherwise pocketsphinx scores alone. Where it names recognisers
    of each language, the trained one is the second of all languages that have none.

    Attributes:
        judge_dir: of a trained `CTCRecognizer`, or None.
        vocabulary: all words there are, for pocketsphinx's grammar; empty means any English.
        settings: the configuration.
        device: where those compute that can choose: cpu, cuda, cuda:N. It changes rounding alone.
    """

    judge_dir: str | None = None
    vocabulary: tuple[str, ...] = ()
    settings: Settings = Settings()
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.judge_dir is not None and not Path(self.judge_dir).is_dir():
            raise InputError(self.judge_dir, "no such recogniser", "Train it (stage 8) or leave out --judge")
        for recognizers in self._recognizers().values():
            for recognizer in recognizers:
                RECOGNIZERS.check(recognizer)
        for encoder in self._encoders():
            SPEAKER_ENCODERS.check(encoder)
        for quality in self.settings.quality:
            QUALITY_SCORERS.check(quality)
        if self._wants_sphinx_second() and unknown_words(self.vocabulary):
            logging.warning(
                "pocketsphinx does not know '%s': there is no second recogniser",
                unknown_words(self.vocabulary)[0],
            )

    def _wants_sphinx_second(self) -> bool:
        settings = self.settings
        named = settings.judge or settings.second_judge or settings.by_language
        return bool(self.judge_dir) and not named

    def _recognizers(self) -> dict[str, list[Component]]:
        """Language, or ALL -> the recogniser and, if there is one, the second."""
        trained = Component("ctc", (("judge_dir", self.judge_dir),)) if self.judge_dir else None
        if not self.settings.by_language:
            return {ALL: self._of_all(trained)}
        both = {code: (own.judge, own.second_judge) for code, own in self.settings.by_language.items()}
        return {code: _given(first, second or trained) for code, (first, second) in both.items()}

    def _of_all(self, trained: Component | None) -> list[Component]:
        """The recogniser of texts of any language and, if there is one, the second."""
        sphinx = Component("pocketsphinx", (("vocabulary", self.vocabulary),) if self.vocabulary else ())
        first = self.settings.judge or trained or sphinx
        second = self.settings.second_judge
        if self._wants_sphinx_second():
            second = None if unknown_words(self.vocabulary) else sphinx
        elif second is None:
            second = trained
        return _given(first, second)

    @property
    def recognizer_name(self) -> str:
        """See AbsScorerPlan; those of several languages with these before them."""
        return self._title(0)

    @property
    def second_name(self) -> str | None:
        """See AbsScorerPlan."""
        return self._title(1) or None

    def _title(self, number: int) -> str:
        """Names of the first (0) or second (1) recognisers; empty where there are none."""
        return "; ".join(
            f"{language}: {title}" if language else title
            for language, both in self._recognizers().items()
            for title in map(_recognizer_title, both[number : number + 1])
        )

    @property
    def languages(self) -> tuple[str, ...]:
        """See AbsScorerPlan."""
        return tuple(self.settings.by_language)

    def identity(self) -> str:
        """See AbsScorerPlan; the trained recogniser counts with the content of its model files."""
        contents: list[str | bytes] = [repr(sorted(self.vocabulary))]
        if self.judge_dir:
            files = sorted(path for pattern in MODEL_FILES for path in Path(self.judge_dir).glob(pattern))
            contents += [part for path in files for part in (path.name, path.read_bytes())]
        chosen = [*self._named(), *self._encoders(), *self.settings.quality]
        parts = [component.identity() for component in chosen]
        parts += [
            self.recognizer_name,
            DNSMOSScorer.name,
            f"{self.settings.signal} {self.settings.normaliser}",
        ]
        parts += [f"{language} {own.normaliser}" for language, own in self.settings.by_language.items()]
        return f"{parts} {digest(contents, 'sha1', separator='', digits=40)}"

    @property
    def speaker_name(self) -> str:
        """See AbsScorerPlan."""
        return _encoder_title(self.settings.speaker)

    @property
    def second_speaker_name(self) -> str | None:
        """See AbsScorerPlan."""
        second = self.settings.second_speaker
        return None if second is None else _encoder_title(second)

    def _encoders(self) -> list[Component]:
        """The speaker encoder and, if there is one, the second."""
        second = self.settings.second_speaker
        return [self.settings.speaker] if second is None else [self.settings.speaker, second]

    def _named(self) -> list[Component]:
        """Recognisers that the configuration names: the others are known by content, wherever they lie."""
        each: list[Settings | LanguageSettings] = [self.settings, *self.settings.by_language.values()]
        return [named for own in each for named in _given(own.judge, own.second_judge)]

    def build(self) -> Scorers:
        """See AbsScorerPlan."""
        settings, where = self.settings, {"device": self.device}
        wanted = self._recognizers()
        each = {recognizer for both in wanted.values() for recognizer in both}
        built = {recognizer: RECOGNIZERS.build(recognizer, **where) for recognizer in each}
        judges = {}
        for language, both in wanted.items():
            own: Settings | LanguageSettings = settings.by_language[language] if language else settings
            normalise = str if own.normaliser == "basic" else NORMALISERS[own.normaliser]
            normalise("")  # a package that it lacks is told now
            first, *second = (built[recognizer] for recognizer in both)
            judges[language] = Judges(first, next(iter(second), None), normalise)
        encoders = [SPEAKER_ENCODERS.build(encoder, **where) for encoder in self._encoders()]
        return Scorers(
            judges,
            encoders[0],
            DNSMOSScorer(),
            tuple(QUALITY_SCORERS.build(quality, **where) for quality in settings.quality),
            signal_metrics if settings.signal else None,
            encoders[1] if len(encoders) > 1 else None,
        )


def _given(first: Component | None, second: Component | None) -> list[Component]:
    """Those of the two that are there, in order."""
    return [component for component in (first, second) if component is not None]


def _encoder_title(encoder: Component) -> str:
    """Name of a speaker encoder for tables."""
    return ResemblyzerEncoder.name if encoder.name == "resemblyzer" else str(encoder)


def _recognizer_title(recognizer: Component) -> str:
    """Name of a recogniser for tables."""
    if recognizer.name == "ctc":
        return "ESPnet CTC recogniser"
    if recognizer.name == "pocketsphinx":
        return "pocketsphinx with a grammar" if recognizer.options else "pocketsphinx, free text"
    return str(recognizer)
