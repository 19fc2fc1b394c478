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
from functools import partial
from pathlib import Path

import numpy as np

from espnet2_valle.bin.codec_fit import fit_world
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.config import read_yaml
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.corpus.datadir import read_scp
from espnet2_valle.jobs.pool import parallel_map
from espnet2_valle.score.bootstrap import Figure, ratio_figure
from espnet2_valle.score.world_resynthesis import SYSTEMS, Scores, score_file

REFERENCE = "WORLD"


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="conf/codec/world.yaml", help="of the world codec to fit")
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
