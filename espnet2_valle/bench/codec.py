"""Fit a world codec and measure it on held-out speakers and on recordings unlike those it was fitted on.

Measured are similarity to the original (Resemblyzer) and DNSMOS of WORLD without quantisation, of the codec,
of its first codebook alone, and of the codec when the input is 12 dB louder or weaker, and of other codecs
on the same recordings; and how far each system's DNSMOS is from that of WORLD on the same utterances, with a
95 % interval.
"""

import argparse
import csv
import random
import tempfile
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from espnet2_valle.bench.metric import Metric
from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.codec.build import load_codec
from espnet2_valle.codec.world import WorldCodec
from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.conf import find, read_config
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.evaluation.bootstrap import Metric as Interval
from espnet2_valle.evaluation.bootstrap import ratio_metric
from espnet2_valle.evaluation.mos import AbsQualityScorer, DNSMOSScorer
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder, ResemblyzerEncoder, similarity
from espnet2_valle.jobs.pool import parallel_map

SHIFTS = (12.0, -12.0)  # decibels
WORLD_PERIOD = 1000 / 75  # milliseconds: frames of unquantised WORLD, as many as EnCodec has
SYSTEMS = ("original", "WORLD", "WORLD, our frames", "codec", "codebook 1", "codec +12 dB", "codec -12 dB")
REFERENCE = "WORLD"  # with which the others are compared
Scores = dict[str, tuple[float, float]]


@lru_cache(maxsize=1)
def scorers() -> tuple[AbsSpeakerEncoder, AbsQualityScorer]:
    """The scorers, opened once a process."""
    return ResemblyzerEncoder(), DNSMOSScorer()


@lru_cache(maxsize=1)
def other_codecs(configs: Sequence[str]) -> dict[str, AbsCodec]:
    """Codecs of codec.yaml files by what tells them apart, opened once a process."""
    codecs = [load_codec(config) for config in configs]
    return {f"{codec.spec.name}, {codec.num_codebooks} x {codec.codebook_size}": codec for codec in codecs}


def world_resynthesis(wav: np.ndarray, rate: int) -> np.ndarray:
    """`wav` (S,) through WORLD as it comes, nothing coded: harvest, CheapTrick, D4C."""
    import pyworld

    samples = wav.astype(np.float64)
    f0, times = pyworld.harvest(samples, rate, frame_period=WORLD_PERIOD)
    envelope = pyworld.cheaptrick(samples, f0, times, rate)
    aperiodicity = pyworld.d4c(samples, f0, times, rate)
    return pyworld.synthesize(f0, envelope, aperiodicity, rate, WORLD_PERIOD).astype(np.float32)


def score_file(model: str, others: Sequence[str], seconds: float, path: str) -> Scores:
    """Similarity to the original and DNSMOS of every system for one sound file.

    A shift of level is taken back before scoring, since both scorers hear level.

    Args:
        model: a world codec (.npz).
        others: codec.yaml files of further codecs.
        seconds: of the sound file that are used.
        path: the sound file.
    """
    codec = WorldCodec.load(model)
    rate = codec.sample_rate
    wav = read_audio(path, rate)[0][: round(seconds * rate)]
    codes = codec.encode(wav)
    unshifted = {
        "original": wav,
        "WORLD": world_resynthesis(wav, rate),
        "WORLD, our frames": codec.features.synthesise(codec.features.analyse(wav)),
        "codec": codec.decode(codes),
        "codebook 1": at_level_of(wav, codec.decode(codes[:, :1])),
    }
    sounds = {name: (sound, rate) for name, sound in unshifted.items()}
    for shift in SHIFTS:
        gain = np.float32(10 ** (shift / 20))
        sounds[f"codec {shift:+.0f} dB"] = codec.decode(codec.encode(wav * gain)) / gain, rate
    for name, other in other_codecs(tuple(others)).items():
        own = read_audio(path, other.sample_rate)[0][: round(seconds * other.sample_rate)]
        sounds[name] = other.decode(other.encode(own)), other.sample_rate
    encoder, quality = scorers()
    voice = encoder.embed(wav, rate)
    return {
        name: (similarity(voice, encoder.embed(sound, hz)), quality.score(sound, hz))
        for name, (sound, hz) in sounds.items()
    }


def at_level_of(wav: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """`sound` as loud as `wav`: codebook 1 alone does not code the level."""
    power = float(np.mean(sound**2))
    return sound * np.float32(np.sqrt(np.mean(wav**2) / power)) if power else sound


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the recordings to fit on and to test on."""
    parser.add_argument("--config", default=str(find("codec/world.yaml")), help="of the world codec to fit")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--fit_wav_scp", help="utterances to fit on")
    source.add_argument(
        "--fit_dir", help="corpus folder to fit on; some of its speakers are held out and tested"
    )
    parser.add_argument("--hold_out", type=int, default=25, help="speakers of --fit_dir held out")
    parser.add_argument(
        "--test_dir", action="append", default=[], help="corpus folder to test on; may be repeated"
    )
    parser.add_argument("--num_utterances", type=int, default=25, help="tested of each corpus")
    parser.add_argument("--seconds", type=float, default=10.0, help="tested of each utterance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--codec_config",
        action="append",
        default=[],
        help="codec.yaml of another codec, measured beside it; may be repeated",
    )
    parser.add_argument("--model", help="write the fitted codec here (.npz), or use it if it is there")
    parser.add_argument("--nj", type=int, default=1, help="processes")


def read_voices(folder: str) -> list[tuple[str, str]]:
    """Speaker and sound file of each row of `folder`/metadata.csv; transcripts are not needed here.

    Raises:
        InputError: no metadata.csv, or a row without sound file.
    """
    metadata = Path(folder) / "metadata.csv"
    if not metadata.is_file():
        raise InputError(
            metadata, "no such file", "Give a folder with metadata.csv (id|speaker|text) and wav/"
        )
    sounds = {path.stem: str(path) for path in sorted((metadata.parent / "wav").iterdir())}
    voices = []
    with open(metadata, encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="|", quoting=csv.QUOTE_NONE):
            if row["id"] not in sounds:
                raise InputError(
                    metadata, f"{row['id']} has no sound file in wav/", "Add it or remove the row"
                )
            voices.append((row["speaker"], sounds[row["id"]]))
    return voices


def choose_sets(args: argparse.Namespace) -> tuple[list[str], dict[str, list[str]]]:
    """Sound files to fit on, and those to test of each corpus."""
    rng = random.Random(args.seed)
    tests: dict[str, list[str]] = {}
    if args.fit_dir:
        voices = read_voices(args.fit_dir)
        speakers = sorted({speaker for speaker, _ in voices})
        held_out = set(rng.sample(speakers, min(args.hold_out, len(speakers) - 1)))
        fit = [wav for speaker, wav in voices if speaker not in held_out]
        tests[f"{Path(args.fit_dir).name} (held out)"] = [
            wav for speaker, wav in voices if speaker in held_out
        ]
    else:
        fit = list(read_scp(args.fit_wav_scp).values())
    for folder in args.test_dir:
        tests[Path(folder).name] = [wav for _, wav in read_voices(folder)]
    chosen = {
        name: sorted(rng.sample(wavs, min(args.num_utterances, len(wavs)))) for name, wavs in tests.items()
    }
    return fit, chosen


def dnsmos_differences(rows: list[Scores]) -> dict[str, Interval]:
    """DNSMOS of each system less that of WORLD on the same utterances (`rows`: one each), with interval."""
    return {
        system: ratio_metric([row[system][1] - row[REFERENCE][1] for row in rows])
        for system in rows[0]
        if system != REFERENCE
    }


def metrics_of(corpus: str, rows: list[Scores]) -> Iterator[Metric]:
    """Means over the utterances of a corpus (`rows`: one each), and differences, a metric a system."""
    for system in rows[0]:
        about = {"corpus": corpus, "system": system}
        likeness, dnsmos = np.mean([row[system] for row in rows], axis=0)
        yield Metric("codec.similarity", float(likeness), "cosine", "", about)
        yield Metric("codec.dnsmos", float(dnsmos), "MOS", "", about)
    for system, difference in dnsmos_differences(rows).items():
        value = difference.pop("value")
        assert value is not None, "a corpus has utterances"
        about = {"corpus": corpus, "system": system}
        yield Metric("codec.dnsmos_less_world", value, "MOS", "", {**about, **difference})


def measure(args: argparse.Namespace) -> list[Metric]:
    """Fit the codec, or take it where it is there, and score it on each corpus."""
    other_codecs(tuple(args.codec_config))  # a bad one is told before the long work
    fit, tests = choose_sets(args)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(args.model or f"{folder}/codec.npz")
        if not model.is_file():
            run = partial(parallel_map, nj=args.nj, title="analyse")
            WorldCodec.fit_files(read_config(args.config, "--config"), args.config, fit, run).save(model)
        work = partial(score_file, str(model), args.codec_config, args.seconds)
        return [
            metric
            for name, wavs in tests.items()
            for metric in metrics_of(name, list(parallel_map(work, wavs, nj=args.nj, title=f"score {name}")))
        ]
