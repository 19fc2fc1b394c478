"""What conf/codec/world.yaml may say, checked."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import check_keys

F0_METHODS = ("autocorrelation", "harvest")
Section = TypeVar("Section")


@dataclass(frozen=True)
class FeatureConfig:
    """How speech is analysed; conf/codec/world.yaml says what each means."""

    f0_method: str = "autocorrelation"
    f0_floor: float = 60.0
    f0_ceil: float = 500.0
    level: float = -26.0
    floor: float = -90.0
    split: float = 8000.0
    num_cepstra: int = 32
    num_high: int = 3


@dataclass(frozen=True)
class FitConfig:
    """How codebooks are fitted; conf/codec/world.yaml says what each means."""

    max_frames: int = 100000
    iterations: int = 15
    silence_weight: float = 0.2
    cepstrum_jitter: float = 0.7
    high_lift: float = 5.0
    lowest_level: float = -66.0
    highest_level: float = -6.0
    seed: int = 0


@dataclass(frozen=True)
class WorldConfig:
    """A world codec, its codebooks left out."""

    sample_rate: int
    frame_rate: float
    codebook_size: int
    stages: list[dict[str, float]]
    smoothing: float = 0.0
    max_smoothing: float = 0.0
    features: FeatureConfig = field(default_factory=FeatureConfig)
    fit: FitConfig = field(default_factory=FitConfig)

    @classmethod
    def from_dict(cls, options: Mapping[str, Any], where: str | Path) -> "WorldConfig":
        """Check and convert what a YAML file held.

        Raises:
            InputError: an unknown or missing option, or an impossible value.
        """
        flat = dict(options)
        features = build_section(FeatureConfig, flat.pop("features", None) or {}, where)
        fit = build_section(FitConfig, flat.pop("fit", None) or {}, where)
        config = dataclasses.replace(build_section(cls, flat, where), features=features, fit=fit)
        if config.frame_rate <= 0 or config.sample_rate % config.frame_rate:
            raise InputError(
                where,
                f"frame_rate {config.frame_rate:g} does not divide sample_rate {config.sample_rate}",
                "Change either",
            )
        if features.f0_method not in F0_METHODS:
            raise InputError(where, f"f0_method {features.f0_method!r}", f"Use {' or '.join(F0_METHODS)}")
        if not 0 < features.split < config.sample_rate / 2:
            raise InputError(where, f"split {features.split:g} is not below half the sample rate", "Lower it")
        if config.smoothing < 0 or not 0 <= config.max_smoothing <= 0.5:
            raise InputError(
                where,
                f"smoothing {config.smoothing:g} up to max_smoothing {config.max_smoothing:g}",
                "Give weights of a neighbouring frame between 0 and 0.5",
            )
        if not config.stages or not 1 <= config.codebook_size <= 1 << 15:
            raise InputError(where, "stages are empty or codebook_size is not in 1..32768", "Correct them")
        return config


def build_section(kind: type[Section], options: Mapping[str, Any], where: str | Path) -> Section:
    """Make the dataclass `kind` of `options`, each converted to its field's type.

    Raises:
        InputError: an unknown or missing option, or a value of another type.
    """
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    check_keys(where, options, fields, "option")
    missing = [
        name
        for name, item in fields.items()
        if name not in options
        and item.default is dataclasses.MISSING
        and item.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise InputError(where, f"no option {missing[0]!r}", "Start from conf/codec/world.yaml")
    converted = {}
    for name, value in options.items():
        wanted = fields[name].type
        try:
            converted[name] = wanted(value) if wanted in (int, float) else value
        except (TypeError, ValueError) as error:
            raise InputError(where, f"{name} is {value!r}", "Write a number") from error
    return kind(**converted)
