"""How to score: conf/score/*.yaml."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from espnet2_valle.asr.normalise import NORMALISERS
from espnet2_valle.common.conf import read_yaml
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import check_keys
from espnet2_valle.common.registry import Component

CROSS, CONTINUATION = "cross", "continuation"
PROTOCOLS = (CROSS, CONTINUATION)


@dataclass(frozen=True)
class Settings:
    """One configuration of the score command.

    Attributes:
        judge: recogniser; None takes the trained judge if one is given, else pocketsphinx.
        second_judge: another recogniser, None takes pocketsphinx beside a trained judge, else none.
        speaker: speaker encoder.
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
    quality: tuple[Component, ...] = ()
    signal: bool = False
    normaliser: str = "basic"
    protocol: str = CROSS
    prompt_seconds: float = 3.0
    reference_utterances: int = 0

    def __post_init__(self) -> None:
        for name, value, known in (
            ("normaliser", self.normaliser, tuple(NORMALISERS)),
            ("protocol", self.protocol, PROTOCOLS),
        ):
            if value not in known:
                raise InputError(name, f"there is no '{value}'", f"Choose among {', '.join(known)}")


def read_settings(path: str | Path | None) -> Settings:
    """Read a configuration; None is the defaults of the fields.

    Raises:
        InputError: no such file, not YAML, or an entry that there is not.
    """
    if path is None:
        return Settings()
    given = read_yaml(path, "--config")
    check_keys(path, given, [field.name for field in fields(Settings)])
    return Settings(**{key: _parsed(key, value, str(path)) for key, value in given.items()})


def _parsed(key: str, value: Any, where: str) -> Any:
    if key in ("judge", "second_judge"):
        return None if value is None else Component.parse(value, f"{where}: {key}")
    if key == "speaker":
        return Component.parse(value, f"{where}: {key}")
    if key == "quality":
        return tuple(Component.parse(item, f"{where}: {key}") for item in value or ())
    expected = {"signal": bool, "reference_utterances": int, "prompt_seconds": float}
    kind = expected.get(key, str)
    if not isinstance(value, kind) and not (kind is float and isinstance(value, int)):
        raise InputError(f"{where}: {key}", f"'{value}' is no {kind.__name__}", "Correct it")
    return value
