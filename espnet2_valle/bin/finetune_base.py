"""Lay out a packed model as that from which `run.sh --init_model` goes on.

Written are its weights ({ar,nar}.pth), token list, codec and BPE model, training configs of its shape
(train_{ar,nar}.yaml), and `options`, lines of `name value` that the recipe has to take over.
"""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.zoo.finetune import KINDS, lay_out


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model_tag", required=True, help="a packed model: a zip, or a model-zoo name")
    parser.add_argument("--config", required=True, help="how to train, such as conf/finetune_lora.yaml")
    parser.add_argument("--model", choices=sorted(KINDS), help="which model it is to be; default: any")
    parser.add_argument("--output_dir", required=True)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv)
    lay_out(args.model_tag, args.config, args.output_dir, KINDS.get(args.model))


if __name__ == "__main__":
    run_command(main)
