"""Fit a world codec and measure it on held-out speakers and on recordings unlike those it was fitted on.

Prints a table: similarity to the original (Resemblyzer) and DNSMOS of WORLD without quantisation, of the
codec, of its first codebook alone, and of the codec when the input is 12 dB louder or weaker. A second table
holds how far each system's DNSMOS is from that of WORLD on the same utterances, with a 95 % interval.
"""

import argparse
import csv
import json
import random
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from espnet2_valle.codec.world import WorldCodec
from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.conf import find, read_yaml
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.data.codec_fit import fit_world
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.evaluation.bootstrap import Figure, ratio_figure
from espnet2_valle.evaluation.mos import AbsQualityScorer, DNSMOSScorer
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder, ResemblyzerEncoder, similarity
from espnet2_valle.jobs.pool import parallel_map

SHIFTS = (12.0, -12.0)  # decibels
WORLD_PERIOD = 1000 / 75  # milliseconds: frames of unquantised WORLD, as many as EnCodec has
SYSTEMS = ("original", "WORLD", "WORLD, our frames", "codec", "codebook 1", "codec +12 dB", "codec -12 dB")
Scores = dict[str, tuple[float, float]]


@lru_cache(maxsize=1)
def scorers() -> tuple[AbsSpeakerEncoder, AbsQualityScorer]:
    """The scorers, opened once a process."""
    return ResemblyzerEncoder(), DNSMOSScorer()


def world_resynthesis(wav: np.ndarray, rate: int) -> np.ndarray:
    """`wav` (S,) through WORLD as it comes, nothing coded: harvest, CheapTrick, D4C."""
    import pyworld

    samples = wav.astype(np.float64)
    f0, times = pyworld.harvest(samples, rate, frame_period=WORLD_PERIOD)
    envelope = pyworld.cheaptrick(samples, f0, times, rate)
    aperiodicity = pyworld.d4c(samples, f0, times, rate)
    return pyworld.synthesize(f0, envelope, aperiodicity, rate, WORLD_PERIOD).astype(np.float32)


def score_file(model: str, seconds: float, path: str) -> Scores:
    """Similarity to the original and DNSMOS of every system for one sound file.

    A shift of level is taken back before scoring, since both scorers hear level.

    Args:
        model: a world codec (.npz).
        seconds: of the sound file that are used.
        path: the sound file.
    """
    codec = WorldCodec.load(model)
    rate = codec.sample_rate
    wav = read_audio(path, rate)[0][: round(seconds * rate)]
    codes = codec.encode(wav)
    sounds = {
        "original": wav,
        "WORLD": world_resynthesis(wav, rate),
        "WORLD, our frames": codec.features.synthesise(codec.features.analyse(wav)),
        "codec": codec.decode(codes),
        "codebook 1": at_level_of(wav, codec.decode(codes[:, :1])),
    }
    for shift in SHIFTS:
        gain = np.float32(10 ** (shift / 20))
        sounds[f"codec {shift:+.0f} dB"] = codec.decode(codec.encode(wav * gain)) / gain
    encoder, quality = scorers()
    voice = encoder.embed(wav, rate)
    return {
        name: (similarity(voice, encoder.embed(sound, rate)), quality.score(sound, rate))
        for name, sound in sounds.items()
    }


def at_level_of(wav: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """`sound` as loud as `wav`: codebook 1 alone does not code the level."""
    power = float(np.mean(sound**2))
    return sound * np.float32(np.sqrt(np.mean(wav**2) / power)) if power else sound


REFERENCE = "WORLD"


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(description=__doc__)
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
    parser.add_argument("--model", help="write the fitted codec here (.npz), or use it if it is there")
    parser.add_argument("--json", help="write the table here too")
    parser.add_argument("--nj", type=int, default=1, help="processes")
    return parser


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


def render(table: dict[str, Scores]) -> str:
    """The table as Markdown: a row a system, two columns a corpus."""
    corpora = list(table)
    lines = ["| | " + " | ".join(f"{name}: similarity | DNSMOS" for name in corpora) + " |"]
    lines.append("|---" * (1 + 2 * len(corpora)) + "|")
    for system in SYSTEMS:
        cells = (f"{table[name][system][0]:.3f} | {table[name][system][1]:.2f}" for name in corpora)
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def dnsmos_differences(rows: list[Scores]) -> dict[str, Figure]:
    """DNSMOS of each system less that of WORLD on the same utterances (`rows`: one each), with interval."""
    return {
        system: ratio_figure([row[system][1] - row[REFERENCE][1] for row in rows])
        for system in SYSTEMS
        if system != REFERENCE
    }


def render_differences(differences: dict[str, dict[str, Figure]]) -> str:
    """The differences as Markdown: a row a system, a column a corpus."""
    corpora = list(differences)
    lines = [
        f"| DNSMOS less that of {REFERENCE} | " + " | ".join(corpora) + " |",
        "|---" * (1 + len(corpora)) + "|",
    ]
    for system in SYSTEMS:
        if system != REFERENCE:
            figures = (differences[name][system] for name in corpora)
            cells = ("{value:+.2f} ({low:+.2f} to {high:+.2f})".format_map(figure) for figure in figures)
            lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    fit, tests = choose_sets(args)
    model = Path(args.model or "codec_benchmark.npz")
    if not (args.model and model.is_file()):
        fit_world(read_yaml(args.config, "--config"), args.config, fit, args.nj).save(model)
    table: dict[str, Scores] = {}
    differences: dict[str, dict[str, Figure]] = {}
    for name, wavs in tests.items():
        rows = list(
            parallel_map(
                partial(score_file, str(model), args.seconds), wavs, nj=args.nj, title=f"score {name}"
            )
        )
        means = {system: np.mean([row[system] for row in rows], axis=0) for system in SYSTEMS}
        table[name] = {system: (float(mean[0]), float(mean[1])) for system, mean in means.items()}
        differences[name] = dnsmos_differences(rows)
    if not args.model:
        model.unlink()
    print(render(table), render_differences(differences), sep="\n\n")
    if args.json:
        with atomic_open(args.json) as stream:
            json.dump({"means": table, "dnsmos_less_world": differences}, stream, indent=2)


if __name__ == "__main__":
    run_command(main)
