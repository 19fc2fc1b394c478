"""One utterance's sound file -> mono 16-bit FLAC at the codec's rate, checked."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import tee
from pathlib import Path
from typing import NamedTuple

import numpy as np

from espnet2_valle.common.audio import Span, mix_down_checked, read_channels, resample, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.data.made_from import MadeFrom, sound_state
from espnet2_valle.data.pairs import PAIR_LISTS, read_pairs, write_pairs
from espnet2_valle.data.setaside import MAX_BAD, SetAside
from espnet2_valle.data.tables import matched
from espnet2_valle.data.utterances import DataReader, Utterance, write_utterances
from espnet2_valle.jobs.pool import parallel_map, use_cluster

SILENCE = 1e-4  # a recording that nowhere leaves its mean by more than this (-80 dBFS) has nothing in it
LOUDEST = 2.0  # floating-point files may pass 1 a little, where they are clipped


class Source(NamedTuple):
    """An utterance, its sound file, and the part of it that is the utterance (None: all)."""

    utterance: str
    wav: str
    span: Span | None = None


@dataclass(frozen=True)
class Formatted:
    """Outcome of one utterance.

    Attributes:
        utterance: its id.
        num_samples: at the target rate; 0 when it could not be used.
        channels: of the source file; 0 when it could not be used.
        rate: of the source file in Hz; 0 when it could not be used.
        error: why it could not be used.
        cancelled: its loudest channel was taken, see `audio.cancelled_channel`.
    """

    utterance: str
    num_samples: int
    channels: int = 0
    rate: int = 0
    error: InputError | None = None
    cancelled: bool = False


Work = Callable[[Source], Formatted]


def format_utterance(job: Source, output_dir: str | Path, sample_rate: int) -> Formatted:
    """Write `output_dir`/<utterance>.flac; a source that cannot be used leaves none.

    Args:
        job: the utterance.
        output_dir: where the FLAC goes.
        sample_rate: its rate in Hz.
    """
    utterance, source, span = job
    target = Path(output_dir) / f"{utterance}.flac"
    try:
        channels, rate = read_channels(source, span)
        mono, cancelled = mix_down_checked(channels)
        wav = resample(mono, rate, sample_rate)
        check_level(source, channels)
    except InputError as error:
        target.unlink(missing_ok=True)
        return Formatted(utterance, 0, error=error)
    write_audio(target, wav, sample_rate)
    return Formatted(utterance, len(wav), channels.shape[1], rate, cancelled=cancelled)


def check_level(source: str, channels: np.ndarray) -> None:
    """Raise InputError if samples (S, C) are a constant, or of another scale than -1 to 1."""
    peak = float(np.abs(channels).max())
    if float(np.abs(channels - channels.mean(axis=0)).max()) < SILENCE:
        raise InputError(source, "the sound file is silent", "Record it again or remove the utterance")
    if peak > LOUDEST:
        problem = f"has samples up to {peak:.4g} in place of 1"
        raise InputError(source, problem, "Export it again, between -1 and 1")


def format_set(
    data_dir: str,
    output_dir: str,
    fs: int,
    min_duration: float = 0.3,
    max_duration: float = 20.0,
    max_bad: float = MAX_BAD,
    nj: int = 1,
    cluster: str | None = None,
    work: Work | None = None,
) -> None:
    """Write a data directory of mono 16-bit FLAC at one rate, with utt2num_samples. Goes on where it was.

    Args:
        data_dir: the recordings.
        output_dir: where FLACs and data directory go.
        fs: rate in Hz.
        min_duration: seconds; shorter utterances are dropped, and pairs with them.
        max_duration: seconds; longer utterances are dropped, and pairs with them.
        max_bad: share of the recordings that may be unusable.
        nj: workers.
        cluster: where they are, see `jobs.config.ClusterConfig`.
        work: formats an utterance; None: `format_utterance`.

    Raises:
        InputError: too many recordings are bad, or none is left.
    """
    data, output = DataReader(data_dir), Path(output_dir).absolute()
    with use_cluster(cluster):
        good = format_all(data, output, fs, max_bad, nj, work)
    limits = DurationLimits(fs, min_duration, max_duration)
    limits.report(good.samples(), data.path)
    for name in PAIR_LISTS:
        keep_pairs(data.path / name, output / name, (u for u, n in good.samples() if limits.allow(n)))

    wavs = output / "wav"

    def kept() -> Iterator[Utterance]:
        for one, rows in matched(data, good.samples()):
            for utterance, samples in rows:
                if limits.allow(samples):
                    lengths.write(f"{utterance} {samples}\n")
                    yield one._replace(wav=f"{wavs}/{utterance}.flac", span=None)

    with atomic_open(output / "utt2num_samples") as lengths:
        write_utterances(output, kept())
    hours = limits.kept_samples / fs / 3600
    logging.info("%s: %d of %d utterances kept, %.2f h at %d Hz", output, limits.kept, len(data), hours, fs)


def format_all(
    data: DataReader, output_dir: Path, fs: int, max_bad: float, nj: int, work: Work | None = None
) -> MadeFrom[Source]:
    """Format every utterance that is not done; the bad ones, and those at which workers died, are set aside.

    Args:
        data: the recordings.
        output_dir: gets wav/.
        fs: rate in Hz.
        max_bad: share of the recordings that may be unusable.
        nj: workers.
        work: formats an utterance; None: `format_utterance`.

    Returns:
        the good utterances.

    Raises:
        InputError: more than that share of them are bad.
    """
    work = work or partial(format_utterance, output_dir=output_dir / "wav", sample_rate=fs)
    aside = SetAside(len(data), max_bad, str(data.path))
    sources = SourceCounter()
    with MadeFrom(output_dir, _Sources(data), lambda job: sound_state(job.wav, job.span, fs)) as made:
        pending, told = tee(made.missing())
        done = parallel_map(
            work,
            (source for _, _, source in pending),
            nj,
            f"format {data.path.name}",
            keep_errors=True,
            total=made.num_missing,
        )
        for (utterance, state, _), result in zip(told, done):
            if isinstance(result, InputError):
                result = Formatted(utterance, 0, error=result)
            if result.error:
                aside.extend({utterance: result.error})
            else:
                made.add(utterance, state, result.num_samples)
            sources.count(result)
    aside.report(output_dir)
    sources.report(data.path, fs)
    return made


class _Sources:
    """The sources of a data directory by utterance, as often as they are asked for."""

    def __init__(self, data: DataReader):
        self.data = data

    def __iter__(self) -> Iterator[tuple[str, Source]]:
        return ((one.utterance, Source(one.utterance, one.wav, one.span)) for one in self.data)


class SourceCounter:
    """Counter of sound files that were mixed down or resampled."""

    def __init__(self) -> None:
        self.stereo = self.cancelled = 0
        self.first_stereo = self.first_cancelled = ""
        self.rates: Counter[int] = Counter()

    def count(self, result: Formatted) -> None:
        """Count one."""
        if result.channels > 1:
            self.first_stereo = self.first_stereo or result.utterance
            self.stereo += 1
        if result.cancelled:
            self.first_cancelled = self.first_cancelled or result.utterance
            self.cancelled += 1
        self.rates[result.rate] += 1

    def report(self, path: Path, fs: int) -> None:
        """Tell of them; `path` is of the set."""
        if self.stereo:
            logging.warning(
                "%s: %d files have several channels and were mixed down, the first '%s'",
                *(path, self.stereo, self.first_stereo),
            )
        if self.cancelled:
            logging.warning(
                "%s: of %d files the mean of the channels loses the sound (they cancel each other, or one is "
                "silent); their loudest channel was taken, the first '%s'",
                *(path, self.cancelled, self.first_cancelled),
            )
        for rate, count in sorted(self.rates.items()):
            if rate not in (0, fs):
                logging.info("%s: %d files resampled from %d to %d Hz", path, count, rate, fs)


class DurationLimits:
    """Lengths of utterances that are kept.

    Args:
        fs: rate in Hz.
        shortest, longest: seconds.

    Attributes:
        kept: utterances of an allowed length, as reported.
        kept_samples: of them.
    """

    def __init__(self, fs: int, shortest: float, longest: float):
        self.fs = fs
        self.shortest = shortest
        self.longest = longest
        self.kept = self.kept_samples = 0

    def allow(self, samples: int) -> bool:
        """Tell whether an utterance of so many samples is kept."""
        return self.shortest * self.fs <= samples <= self.longest * self.fs

    def report(self, lengths: Iterable[tuple[str, int]], path: Path) -> None:
        """Count utterances; tell of those that are not kept.

        Args:
            lengths: samples of each utterance.
            path: the set.

        Raises:
            InputError: none is left.
        """
        dropped: Counter[str] = Counter()
        first: dict[str, str] = {}
        for utterance, samples in lengths:
            if self.allow(samples):
                self.kept += 1
                self.kept_samples += samples
            else:
                what = "shorter" if samples < self.shortest * self.fs else "longer"
                dropped[what] += 1
                first.setdefault(what, utterance)
        for what, limit in (("shorter", self.shortest), ("longer", self.longest)):
            if dropped[what]:
                logging.warning(
                    "%s: %d utterances %s than %g s dropped, the first '%s'",
                    *(path, dropped[what], what, limit, first[what]),
                )
        if not self.kept:
            raise InputError(
                path,
                f"no utterance lasts {self.shortest:g} to {self.longest:g} s",
                "Change --min_duration or --max_duration",
            )


def keep_pairs(source: Path, target: Path, kept: Iterable[str]) -> None:
    """Copy a test set's list of pairs without those whose utterances were dropped.

    Raises:
        InputError: none is left.
    """
    if not source.is_file():
        return
    pairs = read_pairs(source)
    named = {utterance for pair in pairs for utterance in pair.utterances}
    left = named.intersection(kept)
    usable = [pair for pair in pairs if pair.utterances <= left]
    if not usable:
        raise InputError(
            source, "every pair has an utterance that was dropped", "Change the limits, or stage 1's prompts"
        )
    if len(usable) < len(pairs):
        logging.warning(
            "%s: %d of %d pairs left, the others had a dropped utterance", target, len(usable), len(pairs)
        )
    write_pairs(target, usable)
