"""A watermark on real and synthetic speech: heard or not, found after what may happen to it, seen by chance.

Of each utterance a clip of each length is signed, attacked and looked at; recordings of one speaker that are
too short are joined. What is done is kept in --output_dir, so that a run that was broken off goes on. The
probability of chance is held against unmarked real speech with many keys.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.bench.attacks import ATTACKS
from espnet2_valle.bench.metric import Metric
from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.audio import read_audio, resample
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.extras import import_extra
from espnet2_valle.common.resume import Journal
from espnet2_valle.common.sound_formats import is_readable
from espnet2_valle.evaluation.mos import DNSMOSScorer
from espnet2_valle.jobs.pool import parallel_map
from espnet2_valle.mark.abs_watermark import AbsWatermark
from espnet2_valle.mark.registry import WATERMARKS, build_watermark

REAL, SYNTHETIC = "real", "synthetic"
LENGTHS = (2.0, 5.0, 10.0)  # seconds of a clip
PESQ_RATE = 16000
UNMARKED, RESYNTHESIS = "unmarked", "codec resynthesis"
FOUND_BAR, DNSMOS_BAR, PESQ_BAR = ">= 0.95", ">= -0.02", ">= 4.2"
Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the speech to measure on."""
    parser.add_argument("--real_dir", required=True, action="append", help="folder of recordings; repeatable")
    parser.add_argument("--synthetic_dir", action="append", default=[], help="folder of synthetic speech")
    parser.add_argument("--watermark", choices=list(WATERMARKS), default="spread")
    parser.add_argument("--watermark_key", default="a key for measurements")
    parser.add_argument("--num_utterances", type=int, default=500, help="of the real and of the synthetic")
    parser.add_argument("--quality_utterances", type=int, default=100, help="of these, rated as well")
    parser.add_argument(
        "--other_keys", type=int, default=0, help="tried on each unmarked real clip of 2 s besides"
    )
    parser.add_argument("--codec_config", help="codec.yaml; its resynthesis of those rated is looked at")
    parser.add_argument("--output_dir", required=True, help="keeps what is done")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--nj", type=int, default=1, help="processes")


def choose(folders: Sequence[str], count: int, seed: int) -> list[str]:
    """Sound files below the folders, drawn at random; of fewer, the first of these.

    Raises:
        InputError: a folder without any.
    """
    found = []
    for folder in folders:
        files = sorted(str(path) for path in Path(folder).rglob("*") if is_readable(path))
        if not files:
            raise InputError(folder, "has no sound files", "Give a folder of recordings")
        found += files
    random.Random(seed).shuffle(found)
    return found[:count]


def clip(path: str, seconds: float) -> tuple[np.ndarray, int]:
    """The beginning of a recording; where that is shorter, with those beside it behind it.

    The files of a folder are in the order of their names, and so mostly of one voice.
    """
    wav, rate = read_audio(path)
    pieces, length = [wav], len(wav)
    beside = sorted(other for other in Path(path).parent.iterdir() if is_readable(other))
    place = beside.index(Path(path))
    for other in [*beside[place + 1 :], *beside[:place]]:
        if length >= seconds * rate:
            break
        pieces.append(read_audio(other, rate)[0])
        length += len(pieces[-1])
    return np.concatenate(pieces)[: round(seconds * rate)], rate


@lru_cache(maxsize=1)
def tools(kind: str, key: str, codec_config: str | None) -> tuple[AbsWatermark, Any, Any, Any]:
    """The watermark, DNSMOS, PESQ and the codec, opened once a process."""
    watermark = build_watermark(kind, key, 0)
    assert watermark is not None
    pesq = import_extra("pesq", "PESQ", "watermark").pesq
    return watermark, DNSMOSScorer(), pesq, load_codec(codec_config) if codec_config else None


def measure_clip(
    kind: str, key: str, codec_config: str | None, keys: int, job: tuple[str, str, float, bool]
) -> Row:
    """Everything about one clip.

    Args:
        kind, key: of the watermark.
        codec_config: of the resynthesis.
        keys: tried on the unmarked clip besides.
        job: real or synthetic, the sound file, the clip's seconds, rated or not.
    """
    origin, path, seconds, rated = job
    watermark, dnsmos, pesq, codec = tools(kind, key, codec_config)
    wav, rate = clip(path, seconds)
    payload = random.Random(path).randrange(1 << 16)
    signer = build_watermark(kind, key, payload)
    assert signer is not None
    marked = signer.embed(wav, rate)
    sounds = {name: attack(marked, rate) for name, attack in ATTACKS.items()}
    if codec is not None and rated:
        codes = codec.encode(resample(marked, rate, codec.sample_rate))
        sounds[RESYNTHESIS] = codec.decode(codes), codec.sample_rate
    sounds[UNMARKED] = wav, rate
    row: Row = {"job": list(job), "found": {}}
    for name, (sound, hz) in sounds.items():
        found = watermark.detect(sound, hz)
        row["found"][name] = [found.marked, found.chance, found.payload == payload]
    row["others"] = [
        other.detect(wav, rate).chance
        for number in range(keys)
        if (other := build_watermark(kind, f"{key} {number}", 0)) is not None
    ]
    if rated:
        row["quality"] = [
            dnsmos.score(wav, rate),
            dnsmos.score(marked, rate),
            pesq(PESQ_RATE, *(resample(one, rate, PESQ_RATE) for one in (wav, marked)), "wb"),
        ]
    return row


def measure(args: argparse.Namespace) -> list[Metric]:
    """Measure what is not measured yet, and sum up."""
    chosen = {REAL: choose(args.real_dir, args.num_utterances, args.seed)}
    if args.synthetic_dir:
        chosen[SYNTHETIC] = choose(args.synthetic_dir, args.num_utterances, args.seed)
    jobs = [
        (origin, path, seconds, number < args.quality_utterances)
        for number in range(args.num_utterances)
        for origin, paths in chosen.items()
        for path in paths[number : number + 1]
        for seconds in LENGTHS
    ]
    tools(args.watermark, args.watermark_key, args.codec_config)  # what is missing is told before the work
    settings = [args.watermark, args.watermark_key, args.codec_config]
    journal = Journal(Path(args.output_dir) / f"{args.watermark}.jsonl")
    done = {tuple(row["job"]): row for row in journal.rows() if row["settings"] == settings}
    work = partial(_measure_all, args.watermark, args.watermark_key, args.codec_config, args.other_keys)
    pending = [job for job in jobs if job not in done]
    Path(args.output_dir).mkdir(parents=True, exist_ok=True)
    with journal:
        for row in parallel_map(work, pending, args.nj, "clips"):
            journal.append({**row, "settings": settings})
            done[tuple(row["job"])] = row
    return list(summary([done[job] for job in jobs], args.watermark))


def _measure_all(
    kind: str, key: str, codec_config: str | None, keys: int, job: tuple[str, str, float, bool]
) -> Row:
    """Measure a clip; other keys are tried on the shortest clips of real speech alone."""
    return measure_clip(kind, key, codec_config, keys if job[0] == REAL and job[2] == LENGTHS[0] else 0, job)


def summary(rows: Sequence[Row], kind: str) -> Iterator[Metric]:
    """The metrics of all clips."""
    for origin in (REAL, SYNTHETIC):
        for seconds in LENGTHS:
            of_these = [row for row in rows if row["job"][0] == origin and row["job"][2] == seconds]
            if of_these:
                about = {"watermark": kind, "speech": origin, "seconds": f"{seconds:g}"}
                yield from _found(of_these, about)
                yield from _quality(of_these, about)
    yield from _chances(rows, kind)


def _found(rows: Sequence[Row], about: dict[str, Any]) -> Iterator[Metric]:
    for name in sorted({name for row in rows for name in row["found"]}):
        found = [row["found"][name] for row in rows if name in row["found"]]
        known = {**about, "after": name, "clips": len(found)}
        share = float(np.mean([marked for marked, *_ in found]))
        if name == UNMARKED:
            yield Metric("watermark.false_positives", share, "share", "", known)
            continue
        right = float(np.mean([payload for *_, payload in found]))
        bar = "" if name == RESYNTHESIS else FOUND_BAR
        yield Metric("watermark.found", share, "share", bar, {**known, "payload": f"{right:.3f}"})


def _quality(rows: Sequence[Row], about: dict[str, Any]) -> Iterator[Metric]:
    scores = np.array([row["quality"] for row in rows if "quality" in row])
    if not len(scores):
        return
    before, after, pesq = scores.T
    known = {**about, "clips": len(scores)}
    interval = f"{1.96 * float(np.std(after - before)) / np.sqrt(len(scores)):.3f}"
    difference = float(np.mean(after - before))
    yield Metric("watermark.dnsmos", difference, "MOS", DNSMOS_BAR, {**known, "+-": interval})
    yield Metric(
        "watermark.pesq", float(np.mean(pesq)), "MOS", PESQ_BAR, {**known, "least": f"{pesq.min():.2f}"}
    )


def _chances(rows: Sequence[Row], kind: str) -> Iterator[Metric]:
    """The share of unmarked real speech that looks marked, beside the probability that is claimed."""
    chances = np.array(
        [
            chance
            for row in rows
            if row["job"][0] == REAL
            for chance in [row["found"][UNMARKED][1], *row["others"]]
        ]
    )
    for limit in (1e-1, 1e-2, 1e-3, 1e-4):
        seen = int((chances <= limit).sum())
        known = {"watermark": kind, "claimed": f"{limit:g}", "trials": len(chances), "seen": seen}
        yield Metric("watermark.chance", seen / len(chances), "share", f"<= {limit:g}", known)
