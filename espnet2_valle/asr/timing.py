"""Token and pitch of each frame of a set, by many workers.

An array (T, 2) float32 an utterance: F0 in Hz, 0 where unvoiced, and the place of the frame's token in the
text with an edge before and behind it. Durations are counts of places, so their sum is the number of frames.
"""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from espnet2_valle.asr.ctc_alignment import open_phone_times
from espnet2_valle.asr.gaussians import Timed, TokenGaussians
from espnet2_valle.asr.spans import ends_of, even_ends, least_frames, whole_frames
from espnet2_valle.asr.textgrid import SUFFIX, sound_spans
from espnet2_valle.codec.arrays import NO_ARRAYS
from espnet2_valle.codec.build import open_codec
from espnet2_valle.codec.latent import LatentStatistics
from espnet2_valle.codec.world_config import FeatureConfig
from espnet2_valle.codec.world_features import WorldFeatures
from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.errors import InputError, work_errors
from espnet2_valle.common.fileio import atomic_path
from espnet2_valle.common.resume import digest
from espnet2_valle.common.seeds import shuffled
from espnet2_valle.data.arks import Made, ShardedArks, Source
from espnet2_valle.data.code_files import SHARD_SIZES, codec_state
from espnet2_valle.data.codes import INDEX, CodeReader
from espnet2_valle.data.setaside import MAX_BAD, SetAside
from espnet2_valle.data.tables import Subset, Table
from espnet2_valle.jobs.pool import parallel_map, use_cluster
from espnet2_valle.text.roles import EDGE, Role, roles
from espnet2_valle.text.tokens import TokenIDs

NAME = "timing"
FIT_FRAMES = 100_000  # drawn from the training set
ROUNDS = 10  # of aligning anew
QUIET = 30.0  # dB below the loud parts of a recording, from where on its ends are taken for silence
SILENT = 1e-10  # power that is taken for none
LOUD = 95  # percentile of the levels that stands for the loud parts
SEED = 0
REMEDY = "Run stage 4 again"


@dataclass(frozen=True)
class TimingFiles:
    """Files of a set whose frames are timed; hashable: what a worker opens once.

    Attributes:
        codec_config: codec.yaml.
        codes_dir: codes.scp.
        wav_scp, token_int: sound files and token ids by utterance.
        token_list: all tokens, one a line.
        textgrids: folder of TextGrids by utterance; None: durations are found here.
    """

    codec_config: str
    codes_dir: str
    wav_scp: str
    token_int: str
    token_list: str
    textgrids: str | None = None


class Aligner:
    """All that is learnt of a training set to align by, and to normalise latents by.

    Args:
        statistics: of its latents.
        tokens: Gaussians of its tokens.
    """

    def __init__(self, statistics: LatentStatistics, tokens: TokenGaussians):
        self.statistics = statistics
        self.tokens = tokens

    def save(self, path: str | Path) -> None:
        """Write to `path` (.npz)."""
        arrays = {
            "latent_mean": self.statistics.mean,
            "latent_std": self.statistics.std,
            **{f"token_{name}": array for name, array in self.tokens.arrays().items()},
        }
        with atomic_path(path) as temporary:
            np.savez(temporary, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Aligner":
        """Read what `save` wrote.

        Raises:
            InputError: missing file, or another one.
        """
        if not Path(path).is_file():
            raise InputError(path, "no such aligner", REMEDY)
        try:
            with np.load(path, allow_pickle=False) as stored:
                statistics = LatentStatistics(stored["latent_mean"], stored["latent_std"])
                return cls(statistics, TokenGaussians(stored["token_mean"], stored["token_variance"]))
        except NO_ARRAYS as error:
            raise InputError(path, f"is no aligner ({error})", REMEDY) from error


class Utterances:
    """Tokens, codes and latents of a set by utterance."""

    def __init__(self, files: TimingFiles):
        self.files = files
        self.codec = open_codec(files.codec_config)
        self.codes = CodeReader(Path(files.codes_dir) / INDEX)
        self.texts = dict(Table(files.token_int))
        known = TokenIDs.load(files.token_list)
        self.tokens = known.tokens
        self.roles = roles(known.tokens)
        self.edge = known.tokens.index(EDGE)

    def ids(self, key: str) -> np.ndarray:
        """Token ids (S,) of an utterance, edges included."""
        return np.array([self.edge, *map(int, self.texts[key].split()), self.edge], dtype=np.int64)

    def evenly(self, key: str, wav: np.ndarray) -> Timed:
        """The utterance (S,) with durations that share its speech evenly.

        Raises:
            InputError: too few frames.
        """
        return self._timed(key, lambda own, frames: even_ends(own, *speech_span(wav, frames), frames))

    def guess(self, key: str, spans: np.ndarray, known: Sequence[int], margin: float) -> Timed:
        """The utterance with durations from spans (N, 2) of its sounds, in frames.

        Raises:
            InputError: too few frames.
        """

        def ends(own: np.ndarray, frames: int) -> np.ndarray:
            sounds = np.flatnonzero(own == Role.SOUND)
            return ends_of(spans, sounds[list(known)].tolist(), own, frames, margin)

        return self._timed(key, ends)

    def _timed(self, key: str, ends: Callable[[np.ndarray, int], np.ndarray]) -> Timed:
        """The utterance with durations by the ends (S,) that its roles and number of frames give."""
        ids, codes = self.ids(key), self.codes[key]
        own, frames = self.roles[ids], len(codes)
        durations = whole_frames(ends(own, frames), least_frames(own), frames, f"utterance {key}")
        return Timed(self.codec.latent(codes), ids, own, durations)

    def sounds(self, key: str) -> list[str]:
        """Tokens of an utterance that are sounds."""
        ids = self.ids(key)
        return [self.tokens[one] for one in ids[self.roles[ids] == Role.SOUND]]

    def from_textgrid(self, key: str) -> np.ndarray:
        """Durations (S,) by the utterance's TextGrid.

        Raises:
            InputError: see `sound_spans`.
        """
        path = Path(str(self.files.textgrids), f"{key}{SUFFIX}")
        spans = sound_spans(path, [self.tokens[one] for one in self.ids(key)]) * self.codec.frame_rate
        return self.guess(key, spans, range(len(spans)), 0.0).durations


@lru_cache(maxsize=1)
def open_utterances(files: TimingFiles) -> Utterances:
    """`Utterances`, once a process."""
    return Utterances(files)


@lru_cache(maxsize=1)
def open_aligner(path: str) -> Aligner:
    """`Aligner.load`, once a process."""
    return Aligner.load(path)


def fit_aligner(files: TimingFiles, path: str | Path, judge_dir: str | None = None, nj: int = 1) -> None:
    """Fit an aligner to a training set and write it to `path`.

    Args:
        files: of the training set.
        path: of the aligner.
        judge_dir: recogniser of phones that tells roughly when each is heard; None: the first guess shares
            each utterance evenly, which short utterances do with.
        nj: workers that listen with the recogniser.

    Raises:
        InputError: a file is missing, the codec tells no latents, or no utterance can be aligned.
    """
    utterances = open_utterances(files)
    keys = list(utterances.codes)
    drawn: list[str] = []
    frames = 0
    for place in shuffled(len(keys), random.Random(SEED)):
        if frames >= FIT_FRAMES:
            break
        drawn.append(keys[place])
        frames += len(utterances.codes[keys[place]])
    guesses = parallel_map(partial(_guess, files, judge_dir), drawn, nj, "first guess", keep_errors=True)
    timed = [one for one in guesses if isinstance(one, Timed)]
    if not timed:
        raise InputError(files.codes_dir, "no utterance can be aligned with its text", "Correct the texts")
    statistics = LatentStatistics.of(one.latent for one in timed)
    Aligner(statistics, TokenGaussians.fit(timed, len(utterances.tokens), ROUNDS)).save(path)
    logging.info(
        "%s: fitted on %d utterances, %d frames", path, len(timed), sum(len(o.latent) for o in timed)
    )


def _guess(files: TimingFiles, judge_dir: str | None, key: str) -> Timed:
    with work_errors():
        utterances = open_utterances(files)
    wav, rate = read_audio(_wavs(files.wav_scp)[key])
    if judge_dir is None:
        return utterances.evenly(key, wav)
    with work_errors():
        listener = open_phone_times(judge_dir)
    spans, known, step = listener(wav, rate, utterances.sounds(key), f"utterance {key}")
    per_second = utterances.codec.frame_rate
    return utterances.guess(key, spans * per_second, known, step * per_second)


def speech_span(wav: np.ndarray, frames: int) -> tuple[float, float]:
    """Frames between which a recording (S,) has speech: all but the silence at its ends."""
    edges = np.linspace(0, len(wav), frames + 1).round().astype(int)
    power = [float(np.mean(wav[low:high].astype(np.float64) ** 2)) for low, high in pairwise(edges)]
    level = 10 * np.log10(np.array(power) + SILENT)
    loud = np.flatnonzero(level >= np.percentile(level, LOUD) - QUIET)
    return float(loud[0]), float(loud[-1] + 1)


@lru_cache(maxsize=1)
def _wavs(wav_scp: str) -> dict[str, str]:
    return dict(Table(wav_scp))


def time_set(
    files: TimingFiles,
    aligner: str,
    output_dir: str,
    max_bad: float = MAX_BAD,
    nj: int = 1,
    cluster: str | None = None,
) -> None:
    """Write timing.scp, timing_shape and arks of a set. Goes on where it was.

    Args:
        files: of the set.
        aligner: what `fit_aligner` wrote.
        output_dir: where they go.
        max_bad: share of the utterances that may not fit their text.
        nj: workers.
        cluster: where they are, see `jobs.config.ClusterConfig`.

    Raises:
        InputError: a file is missing, or too many utterances are bad.
    """
    open_aligner(aligner), open_utterances(files)  # errors come now, once, and not from every worker
    sounds = Subset(Table(files.wav_scp), Table(Path(files.codes_dir) / INDEX))
    aside = SetAside(len(sounds), max_bad, files.wav_scp)
    depends_on = digest(
        [
            codec_state(files.codec_config),
            Path(aligner).read_bytes(),
            Path(files.token_int).read_bytes(),
            Path(files.token_list).read_bytes(),
            str(files.textgrids),
        ]
    )
    shards = ShardedArks(output_dir, NAME)
    work = partial(_time_batch, files, aligner)
    with use_cluster(cluster):
        shards.fill(sounds, depends_on, work, nj=nj, title="timing", shard_size=SHARD_SIZES[0], aside=aside)
    aside.report(output_dir)


def _time_batch(files: TimingFiles, aligner: str, batch: Sequence[Source]) -> Made:
    with work_errors():
        utterances, fitted = open_utterances(files), open_aligner(aligner)
    made: Made = {}
    for key, path in batch:
        try:
            made[key] = time_utterance(utterances, fitted, key, path)
        except InputError as error:
            made[key] = error
    return made


def time_utterance(utterances: Utterances, aligner: Aligner, key: str, path: str) -> np.ndarray:
    """F0 and place of the token of each frame, (T, 2) float32.

    Raises:
        InputError: the recording cannot be read, or does not fit its text.
    """
    codec = utterances.codec
    codes = utterances.codes[key]
    wav, _ = read_audio(path, codec.sample_rate)
    if utterances.files.textgrids:
        durations = utterances.from_textgrid(key)
    else:
        ids = utterances.ids(key)
        try:
            durations = aligner.tokens.align(codec.latent(codes), ids, utterances.roles[ids])
        except ValueError as error:
            raise InputError(f"utterance {key}", str(error), "Correct its text, or remove it") from error
    places = np.repeat(np.arange(len(durations)), durations)
    pitch = frame_pitch(wav, codec.sample_rate, codec.frame_rate, len(codes))
    return np.stack([pitch, places], axis=1).astype(np.float32)


def frame_pitch(wav: np.ndarray, rate: int, frame_rate: float, frames: int) -> np.ndarray:
    """F0 (T,) in Hz in the middle of each frame, 0 where unvoiced: candidates by autocorrelation, refined by
    WORLD's StoneMask.

    Args:
        wav: (S,) at `rate` Hz.
        rate: in Hz.
        frame_rate: frames a second.
        frames: T.
    """
    times = (np.arange(frames) + 0.5) / frame_rate
    needed = int(np.ceil(frames / frame_rate * rate))
    padded = np.pad(wav.astype(np.float64), (0, max(0, needed - len(wav))))
    config = FeatureConfig()
    found = WorldFeatures(rate, frame_rate, config).f0(padded, times)
    # StoneMask may leave the range that candidates were looked for in.
    return np.where(found > 0, np.clip(found, config.f0_floor, config.f0_ceil), 0.0)
