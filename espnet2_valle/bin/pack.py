"""Stage 10: pack a trained model and its card into one zip that `Text2Speech.from_pretrained` opens."""

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from espnet2.utils.types import str2bool

from espnet2_valle.common.checks import check_file, check_folder
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.report.card import CardFiles, make_card
from espnet2_valle.zoo.pack import pack
from espnet2_valle.zoo.trained import MODEL_FILES, NS2_FILES, VALLE_FILES


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    for name in MODEL_FILES:
        parser.add_argument(f"--{name}", required=name == "codec_config")
    parser.add_argument("--option", action="append", default=[], help="any other file; repeatable")
    parser.add_argument("--output", required=True, help="the zip")
    group = parser.add_argument_group("model card", "README.md in the zip; what is not given is not known")
    group.add_argument("--name", help="of the model; default: of the folder of --output")
    group.add_argument("--corpus", default="", help="that it was trained on: names of run.sh's --corpus")
    group.add_argument("--train_index", help="folder of the training index (stage 4), for its size")
    group.add_argument(
        "--augmented", type=str2bool, default=False, help="the index has more than the corpora's recordings"
    )
    group.add_argument("--scores", help="scores.json (stage 8)")
    group.add_argument("--base_model", default="", help="that was fine-tuned")
    group.add_argument("--card_config", help="what you say of the model: a copy of conf/card.yaml, filled in")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Pack what the options name."""
    args = parse(get_parser(), argv, option=check_file(), scores=check_file(), train_index=check_folder())
    args.name = args.name or Path(args.output).resolve().parent.name
    given = {name: getattr(args, name) for name in MODEL_FILES if getattr(args, name)}
    if set(given) not in (VALLE_FILES, NS2_FILES):
        raise InputError(
            "pack",
            f"{', '.join(sorted(given))} are not the files of one model",
            "Give --codec_config, and configs and weights of an AR and a NAR model, or of an NS2 model",
        )
    pack(
        files={name: path for name, path in given.items() if name.endswith("_model_file")},
        yaml_files={name: path for name, path in given.items() if name.endswith("_config")},
        extra=args.option,
        output=args.output,
        card=make_card(CardFiles(**{one.name: getattr(args, one.name) for one in fields(CardFiles)})),
    )


if __name__ == "__main__":
    run_command(main)
