"""One utterance's sound file -> mono 16-bit FLAC at the codec's rate, checked."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from espnet2_valle.common.audio import Span, read_audio, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.walk import existing
from espnet2_valle.data.datadir import DataDir, write_scp
from espnet2_valle.data.made_from import MadeFrom, sound_state
from espnet2_valle.data.pairs import PAIR_LISTS, read_pairs, write_pairs
from espnet2_valle.data.setaside import MAX_BAD, SetAside
from espnet2_valle.jobs.pool import parallel_map, use_cluster

SILENCE = 1e-4  # a recording whose loudest sample is below this (-80 dBFS) has nothing in it


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
    """

    utterance: str
    num_samples: int
    channels: int = 0
    rate: int = 0
    error: InputError | None = None


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
        wav, _ = read_audio(source, sample_rate, span)
        if np.abs(wav).max() < SILENCE:
            raise InputError(source, "the sound file is silent", "Record it again or remove the utterance")
    except InputError as error:
        target.unlink(missing_ok=True)
        return Formatted(utterance, 0, error=error)
    write_audio(target, wav, sample_rate)
    info = soundfile.info(existing(source))
    return Formatted(utterance, len(wav), info.channels, info.samplerate)


def format_set(
    data_dir: str,
    output_dir: str,
    fs: int,
    min_duration: float = 0.3,
    max_duration: float = 20.0,
    max_bad: float = MAX_BAD,
    nj: int = 1,
    cluster: str | None = None,
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

    Raises:
        InputError: too many recordings are bad, or none is left.
    """
    data, output = DataDir.load(data_dir), Path(output_dir).absolute()
    with use_cluster(cluster):
        good = format_all(data, output, fs, max_bad, nj)
    kept = within_duration(good, fs, min_duration, max_duration, data.path)
    wavs = {u: str(output / "wav" / f"{u}.flac") for u in kept}
    formatted = replace(data.subset(kept, output), wavs=wavs, spans={})
    for name in PAIR_LISTS:
        keep_pairs(data.path / name, output / name, set(kept))
    write_scp(output / "utt2num_samples", kept)
    formatted.write()
    hours = sum(kept.values()) / fs / 3600
    logging.info(
        "%s: %d of %d utterances kept, %.2f h at %d Hz", output, len(kept), len(data.wavs), hours, fs
    )


def format_all(data: DataDir, output_dir: Path, fs: int, max_bad: float, nj: int) -> dict[str, int]:
    """Format every utterance that is not done; the bad ones, and those at which workers died, are set aside.

    Args:
        data: the recordings.
        output_dir: gets wav/.
        fs: rate in Hz.
        max_bad: share of the recordings that may be unusable.
        nj: workers.

    Returns:
        Samples of each good utterance.

    Raises:
        InputError: more than that share of them are bad.
    """
    sources = {utt: Source(utt, wav, data.spans.get(utt)) for utt, wav in data.wavs.items()}
    states = {utt: sound_state(source.wav, source.span, fs) for utt, source in sources.items()}
    work = partial(format_utterance, output_dir=output_dir / "wav", sample_rate=fs)
    aside = SetAside(len(sources), max_bad, str(data.path))
    results = []
    with MadeFrom(output_dir, states) as made:
        pending = [source for utt, source in sources.items() if utt not in made.samples]
        done = parallel_map(work, pending, nj, f"format {data.path.name}", keep_errors=True)
        for source, result in zip(pending, done):
            if isinstance(result, InputError):
                result = Formatted(source.utterance, 0, error=result)
            if result.error:
                aside.extend({source.utterance: result.error})
            else:
                made.add(source.utterance, result.num_samples)
            results.append(result)
    aside.report(output_dir)
    log_sources(data.path, results, fs)
    return {utt: made.samples[utt] for utt in sources if utt in made.samples}


def log_sources(path: Path, results: Iterable[Formatted], fs: int) -> None:
    """Tell of sound files that were mixed down or resampled."""
    stereo = [r.utterance for r in results if r.channels > 1]
    if stereo:
        logging.warning(
            "%s: %d files have several channels and were mixed down, the first '%s'",
            path,
            len(stereo),
            stereo[0],
        )
    for rate, count in sorted(Counter(r.rate for r in results if r.rate not in (0, fs)).items()):
        logging.info("%s: %d files resampled from %d to %d Hz", path, count, rate, fs)


def within_duration(
    samples: dict[str, int], fs: int, min_duration: float, max_duration: float, path: Path
) -> dict[str, int]:
    """Utterances of an allowed length; the others are counted in the log.

    Raises:
        InputError: none is left.
    """
    short = [u for u, n in samples.items() if n < min_duration * fs]
    long = [u for u, n in samples.items() if n > max_duration * fs]
    for dropped, what, limit in ((short, "shorter", min_duration), (long, "longer", max_duration)):
        if dropped:
            logging.warning(
                "%s: %d utterances %s than %g s dropped, the first '%s'",
                path,
                len(dropped),
                what,
                limit,
                dropped[0],
            )
    kept = {u: n for u, n in samples.items() if u not in set(short) | set(long)}
    if not kept:
        raise InputError(
            path,
            f"no utterance lasts {min_duration:g} to {max_duration:g} s",
            "Change --min_duration or --max_duration",
        )
    return kept


def keep_pairs(source: Path, target: Path, kept: set[str]) -> None:
    """Copy a test set's list of pairs without those whose utterances were dropped.

    Raises:
        InputError: none is left.
    """
    if not source.is_file():
        return
    pairs = read_pairs(source)
    usable = [p for p in pairs if {p.prompt_utt, p.target_utt, p.other_utt} <= kept | {"-"}]
    if not usable:
        raise InputError(
            source, "every pair has an utterance that was dropped", "Change the limits, or stage 1's prompts"
        )
    if len(usable) < len(pairs):
        logging.warning(
            "%s: %d of %d pairs left, the others had a dropped utterance", target, len(usable), len(pairs)
        )
    write_pairs(target, usable)
