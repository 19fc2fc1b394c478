"""The codec that needs no download: WORLD features and a residual quantiser fitted on the training set."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.codec.quantizer import ResidualQuantizer
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.codec.world_features import FeatureConfig, WorldFeatures
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_path

SECTIONS = {"sample_rate", "frame_rate", "codebook_size", "features", "stages", "fit"}
FIT_DEFAULTS = {"max_frames": 100000, "iterations": 15, "silence_weight": 0.2, "seed": 0}
SILENCE = 3.0  # nepers below the mean level of active speech: a frame weaker than that holds no speech
LOUD_QUANTILE = 0.9


def feature_extractor(config: dict[str, Any], where: str | Path) -> WorldFeatures:
    """Build the analysis of a world codec from its configuration.

    Raises:
        InputError: an unknown key or an impossible value.
    """
    unknown = set(config) - SECTIONS
    if unknown:
        raise InputError(
            where, f"unknown key {sorted(unknown)[0]!r}", f"Known keys: {', '.join(sorted(SECTIONS))}"
        )
    missing = SECTIONS - {"fit", "features"} - set(config)
    if missing:
        raise InputError(where, f"no {sorted(missing)[0]!r}", "Start from conf/codec/world.yaml")
    rates = {"sample_rate": int(config["sample_rate"]), "frame_rate": float(config["frame_rate"])}
    features = dict(config.get("features") or {})
    known = {field.name for field in dataclasses.fields(FeatureConfig)} - set(rates)
    if set(features) - known:
        raise InputError(
            where,
            f"unknown feature option {sorted(set(features) - known)[0]!r}",
            f"Known: {', '.join(sorted(known))}",
        )
    if rates["sample_rate"] % rates["frame_rate"]:
        raise InputError(
            where, f"frame_rate {rates['frame_rate']} does not divide sample_rate", "Change either"
        )
    if features.get("f0_method", "harvest") not in ("harvest", "dio"):
        raise InputError(where, f"f0_method {features['f0_method']!r}", "Use harvest or dio")
    return WorldFeatures(FeatureConfig(**rates, **features))


def stage_scales(stages: list[dict[str, float]], extractor: WorldFeatures, where: str | Path) -> np.ndarray:
    """Weights of each dimension in each stage, (Q, dim), from their configuration."""
    scales = np.zeros((len(stages), extractor.dim), dtype=np.float32)
    for number, stage in enumerate(stages):
        for key, weight in stage.items():
            try:
                scales[number, extractor.columns(key)] = float(weight)
            except KeyError as error:
                raise InputError(
                    where,
                    f"stage {number + 1} names an unknown dimension {key!r}",
                    f"Known: {extractor.names}",
                ) from error
        if not scales[number].any():
            raise InputError(
                where, f"stage {number + 1} looks at nothing", "Give it a dimension or remove it"
            )
    return scales


class WorldCodec(AbsCodec):
    """WORLD features, quantised stage by stage.

    Args:
        config: what conf/codec/world.yaml holds.
        quantizer: its codebooks.
    """

    def __init__(self, config: dict[str, Any], quantizer: ResidualQuantizer):
        self.config = config
        self.features = feature_extractor(config, "world codec")
        self.quantizer = quantizer
        self.spec = world_spec(config)

    @classmethod
    def fit(
        cls, config: dict[str, Any], features: Iterable[np.ndarray], where: str | Path = "world codec"
    ) -> "WorldCodec":
        """Fit codebooks on the features (T, dim) of the training utterances.

        Raises:
            InputError: fewer frames than codewords, or a configuration at fault.
        """
        extractor = feature_extractor(config, where)
        scales = stage_scales(config["stages"], extractor, where)
        options = FIT_DEFAULTS | dict(config.get("fit") or {})
        if set(options) - set(FIT_DEFAULTS):
            raise InputError(
                where,
                f"unknown fit option {sorted(set(options) - set(FIT_DEFAULTS))[0]!r}",
                f"Known: {sorted(FIT_DEFAULTS)}",
            )
        vectors = np.concatenate(list(features))
        size = int(config["codebook_size"])
        if len(vectors) < size:
            raise InputError(
                where,
                f"{len(vectors)} frames cannot fill {size} codewords",
                "Give more speech or lower codebook_size",
            )
        rng = np.random.default_rng(options["seed"])
        chosen = np.sort(rng.permutation(len(vectors))[: int(options["max_frames"])])
        vectors = vectors[chosen]
        level = vectors[:, extractor.columns("c0")[0]]
        quiet = level < np.quantile(level, LOUD_QUANTILE) - SILENCE * np.sqrt(extractor.basis.shape[1])
        weights = np.where(quiet, float(options["silence_weight"]), 1.0)
        quantizer = ResidualQuantizer.fit(
            vectors, weights, scales, size, int(options["iterations"]), int(options["seed"])
        )
        return cls(config, quantizer)

    def encode(self, wav: np.ndarray) -> np.ndarray:
        """Encode `wav` (S,) to codes (T, Q) int16, T = ceil(S / hop)."""
        return self.quantizer.encode(self.features.analyse(self.check_wav(wav)))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Decode `codes` (T, q), q <= Q, to (T * hop,) float32; stages left out count as their mean."""
        codes = self.check_codes(codes)
        if len(codes) == 0:
            return np.zeros(0, dtype=np.float32)
        return self.features.synthesise(self.quantizer.decode(codes))

    def save(self, path: str | Path) -> None:
        """Write codebooks and configuration to `path` (.npz), the same bytes for the same codec."""
        with atomic_path(path) as temporary:
            np.savez(
                temporary,
                codebooks=self.quantizer.codebooks,
                scales=self.quantizer.scales,
                config=np.array(json.dumps(self.config, sort_keys=True)),
            )

    @classmethod
    def load(cls, path: str | Path) -> "WorldCodec":
        """Read what `save` wrote.

        Raises:
            InputError: missing file or not a world codec.
        """
        if not Path(path).is_file():
            raise InputError(path, "no such codec", "Fit it first (stage 4)")
        try:
            with np.load(path, allow_pickle=False) as stored:
                config = json.loads(str(stored["config"]))
                quantizer = ResidualQuantizer(stored["codebooks"], stored["scales"])
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise InputError(path, f"not a world codec ({error})", "Fit it again (stage 4)") from error
        return cls(config, quantizer)


def world_spec(config: dict[str, Any]) -> CodecSpec:
    """The spec that `config` stands for."""
    return CodecSpec(
        name="world",
        sample_rate=int(config["sample_rate"]),
        frame_rate=float(config["frame_rate"]),
        num_codebooks=len(config["stages"]),
        codebook_size=int(config["codebook_size"]),
    )
