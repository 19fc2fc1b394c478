"""Stage 10: pack a trained model into one zip that `Text2Speech.from_pretrained` opens."""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.zoo.pack import pack


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    for name in ("ar_train_config", "ar_model_file", "nar_train_config", "nar_model_file", "codec_config"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--option", action="append", default=[], help="any other file; repeatable")
    parser.add_argument("--output", required=True, help="the zip")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Pack what the options name."""
    args = parse(get_parser(), argv)
    pack(
        files={"ar_model_file": args.ar_model_file, "nar_model_file": args.nar_model_file},
        yaml_files={
            "ar_train_config": args.ar_train_config,
            "nar_train_config": args.nar_train_config,
            "codec_config": args.codec_config,
        },
        extra=args.option,
        output=args.output,
    )


if __name__ == "__main__":
    run_command(main)
