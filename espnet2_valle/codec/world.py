"""The codec that needs no download: WORLD features and a residual quantiser fitted on the training set."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.codec.quantizer import ResidualQuantizer
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.codec.world_config import FitConfig, WorldConfig
from espnet2_valle.codec.world_features import MEL_POINTS, WorldFeatures
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_path

SILENCE = 3.0  # nepers below loud speech: a frame weaker than that holds no speech
LOUD_QUANTILE = 0.9
LIFTED_SHARE = 0.5  # of the frames
LIFT_RIPPLE = 0.1  # of the lift, between bands


def build_features(config: WorldConfig) -> WorldFeatures:
    """The analysis of a world codec."""
    return WorldFeatures(config.sample_rate, config.frame_rate, config.features)


def stage_scales(
    stages: Sequence[Mapping[str, Any]], features: WorldFeatures, where: str | Path
) -> np.ndarray:
    """Weights of each dimension in each stage, (Q, dim), from their configuration.

    Raises:
        InputError: an unknown dimension, a weight that is no positive number, or a stage without any.
    """
    scales = np.zeros((len(stages), features.dim), dtype=np.float32)
    for number, stage in enumerate(stages, 1):
        if not stage:
            raise InputError(where, f"stage {number} looks at nothing", "Give it a dimension or remove it")
        for key, weight in stage.items():
            try:
                columns = features.columns(key)
            except KeyError as error:
                raise InputError(
                    where,
                    f"stage {number} names an unknown dimension {key!r}",
                    f"Known: {' '.join(features.names)}",
                ) from error
            if not isinstance(weight, int | float) or weight <= 0:
                raise InputError(
                    where, f"stage {number} gives {key} the weight {weight!r}", "Give a positive number"
                )
            scales[number - 1, columns] = weight
    return scales


class WorldCodec(AbsCodec):
    """WORLD features, quantised stage by stage.

    Args:
        options: what conf/codec/world.yaml holds.
        quantizer: its codebooks.
        where: the file to name in errors.
    """

    left_context = 0.1
    right_context = 0.06

    def __init__(
        self, options: Mapping[str, Any], quantizer: ResidualQuantizer, where: str | Path = "world codec"
    ):
        config = WorldConfig.from_dict(options, where)
        self.options = dict(options)
        self.features = build_features(config)
        self.quantizer = quantizer
        self.neighbours = neighbour_weights(self.features, config)
        self.spec = CodecSpec(
            name="world",
            sample_rate=config.sample_rate,
            frame_rate=config.frame_rate,
            num_codebooks=len(config.stages),
            codebook_size=config.codebook_size,
        )
        expected = (self.num_codebooks, self.codebook_size, self.features.dim)
        if quantizer.codebooks.shape != expected:
            raise InputError(
                where,
                f"codebooks of shape {quantizer.codebooks.shape}, not {expected}",
                "Fit it again (stage 4)",
            )

    @classmethod
    def fit(
        cls, options: Mapping[str, Any], features: Iterable[np.ndarray], where: str | Path = "world codec"
    ) -> "WorldCodec":
        """Fit codebooks on the features (T, dim) of the training utterances.

        Raises:
            InputError: fewer frames than codewords, or a configuration at fault.
        """
        config = WorldConfig.from_dict(options, where)
        extractor = build_features(config)
        scales = stage_scales(config.stages, extractor, where)
        vectors = np.concatenate(list(features))
        if len(vectors) < config.codebook_size:
            raise InputError(
                where,
                f"{len(vectors)} frames cannot fill {config.codebook_size} codewords",
                "Give more speech or lower codebook_size",
            )
        rng = np.random.default_rng(config.fit.seed)
        chosen = np.sort(rng.permutation(len(vectors))[: config.fit.max_frames])
        vectors = vectors[chosen]
        level = vectors[:, extractor.level_column]
        quiet = level < np.quantile(level, LOUD_QUANTILE) - SILENCE * np.sqrt(MEL_POINTS)
        weights = np.where(quiet, config.fit.silence_weight, 1.0)
        jitter = np.where(extractor.is_shape, config.fit.cepstrum_jitter, 0.0)
        quantizer = ResidualQuantizer.fit(
            vectors,
            widen(vectors, extractor, config.fit, rng),
            jitter,
            weights,
            scales,
            config.codebook_size,
            config.fit.iterations,
            config.fit.seed,
        )
        return cls(options, quantizer, where)

    def encode(self, wav: np.ndarray) -> np.ndarray:
        """Encode `wav` (S,) to codes (T, Q) int16, T = ceil(S / hop)."""
        return self.quantizer.encode(self.features.analyse(self.check_wav(wav)))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Decode `codes` (T, q), q <= Q, to (T * hop,) float32; stages left out count as their mean.

        Where the original was loud the samples may pass 1.
        """
        codes = self.check_codes(codes)
        if len(codes) == 0:
            return np.zeros(0, dtype=np.float32)
        return self.features.synthesise(self.decode_features(codes))

    def decode_features(self, codes: np.ndarray) -> np.ndarray:
        """Features (T, dim) of `codes` (T, q), the cepstra smoothed over three frames.

        Which codeword is nearest jumps about from frame to frame where the spectrum barely moves; that is
        heard as roughness. The higher a cepstrum the more of its movement is that noise.
        """
        return smooth(self.quantizer.decode(codes), self.neighbours)

    def decode_part(self, codes: np.ndarray, utterance: np.ndarray) -> np.ndarray:
        """See `AbsCodec.decode_part`; the gain is that of `utterance`."""
        codes = self.check_codes(codes)
        if len(codes) == 0:
            return np.zeros(0, dtype=np.float32)
        features = self.decode_features(codes)
        gain = self.features.gain_column
        features[:, gain] = self.quantizer.decode(self.check_codes(utterance))[:, gain].mean()
        return self.features.synthesise(features)

    def codewords(self) -> list[np.ndarray]:
        """See `AbsCodec.codewords`: the dimensions that each stage looks at, weighted as it weights them."""
        return [self.quantizer.codewords(stage) for stage in range(self.num_codebooks)]

    def save(self, path: str | Path) -> None:
        """Write codebooks and configuration to `path` (.npz), the same bytes for the same codec."""
        with atomic_path(path) as temporary:
            np.savez(
                temporary,
                codebooks=self.quantizer.codebooks,
                scales=self.quantizer.scales,
                options=np.array(json.dumps(self.options, sort_keys=True)),
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
                options = json.loads(str(stored["options"]))
                codebooks, scales = stored["codebooks"], stored["scales"]
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise InputError(path, f"not a world codec ({error})", "Fit it again (stage 4)") from error
        return cls(options, ResidualQuantizer(codebooks, scales), path)


def neighbour_weights(features: WorldFeatures, config: WorldConfig) -> np.ndarray:
    """What each neighbour adds to a decoded dimension, (dim,): `smoothing` times the index of a cepstrum."""
    weights = np.zeros(features.dim, dtype=np.float32)
    cepstra = features.columns(f"c0-{config.features.num_cepstra - 1}")
    weights[cepstra] = np.minimum(config.smoothing * np.arange(len(cepstra)), config.max_smoothing)
    return weights


def smooth(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mix `weights` (dim,) of each neighbour into the frames of `features` (T, dim); the ends repeat."""
    padded = np.pad(features, ((1, 1), (0, 0)), mode="edge")
    return features + weights * (padded[:-2] + padded[2:] - 2 * features)


def widen(
    vectors: np.ndarray, features: WorldFeatures, config: FitConfig, rng: np.random.Generator
) -> np.ndarray:
    """Spread `vectors` (N, dim) over what the training set may lack, so that other recordings find codewords.

    Half of the frames get energy above `split`, as a wide-band recording has; the gain becomes any between
    two levels.
    """
    vectors = vectors.astype(np.float64)
    count = len(vectors)
    high = features.columns("high")
    lifted = rng.random((count, 1)) < LIFTED_SHARE
    vectors[:, high] += config.high_lift * np.where(lifted, rng.random((count, 1)), 0.0)
    vectors[:, high] += config.high_lift * LIFT_RIPPLE * rng.standard_normal((count, len(high)))
    levels = np.array([config.lowest_level, config.highest_level]) - features.config.level
    lowest, highest = np.log(10.0) / 20 * levels
    vectors[:, features.gain_column] = rng.uniform(lowest, highest, count)
    return vectors.astype(np.float32)
