"""Options of scoring: conf/score/*.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from espnet2_valle.asr.normalise import NORMALISERS
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import load
from espnet2_valle.common.registry import Component
from espnet2_valle.text.multilingual import normal_code

CROSS, CONTINUATION = "cross", "continuation"
PROTOCOLS = (CROSS, CONTINUATION)


@dataclass(frozen=True)
class LanguageSettings:
    """Judges and normaliser of the texts of one language.

    Attributes:
        judge: recogniser.
        second_judge: another one; None for none.
        normaliser: of texts before words are counted, see `normalise.py`.
    """

    judge: Component
    second_judge: Component | None = None
    normaliser: str = "basic"

    def __post_init__(self) -> None:
        NORMALISERS.check_name(self.normaliser)


@dataclass(frozen=True)
class Settings:
    """One configuration of the score command.

    Attributes:
        judge: recogniser; None takes the trained recogniser if one is given, else pocketsphinx.
        second_judge: another recogniser, None takes pocketsphinx beside a trained recogniser, else none.
        speaker: speaker encoder.
        second_speaker: another one, whose similarities stand beside; None for none.
        quality: estimators of a listener's opinion, beside DNSMOS P.835.
        signal: measure against the reference recording, where there is one.
        normaliser: of texts before words are counted, see `normalise.py`.
        by_language: in the place of judge, second_judge and normaliser: those of the texts of each language,
            by its code; all languages have a second judge, or none has.
        protocol: `cross` (the prompt is another recording) or `continuation` (it is the beginning of the
            reference recording, and outputs go on from there).
        prompt_seconds: of a continuation's prompt, with which its outputs begin.
        reference_utterances: real recordings compared for the same- and other-speaker similarity; 0 for none.
    """

    judge: Component | None = None
    second_judge: Component | None = None
    speaker: Component = Component("resemblyzer")
    second_speaker: Component | None = None
    quality: tuple[Component, ...] = ()
    signal: bool = False
    normaliser: str = "basic"
    by_language: Mapping[str, LanguageSettings] = field(default_factory=dict, hash=False)  # a dict has none
    protocol: str = CROSS
    prompt_seconds: float = 3.0
    reference_utterances: int = 0

    def __post_init__(self) -> None:
        NORMALISERS.check_name(self.normaliser)
        if self.protocol not in PROTOCOLS:
            raise InputError(
                "protocol", f"there is no '{self.protocol}'", f"Choose among {', '.join(PROTOCOLS)}"
            )
        if self.by_language:
            self._check_languages()

    def _check_languages(self) -> None:
        """Write the languages by their codes.

        Raises:
            InputError: one is no text or comes twice, a judge of all languages, or a second one of some only.
        """
        codes: dict[str, LanguageSettings] = {}
        for named, own in self.by_language.items():
            if not isinstance(named, str):  # YAML takes no for false
                raise InputError("by_language", f"{named!r} is no language", "Write its code in quotes: 'no'")
            code = normal_code(named)
            if code in codes:
                raise InputError("by_language", f"'{code}' is there twice", "Leave out one of them")
            codes[code] = own
        if self.judge or self.second_judge or self.normaliser != "basic":
            raise InputError(
                "by_language",
                "stands beside a judge, second_judge or normaliser of all texts",
                "Write them below each language only",
            )
        if len({own.second_judge is None for own in codes.values()}) > 1:
            raise InputError(
                "by_language", "has a second_judge of some languages only", "Give each language one, or none"
            )
        object.__setattr__(self, "by_language", codes)


def read_settings(path: str | Path | None) -> Settings:
    """Read a configuration; None is the defaults of the fields.

    Raises:
        InputError: no such file, not YAML, or an entry that there is not.
    """
    return Settings() if path is None else load(Settings, path)
