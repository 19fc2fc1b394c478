"""The codec that needs no download: WORLD features and a residual quantiser fitted on the training set."""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from espnet2_valle.codec.abs_codec import AbsCodec, CodecSource, FileMap
from espnet2_valle.codec.quantizer import ResidualQuantizer
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.codec.world_config import WorldConfig
from espnet2_valle.codec.world_features import WorldFeatures
from espnet2_valle.codec.world_fit import affordable_size, analyse_file, build_features, enough_wavs, widen
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_path

MODEL = "codec.npz"


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


def count_utterance_stages(stages: Sequence[Mapping[str, Any]], features: WorldFeatures) -> int:
    """Number of stages behind the first that code nothing but what an utterance has as a whole."""
    whole = {*features.voice_columns, features.gain_column}
    for number, stage in enumerate(stages[1:]):
        if not all(whole.issuperset(features.columns(key)) for key in stage):
            return number
    return len(stages) - 1


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
            utterance_codebooks=count_utterance_stages(config.stages, self.features),
        )
        expected = (self.num_codebooks, self.codebook_size, self.features.dim)
        if quantizer.codebooks.shape != expected:
            raise InputError(
                where,
                f"codebooks of shape {quantizer.codebooks.shape}, not {expected}",
                "Fit it again (stage 4)",
            )

    @classmethod
    def prepare(cls, given: CodecSource) -> tuple[str | None, dict[str, Any]]:
        """See `AbsCodec.prepare`: fit a codec on the recordings and write it to `folder`.

        Raises:
            InputError: a model is given, no configuration or recordings are, or see `fit`.
        """
        if given.model is not None:
            raise InputError(
                "--codec_model",
                f"'{given.model}' is for a trained codec, and world is fitted on the training set",
                "Leave it out, or choose --codec encodec or --codec espnet",
            )
        if given.where is None or given.wavs is None:
            raise InputError("codec_fit", "a world codec is fitted", "Give --config and --wav_scp")
        cls.fit_files(given.options, given.where, given.wavs, given.run).save(given.folder / MODEL)
        return MODEL, {}

    @classmethod
    def fit_files(
        cls, options: Mapping[str, Any], where: str, wavs: Sequence[str], run: FileMap = map
    ) -> "WorldCodec":
        """Fit codebooks on as many of the sound files `wavs` as hold the frames that the fit wants.

        Raises:
            InputError: see `fit`, or a sound file that cannot be read.
        """
        config = WorldConfig.from_dict(options, where)
        stage_scales(config.stages, build_features(config), where)  # a mistake is told before the long work
        wavs = enough_wavs(wavs, config.fit.max_frames / config.frame_rate, config.fit.seed)
        return cls.fit(options, run(partial(analyse_file, config), wavs), where)

    @classmethod
    def fit(
        cls, options: Mapping[str, Any], features: Iterable[np.ndarray], where: str | Path = "world codec"
    ) -> "WorldCodec":
        """Fit codebooks on the features (T, dim) of the training utterances.

        Of fewer frames than codewords, as few recordings give, the codec gets fewer codewords.

        Raises:
            InputError: too few frames for any codebook, or a configuration at fault.
        """
        config = WorldConfig.from_dict(options, where)
        extractor = build_features(config)
        scales = stage_scales(config.stages, extractor, where)
        vectors = np.concatenate(list(features))
        size = affordable_size(len(vectors), config, where)
        if size < config.codebook_size:
            options = {**options, "codebook_size": size}
            config = WorldConfig.from_dict(options, where)
        rng = np.random.default_rng(config.fit.seed)
        chosen = np.sort(rng.permutation(len(vectors))[: config.fit.max_frames])
        vectors = vectors[chosen]
        weights = np.where(extractor.holds_speech(vectors), 1.0, config.fit.silence_weight)
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
        """See `AbsCodec.decode_part`; gain and voice are those of `utterance`."""
        codes = self.check_codes(codes)
        if len(codes) == 0:
            return np.zeros(0, dtype=np.float32)
        features = self.decode_features(codes)
        whole = self.quantizer.decode(self.check_codes(utterance))
        gain, voice = self.features.gain_column, self.features.voice_columns
        features[:, gain] = whole[:, gain].mean()
        features[:, voice] = np.median(whole[:, voice], axis=0)
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
    def load(cls, model: str | Path) -> "WorldCodec":
        """Read what `save` wrote to `model`.

        Raises:
            InputError: missing file or not a world codec.
        """
        if not Path(model).is_file():
            raise InputError(model, "no such codec", "Fit it first (stage 4)")
        try:
            with np.load(model, allow_pickle=False) as stored:
                options = json.loads(str(stored["options"]))
                codebooks, scales = stored["codebooks"], stored["scales"]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error, MemoryError) as error:
            raise InputError(model, f"not a world codec ({error})", "Fit it again (stage 4)") from error
        return cls(options, ResidualQuantizer(codebooks, scales), model)


def neighbour_weights(features: WorldFeatures, config: WorldConfig) -> np.ndarray:
    """Weight of each neighbour in a decoded dimension, (dim,): `smoothing` times the index of a cepstrum."""
    weights = np.zeros(features.dim, dtype=np.float32)
    cepstra = features.columns(f"c0-{config.features.num_cepstra - 1}")
    weights[cepstra] = np.minimum(config.smoothing * np.arange(len(cepstra)), config.max_smoothing)
    return weights


def smooth(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mix `weights` (dim,) of each neighbour into the frames of `features` (T, dim); the ends repeat."""
    padded = np.pad(features, ((1, 1), (0, 0)), mode="edge")
    return features + weights * (padded[:-2] + padded[2:] - 2 * features)
