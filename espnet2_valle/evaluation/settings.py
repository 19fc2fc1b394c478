"""Options of scoring: conf/score/*.yaml."""

from dataclasses import dataclass
from pathlib import Path

from espnet2_valle.asr.normalise import NORMALISERS
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import load
from espnet2_valle.common.registry import Component

CROSS, CONTINUATION = "cross", "continuation"
PROTOCOLS = (CROSS, CONTINUATION)


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
    protocol: str = CROSS
    prompt_seconds: float = 3.0
    reference_utterances: int = 0

    def __post_init__(self) -> None:
        NORMALISERS.check_name(self.normaliser)
        if self.protocol not in PROTOCOLS:
            raise InputError(
                "protocol", f"there is no '{self.protocol}'", f"Choose among {', '.join(PROTOCOLS)}"
            )


def read_settings(path: str | Path | None) -> Settings:
    """Read a configuration; None is the defaults of the fields.

    Raises:
        InputError: no such file, not YAML, or an entry that there is not.
    """
    return Settings() if path is None else load(Settings, path)
