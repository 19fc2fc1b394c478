"""Configuration of a study: conf/study/*.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import load
from espnet2_valle.study.prompts import DISTURBANCES

VARIANTS, RUNS = "variants", "runs"
PROMPT, REFERENCE = "prompt", "reference"
LINEAR, LOG = "linear", "log"
VALLE, CODEC, NAR, NS2 = "valle", "codec", "nar", "ns2"


@dataclass(frozen=True)
class PromptChange:
    """Change to the prompts; none by default.

    Attributes:
        seconds: in place of each prompt, recordings of its speaker that last about so long together.
        disturbance: what is laid under it: noise, voice (of the pair's other speaker) or music.
        snr: power of the prompt over that of the disturbance, in dB.
    """

    seconds: float | None = None
    disturbance: str | None = None
    snr: float = 0.0

    def __post_init__(self) -> None:
        if self.disturbance is not None and self.disturbance not in DISTURBANCES:
            choices = ", ".join(DISTURBANCES)
            raise InputError("disturbance", f"there is no '{self.disturbance}'", f"Choose among {choices}")
        if self.seconds is not None and self.seconds <= 0:
            raise InputError("seconds", f"{self.seconds} is out of range", "Give more than 0")


@dataclass(frozen=True)
class Variant:
    """One way to make the test's speech.

    Attributes:
        name: in the table.
        x: place on the plot's axis; None puts variants in their order, those of changed prompt length at it.
        series: name of the plot's line that it is part of.
        decode: options of `valle say` that differ from the decoding configuration.
        prompt: what is done to the prompts.
        codebooks: only so many levels of the codes are made into sound; None for all.
        source: `valle`; `ns2`, the run's NaturalSpeech 2 model; `nar`: codebook 1 is the reference
            recordings' own, completed by the NAR model; or `codec`: all codes are the recordings' own,
            nothing synthesised.
    """

    name: str
    x: float | None = None
    series: str = ""
    decode: Mapping[str, Any] = field(default_factory=dict)
    prompt: PromptChange = field(default_factory=PromptChange)
    codebooks: int | None = None
    source: str = VALLE

    def __post_init__(self) -> None:
        _check_choice("source", self.source, (VALLE, NAR, CODEC, NS2))
        if self.codebooks is not None and self.codebooks < 1:
            raise InputError("codebooks", f"{self.codebooks} is out of range", "Give 1 or more")


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        title: of table and plot.
        axis: what the plot's x axis shows.
        variants: compared with the first one.
        over: `variants` of one run; or `runs`: several trained models, of which each label is the x.
        voice: the recording that similarity is measured against: the pair's own clean `prompt`, or the
            `reference`, which no variant has heard, where the prompts themselves are compared.
        scale: of the x axis, `linear` or `log`.
    """

    title: str
    axis: str
    variants: tuple[Variant, ...]
    over: str = VARIANTS
    voice: str = PROMPT
    scale: str = LINEAR

    def __post_init__(self) -> None:
        _check_choice("scale", self.scale, (LINEAR, LOG))
        _check_choice("over", self.over, (VARIANTS, RUNS))
        _check_choice("voice", self.voice, (PROMPT, REFERENCE))
        names = [variant.name for variant in self.variants]
        if not names or len(set(names)) < len(names):
            raise InputError("variants", f"are {names}", "Give at least one, each with a name of its own")
        if self.scale == LOG and not all(variant.x and variant.x > 0 for variant in self.variants):
            raise InputError(
                "scale", "is log, and a variant has no x above 0", "Give each one, or leave scale out"
            )


def read_study(path: str | Path) -> Study:
    """Read a study's configuration.

    Raises:
        InputError: no such file, not YAML, or an entry that is unknown, missing or of no use.
    """
    return load(Study, path, "the study", example="the files in conf/study")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(name, f"there is no '{value}'", f"Choose among {', '.join(choices)}")
