"""Options of conf/codec/world.yaml, checked."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import build

F0_METHODS = ("autocorrelation", "harvest")
Section = TypeVar("Section")


@dataclass(frozen=True)
class FeatureConfig:
    """Options of the analysis of speech; conf/codec/world.yaml says what each means."""

    f0_method: str = "autocorrelation"
    f0_floor: float = 60.0
    f0_ceil: float = 500.0
    level: float = -26.0
    floor: float = -90.0
    split: float = 8000.0
    num_cepstra: int = 32
    num_high: int = 3
    voice_cepstra: int = 0


@dataclass(frozen=True)
class FitConfig:
    """Options of the fit of codebooks; conf/codec/world.yaml says what each means."""

    max_frames: int = 100000
    iterations: int = 15
    silence_weight: float = 0.2
    cepstrum_jitter: float = 0.7
    voice_jitter: float = 0.5
    high_lift: float = 5.0
    lowest_level: float = -66.0
    highest_level: float = -6.0
    seed: int = 0


@dataclass(frozen=True)
class ContextConfig:
    """Options of a first codebook that is learnt; conf/codec/world_context.yaml says what each means."""

    levels: tuple[int, ...] = (4, 4, 4, 4, 4)
    width: int = 192
    kernel: int = 5
    encoder_blocks: int = 2
    decoder_blocks: int = 3
    max_frames: int = 720000
    steps: int = 4000
    batch: int = 12
    segment: int = 128
    learning_rate: float = 0.002
    rate_weight: float = 0.0

    @property
    def size(self) -> int:
        """Number of codes."""
        return math.prod(self.levels)

    @property
    def reach(self) -> int:
        """Frames on either side that the sound of a code depends on."""
        return (self.decoder_blocks + 1) * (self.kernel // 2)

    def within(self, size: int) -> "ContextConfig":
        """The same with as many dimensions as `size` codes allow, at least one."""
        levels = self.levels
        while math.prod(levels) > size and len(levels) > 1:
            levels = levels[:-1]
        return dataclasses.replace(self, levels=levels)


@dataclass(frozen=True)
class WorldConfig:
    """A world codec, its codebooks left out."""

    sample_rate: int
    frame_rate: float
    codebook_size: int
    stages: tuple[Mapping[str, Any], ...]  # weights: see world.stage_scales
    smoothing: float = 0.0
    max_smoothing: float = 0.0
    features: FeatureConfig = field(default_factory=FeatureConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    context: ContextConfig | None = None

    @classmethod
    def from_dict(cls, options: Mapping[str, Any], where: str | Path) -> "WorldConfig":
        """Check and convert what a YAML file held.

        Raises:
            InputError: an unknown or missing option, or an impossible value.
        """
        config = build(cls, options, str(where), example="conf/codec/world.yaml")
        features, fit = with_floats(config.features), with_floats(config.fit)
        config = dataclasses.replace(with_floats(config), features=features, fit=fit)
        if config.frame_rate <= 0 or config.sample_rate % config.frame_rate:
            raise InputError(
                where,
                f"frame_rate {config.frame_rate:g} does not divide sample_rate {config.sample_rate}",
                "Change either",
            )
        if features.f0_method not in F0_METHODS:
            raise InputError(where, f"f0_method {features.f0_method!r}", f"Use {' or '.join(F0_METHODS)}")
        if not 0 <= features.voice_cepstra < features.num_cepstra:
            raise InputError(
                where,
                f"voice_cepstra {features.voice_cepstra} of {features.num_cepstra} cepstra",
                f"Give 0 to {features.num_cepstra - 1}: c0, the level, is no voice's own",
            )
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
        if config.context:
            config = dataclasses.replace(config, context=with_floats(config.context))
            check_context(config, where)
        return config


def with_floats(config: Section) -> Section:
    """The dataclass with whole numbers, where they stand for floats, as floats: codec.yaml shows the rate."""
    fields = dataclasses.fields(config)  # type: ignore[arg-type]
    floats = {item.name: float(getattr(config, item.name)) for item in fields if item.type is float}
    return dataclasses.replace(config, **floats)  # type: ignore[type-var]


def check_context(config: WorldConfig, where: str | Path) -> None:
    """Check the options of a learnt first codebook.

    Raises:
        InputError: a value is impossible, or there are other than `codebook_size` codes.
    """
    context = config.context
    assert context is not None
    for name, value in dataclasses.asdict(context).items():
        values = value if name == "levels" else [value]
        least = {"levels": 2, "learning_rate": 1e-9, "rate_weight": 0}.get(name, 1)
        if not values or min(values) < least:
            raise InputError(where, f"context.{name} is {value}", "Give positive numbers, levels above 1")
    if context.kernel % 2 == 0:
        raise InputError(
            where, f"context.kernel {context.kernel} is even", "Give an odd one: it has a middle"
        )
    if context.size != config.codebook_size:
        raise InputError(
            where,
            f"context.levels {list(context.levels)} make {context.size} codes, not codebook_size "
            f"{config.codebook_size}",
            "Change either",
        )
