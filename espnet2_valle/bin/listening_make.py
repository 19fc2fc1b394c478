"""Make a listening test (MOS, SMOS, CMOS, MUSHRA): public/ for the raters, and key.json.

    valle listening make --test_dir T --pairs P --data_dir D --system valle=decode/wav.scp --kind mos

T/public may be put on any static web host; raters then save their answers as files, for
`valle listening analyse --answers`. T/key.json tells which recording is whose: keep it to yourself.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.checks import check_output_folder
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.evaluation.inputs import named_files, read_asked
from espnet2_valle.evaluation.lists import read_outputs
from espnet2_valle.evaluation.settings import Settings
from espnet2_valle.listening.kinds import KINDS
from espnet2_valle.listening.make import make_test, read_design


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--test_dir", type=Path, required=True, help="folder of the test")
    parser.add_argument("--pairs", help="list of pairs, with --data_dir")
    parser.add_argument("--data_dir", help="test set: wav.scp and text")
    parser.add_argument("--list", help="in place of both: id|prompt text|prompt sound|text|...")
    parser.add_argument(
        "--system", action="append", default=[], metavar="NAME=WAV_SCP", help="or a folder; repeatable"
    )
    parser.add_argument("--kind", choices=sorted(KINDS), help="in place of the configuration's")
    parser.add_argument("--config", help="conf/score/listening.yaml")
    parser.add_argument(
        "--ground_truth", choices=("true", "false"), default="true", help="the recordings are a system too"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv, test_dir=check_output_folder)
    design = read_design(args.config, args.kind)
    asked = read_asked(args.pairs, args.data_dir, args.list, None, Settings())
    systems = {name: read_outputs(path) for name, path in named_files(args.system, "--system").items()}
    print(json.dumps(make_test(design, asked, systems, args.test_dir, args.ground_truth == "true")))


if __name__ == "__main__":
    run_command(main)
