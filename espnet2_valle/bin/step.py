"""Run a command of the recipe, which stands behind `--`, unless it was done before."""

import argparse
import sys
from collections.abc import Sequence

from espnet2_valle.common.cli import run_command
from espnet2_valle.recipe.steps import Step
from espnet2_valle.recipe.training import Launch, logged_step, train

INTERRUPTED = 130  # exit status, as a shell has it


def get_parser() -> argparse.ArgumentParser:
    """Parser of the words before `--`."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--log", default="", help="where the command's output goes")
    parser.add_argument(
        "--training", action="store_true", help="refuse to go on where other settings were begun"
    )
    parser.add_argument("--ngpu", type=int, help="GPUs a node, of a training of ESPnet's; 0 is the CPU")
    parser.add_argument("--num_nodes", type=int, default=1, help="nodes of such a training")
    parser.add_argument("--cmd", default="", help="script that starts it on several GPUs")
    parser.add_argument(
        "--keep_for",
        action="append",
        default=[],
        help="training, for which the output stays once it is begun",
    )
    parser.add_argument("marker", help="file that tells that it was done; of a training, its folder")
    parser.add_argument("output", help="what the command makes")
    parser.add_argument("files", nargs="*", help="what it reads: a change of one has it run again")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    argv = list(sys.argv[1:] if argv is None else argv)
    place = argv.index("--") if "--" in argv else len(argv)
    args = get_parser().parse_args(argv[:place])
    command = argv[place + 1 :]
    try:
        if args.training:
            launch = None if args.ngpu is None else Launch(args.ngpu, args.num_nodes, args.cmd)
            train(args.marker, args.output, args.files, command, launch)
        elif args.log:
            logged_step(args.log, args.marker, args.output, args.files, command)
        else:
            Step(args.marker, args.output, args.files, command, keep_for=args.keep_for).perform()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    run_command(main)
