"""The codec that needs no download: WORLD features and a residual quantiser fitted on the training set."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from espnet2_valle.codec.abs_codec import AbsCodec, CodecSource, FileMap
from espnet2_valle.codec.arrays import NO_ARRAYS
from espnet2_valle.codec.latent import LatentCodewords
from espnet2_valle.codec.quantizer import ResidualQuantizer
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.codec.world_config import WorldConfig
from espnet2_valle.codec.world_features import WorldFeatures
from espnet2_valle.codec.world_fit import affordable_size, analyse_file, build_features, enough_wavs, widen
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_path

if TYPE_CHECKING:
    from espnet2_valle.codec.world_context import ContextNetwork

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
        context: the network behind the first codebook, where that is learnt (option `context`); its stage of
            the quantizer is empty then, and the others code what it leaves.
    """

    left_context = 0.1
    right_context = 0.06

    def __init__(
        self,
        options: Mapping[str, Any],
        quantizer: ResidualQuantizer,
        where: str | Path = "world codec",
        context: "ContextNetwork | None" = None,
    ):
        config = WorldConfig.from_dict(options, where)
        self.options = dict(options)
        self.features = build_features(config)
        self.quantizer = quantizer
        self.context = context
        if context is not None:
            self.left_context += context.config.reach / config.frame_rate
            self.right_context += context.config.reach / config.frame_rate
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
        frames = max(config.fit.max_frames, config.context.max_frames if config.context else 0)
        wavs = enough_wavs(wavs, frames / config.frame_rate, config.fit.seed)
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
        utterances = list(features)
        vectors = np.concatenate(utterances)
        size = affordable_size(len(vectors), config, where)
        if size < config.codebook_size:
            options = shrink(options, config, size)
            config = WorldConfig.from_dict(options, where)
        context = fit_context(config, extractor, utterances, scales[0]) if config.context else None
        rng = np.random.default_rng(config.fit.seed)
        chosen = np.sort(rng.permutation(len(vectors))[: config.fit.max_frames])
        vectors = vectors[chosen]
        weights = np.where(extractor.holds_speech(vectors), 1.0, config.fit.silence_weight)
        jitter = np.where(extractor.is_shape, config.fit.cepstrum_jitter, 0.0)
        widened = widen(vectors, extractor, config.fit, rng)
        if context is not None:
            told = [
                tell(context, context.encode(framed(one, extractor)), own(one, extractor), extractor)
                for one in utterances
            ]
            said = np.concatenate(told)[chosen]
            vectors, widened = vectors - said, widened - said
        quantizer = ResidualQuantizer.fit(
            vectors,
            widened,
            jitter,
            weights,
            scales,
            config.codebook_size,
            config.fit.iterations,
            config.fit.seed,
            first=0 if context is None else 1,
        )
        return cls(options, quantizer, where, context)

    def encode(self, wav: np.ndarray) -> np.ndarray:
        """Encode `wav` (S,) to codes (T, Q) int16, T = ceil(S / hop)."""
        features = self.features.analyse(self.check_wav(wav))
        if self.context is None:
            return self.quantizer.encode(features)
        first = self.context.encode(framed(features, self.features))
        # The codes of the voice lie behind the first and do not look at frames: they are known before it.
        voice = self._voice(self.quantizer.decode(self.quantizer.encode(features)), self.num_codebooks)
        codes = self.quantizer.encode(features - tell(self.context, first, voice, self.features))
        codes[:, 0] = first
        return codes

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Decode `codes` (T, q), q <= Q, to (T * hop,) float32; stages left out count as their mean.

        Where the original was loud the samples may pass 1.
        """
        return self.decode_latent(self.latent(codes))

    def latent(self, codes: np.ndarray) -> np.ndarray:
        """See `AbsCodec.latent`: the features, see `decode_features`."""
        codes = self.check_codes(codes)
        return self.decode_features(codes) if len(codes) else np.zeros((0, self.features.dim), np.float32)

    def decode_latent(self, latent: np.ndarray) -> np.ndarray:
        """See `AbsCodec.decode_latent`."""
        latent = self.check_latent(latent, self.features.dim)
        return self.features.synthesise(latent) if len(latent) else np.zeros(0, dtype=np.float32)

    def with_pitch(self, latent: np.ndarray, log_f0: np.ndarray) -> np.ndarray:
        """See `AbsCodec.with_pitch`: F0 is one of the features."""
        return self.features.with_pitch(self.check_latent(latent, self.features.dim), log_f0)

    def latent_codewords(self) -> LatentCodewords | None:
        """See `AbsCodec.latent_codewords`: before latents are smoothed; None with a learnt codebook."""
        return None if self.context else LatentCodewords(self.quantizer.codebooks, self.quantizer.scales)

    def decode_features(self, codes: np.ndarray, voice: np.ndarray | None = None) -> np.ndarray:
        """Features (T, dim) of `codes` (T, q), the cepstra smoothed over three frames.

        Which codeword is nearest jumps about from frame to frame where the spectrum barely moves; that is
        heard as roughness. The higher a cepstrum the more of its movement is that noise. A learnt first
        codebook speaks in the `voice` (V,), by default that of the codes, and is smooth by itself.
        """
        decoded = self.quantizer.decode(codes)
        features = smooth(decoded, self.neighbours)
        if self.context is None:
            return features
        if voice is None:
            voice = self._voice(decoded, codes.shape[1])
        features = features + tell(self.context, codes[:, 0], voice, self.features)
        if codes.shape[1] <= self.spec.utterance_codebooks:
            features[:, self.features.voice_columns] = voice
        return features

    def _voice(self, decoded: np.ndarray, codebooks: int) -> np.ndarray:
        """The voice (V,) of so many decoded stages (T, dim); the mean one where some of it are missing."""
        assert self.context is not None
        if codebooks <= self.spec.utterance_codebooks:
            return self.context.voice_mean.numpy()
        return own(decoded, self.features)

    def decode_part(self, codes: np.ndarray, utterance: np.ndarray) -> np.ndarray:
        """See `AbsCodec.decode_part`; gain and voice are those of `utterance`."""
        codes = self.check_codes(codes)
        if len(codes) == 0:
            return np.zeros(0, dtype=np.float32)
        utterance = self.check_codes(utterance)
        whole = self.quantizer.decode(utterance)
        voice = None if self.context is None else self._voice(whole, utterance.shape[1])
        features = self.decode_features(codes, voice)
        gain = self.features.gain_column
        features[:, gain] = whole[:, gain].mean()
        features[:, self.features.voice_columns] = own(whole, self.features)
        return self.features.synthesise(features)

    def codewords(self) -> list[np.ndarray]:
        """See `AbsCodec.codewords`: the dimensions that each stage looks at, weighted as it weights them."""
        points = [self.quantizer.codewords(stage) for stage in range(self.num_codebooks)]
        return points if self.context is None else [self.context.codewords(), *points[1:]]

    def save(self, path: str | Path) -> None:
        """Write codebooks and configuration to `path` (.npz), the same bytes for the same codec."""
        arrays = {
            "codebooks": self.quantizer.codebooks,
            "scales": self.quantizer.scales,
            "options": np.array(json.dumps(self.options, sort_keys=True)),
            **(self.context.arrays() if self.context else {}),
        }
        with atomic_path(path) as temporary:
            np.savez(temporary, allow_pickle=False, **arrays)

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
                quantizer = ResidualQuantizer(stored["codebooks"], stored["scales"])
                context = open_context(WorldConfig.from_dict(options, model), stored)
        except (*NO_ARRAYS, RuntimeError) as error:
            raise InputError(model, f"not a world codec ({error})", "Fit it again (stage 4)") from error
        return cls(options, quantizer, model, context)


def framed(features: np.ndarray, extractor: WorldFeatures) -> np.ndarray:
    """Take what differs from frame to frame of `features` (T, dim): (T, D), which come first."""
    return features[:, : extractor.gain_column]


def own(features: np.ndarray, extractor: WorldFeatures) -> np.ndarray:
    """Take what the voice of `features` (T, dim) has of its own, (V,)."""
    return np.median(features[:, extractor.voice_columns], axis=0)


def tell(
    context: "ContextNetwork", codes: np.ndarray, voice: np.ndarray, extractor: WorldFeatures
) -> np.ndarray:
    """Features (T, dim) that a learnt first codebook's `codes` (T,) tell in the voice (V,)."""
    told = np.zeros((len(codes), extractor.dim), dtype=np.float32)
    told[:, : extractor.gain_column] = context.decode(codes, voice)
    return told


def shrink(options: Mapping[str, Any], config: WorldConfig, size: int) -> dict[str, Any]:
    """The options with codebooks of `size` codewords, or fewer where a learnt first one has no such size."""
    if config.context is None:
        return {**options, "codebook_size": size}
    context = config.context.within(size)
    return {**options, "codebook_size": context.size, "context": asdict(context)}


def fit_context(
    config: WorldConfig, extractor: WorldFeatures, utterances: Sequence[np.ndarray], weights: np.ndarray
) -> "ContextNetwork":
    """Train the network behind a learnt first codebook on features (T, dim) of utterances.

    Args:
        config: of the codec.
        extractor: of the features.
        utterances: of the training set.
        weights: (dim,) of the features, as the first stage gives them.
    """
    from espnet2_valle.codec.world_context import train_context

    assert config.context is not None
    speech = [np.where(extractor.holds_speech(one), 1.0, config.fit.silence_weight) for one in utterances]
    return train_context(
        config.context,
        [framed(one, extractor) for one in utterances],
        [own(one, extractor) for one in utterances],
        framed(weights[None], extractor)[0],
        speech,
        config.fit.seed,
    )


def open_context(config: WorldConfig, stored: Mapping[str, np.ndarray]) -> "ContextNetwork | None":
    """The network behind the first codebook, from the arrays of codec.npz; None where there is none.

    Raises:
        KeyError, RuntimeError: arrays are missing, or of another size.
    """
    if config.context is None:
        return None
    from espnet2_valle.codec.world_context import ContextNetwork

    extractor = build_features(config)
    network = ContextNetwork(config.context, extractor.gain_column, len(extractor.voice_columns))
    return network.take(stored)


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
