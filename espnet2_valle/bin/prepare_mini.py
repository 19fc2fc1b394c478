"""Generate the embedded corpus `mini`: espeak-ng voices that speak a small closed vocabulary."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.cli import run_command
from espnet2_valle.common.conf import find, locate
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.corpus.synthetic.mini import MiniConfig, generate, plan, plan_pairs
from espnet2_valle.data.pairs import write_pairs
from espnet2_valle.jobs.pool import use_cluster

DONE = "mini.yaml"  # copy of the config, written last


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--output_dir", type=Path, required=True, help="data directory, such as data/mini")
    parser.add_argument("--config", type=Path, default=find("mini.yaml"), help="voices, words and amounts")
    parser.add_argument("--nj", type=int, default=1, help="number of processes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Write sound files, data directories, vocabulary and pairs; does nothing if they are there."""
    args = get_parser().parse_args(argv)
    path = locate(args.config)
    config = MiniConfig.load(path)
    done = args.output_dir / DONE
    content = path.read_text(encoding="utf-8")
    if done.is_file() and done.read_text(encoding="utf-8") == content:
        logging.info("%s is there already", args.output_dir)
        return
    with use_cluster():
        sets = generate(config, args.output_dir, args.nj)
    for data in sets.values():
        data.write()
    with atomic_open(args.output_dir / "vocabulary") as stream:
        stream.writelines(f"{word}\n" for word in config.vocabulary)
    write_pairs(args.output_dir / "test" / "pairs", plan_pairs(plan(config)["test"], config.seed))
    with atomic_open(done) as stream:
        stream.write(content)


if __name__ == "__main__":
    run_command(main)
