"""Tell whether sound files carry the watermark that speech is signed with, and if they are likely synthetic.

Beside the mark and its payload stands the probability that sound which is not marked would look like it by
chance. The second answer takes a detector (`run.sh --detector true`, `valle detector train`).
"""

import argparse
import json
from collections.abc import Sequence

from tqdm import tqdm

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.mark.files import examine
from espnet2_valle.mark.registry import DEFAULT, DEFAULT_KEY, WATERMARKS, build_watermark


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="sound files of any rate and length")
    parser.add_argument("--watermark", choices=list(WATERMARKS), default=DEFAULT, help="to look for")
    parser.add_argument("--watermark_key", default=DEFAULT_KEY, help="which spread was signed with")
    parser.add_argument(
        "--detector", metavar="DIR", help="folder of a detector of synthetic speech, to ask too"
    )
    parser.add_argument("--json", help="write the findings here too, one object a line")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Look at the files that the options name."""
    args = parse(get_parser(), argv)
    watermark = build_watermark(args.watermark, args.watermark_key, 0)
    if watermark is None:
        raise InputError("--watermark", f"'{args.watermark}' is none to look for", "Leave it out")
    detector = None
    if args.detector:
        from espnet2_valle.mark.detector import Detector  # which takes torch

        detector = Detector.open(args.detector)
    findings = []
    bar = tqdm(examine(args.files, args.watermark, watermark, detector), total=len(args.files), disable=None)
    for finding in bar:
        bar.write(finding.line())
        findings.append(finding)
    if args.json:
        with atomic_open(args.json) as stream:
            stream.writelines(json.dumps(finding.to_dict()) + "\n" for finding in findings)


if __name__ == "__main__":
    run_command(main)
