"""Stage 11: upload a packed model to the HuggingFace hub, and print the line by which others open it."""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.zoo.hub import upload

LINE = (
    'Text2Speech.from_pretrained("{repository}")  # or, whatever is uploaded later: "{repository}@{revision}"'
)


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--model_tag", required=True, help="the zip that stage 10 wrote")
    parser.add_argument(
        "--hf_repo", required=True, help="LAB/NAME; made if it is not there, and everybody may read it"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Upload what the options name."""
    args = parse(get_parser(), argv)
    revision = upload(args.model_tag, args.hf_repo)
    print(LINE.format(repository=args.hf_repo, revision=revision), flush=True)


if __name__ == "__main__":
    run_command(main)
