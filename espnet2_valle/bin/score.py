"""Score ground truth, codec resynthesis and VALL-E side by side, by the same judges."""

import argparse
import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet2_valle.bin.score_inputs import named_files, read_times, read_trials, read_vocabulary
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.corpus.datadir import read_scp
from espnet2_valle.corpus.pairs import read_pairs
from espnet2_valle.score.scorers import AbsScorerPlan, DefaultPlan
from espnet2_valle.score.systems import compare_words, score_system, summarise, word_figures
from espnet2_valle.score.table import results_markdown, score_table
from espnet2_valle.score.utterance import UtteranceScore

GROUND_TRUTH, CODEC = "ground_truth", "codec"


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--pairs", required=True, help="list of pairs, as stage 1 writes it")
    parser.add_argument(
        "--data_dir", required=True, help="test set: wav.scp and text of all utterances in the pairs"
    )
    parser.add_argument(
        "--system",
        action="append",
        default=[],
        metavar="NAME=WAV_SCP",
        help="outputs keyed by pair id; repeatable",
    )
    parser.add_argument(
        "--outcomes",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="lines `pair_id outcome`; repeatable",
    )
    parser.add_argument(
        "--judge", default=None, help="directory of a trained CTC judge; without it pocketsphinx judges"
    )
    parser.add_argument(
        "--vocabulary", default=None, help="all words there are, one a line: pocketsphinx's grammar"
    )
    parser.add_argument("--stage_times", default=None, help="lines `stage seconds`, for the report")
    parser.add_argument("--output_dir", required=True, help="gets scores.json, scores/ and RESULTS.md")
    parser.add_argument("--nj", type=int, default=1, help="number of processes")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    plan = DefaultPlan(args.judge, read_vocabulary(args.vocabulary))
    scores = score_run(args, plan)
    output = Path(args.output_dir)
    command = "python -m espnet2_valle.bin.score " + shlex.join(_as_argv(args))
    with atomic_open(output / "scores.json") as stream:
        json.dump(scores, stream, indent=2, ensure_ascii=False)
        stream.write("\n")
    with atomic_open(output / "RESULTS.md") as stream:
        stream.write(results_markdown(scores, f"Scores of {output.name}", command))
    print(score_table(scores["systems"]), end="")


def score_run(args: argparse.Namespace, plan: AbsScorerPlan) -> dict[str, Any]:
    """Check the inputs, score every system and return what scores.json holds.

    Raises:
        InputError: see `read_trials`, `named_files` and `score_system`.
    """
    pairs = read_pairs(args.pairs)
    wavs = read_scp(Path(args.data_dir) / "wav.scp")
    trials = read_trials(pairs, wavs, read_scp(Path(args.data_dir) / "text"), args.pairs)
    listed = {name: read_scp(path) for name, path in named_files(args.system, "--system").items()}
    if GROUND_TRUTH in listed:
        raise InputError("--system", f"{GROUND_TRUTH} is taken from --data_dir", "Leave it out or rename it")
    systems = {GROUND_TRUTH: {pair.pair_id: wavs[pair.target_utt] for pair in pairs}, **listed}
    outcomes = {name: read_scp(path) for name, path in named_files(args.outcomes, "--outcomes").items()}
    unknown = sorted(outcomes.keys() - systems.keys())
    if unknown:
        raise InputError("--outcomes", f"no system is called '{unknown[0]}'", "Name one given by --system")
    times = read_times(args.stage_times)
    folder = Path(args.output_dir) / "scores"
    rows = {
        name: score_system(name, trials, outputs, plan, folder / f"{name}.jsonl", args.nj)
        for name, outputs in systems.items()
    }
    return assemble(rows, outcomes, plan, times, args.seed)


def assemble(
    rows: Mapping[str, Sequence[UtteranceScore]],
    outcomes: Mapping[str, Mapping[str, str]],
    plan: AbsScorerPlan,
    times: Mapping[str, float],
    seed: int = 0,
) -> dict[str, Any]:
    """The content of scores.json."""
    scores: dict[str, Any] = {
        "systems": {name: summarise(r, outcomes.get(name, {}), seed) for name, r in rows.items()},
        "judge": plan.judge_name,
        "pairs": len(rows[GROUND_TRUTH]),
        "commit": git_commit(),
        "seconds_by_stage": dict(times),
    }
    if CODEC in rows:
        scores["relative_word_accuracy"] = {
            name: compare_words(r, rows[CODEC], seed)
            for name, r in rows.items()
            if name not in (GROUND_TRUTH, CODEC)
        }
    if plan.second_name:
        scores["second_judge"] = {
            "name": plan.second_name,
            "systems": {
                name: word_figures([row.text for row in r], [row.second_heard or "" for row in r], seed)
                for name, r in rows.items()
            },
        }
    return scores


def git_commit() -> str | None:
    """Commit of the checkout that this file belongs to, or None outside of one."""
    here = Path(__file__).resolve()
    try:
        # An installed copy may lie inside a checkout of something else.
        _git(here, "ls-files", "--error-unmatch", here.name)
        return _git(here, "rev-parse", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(here: Path, *arguments: str) -> str:
    found = subprocess.run(["git", *arguments], cwd=here.parent, capture_output=True, text=True, check=True)
    return found.stdout.strip()


def _as_argv(args: argparse.Namespace) -> list[str]:
    """The options that differ from their defaults, as one would write them."""
    parser = get_parser()
    words: list[str] = []
    for key, value in vars(args).items():
        for item in value if isinstance(value, list) else [value]:
            if item != parser.get_default(key):
                words += [f"--{key}", str(item)]
    return words


if __name__ == "__main__":
    run_command(main)
