"""A page to try a model: record or upload a voice, type, hear the speech as it comes, compare settings.

`valle demo --model_tag model.zip`, then open the address that it prints. Other machines are served with
--host and --keys only; a visitor's name and key are a line of that file.
"""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.config_parser import ConfigParser
from espnet2_valle.generate.arguments import add_model_arguments, model_spec
from espnet2_valle.serve.arguments import VOICES, add_serve_arguments, serve_spec
from espnet2_valle.serve.demo import demo


def get_parser() -> argparse.ArgumentParser:
    """Options of the command; `--config` reads those of the model from YAML."""
    parser = ConfigParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add_model_arguments(parser)
    add_serve_arguments(parser, port=7860)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the page until the process is stopped."""
    args = parse(get_parser(), argv, voices=VOICES)
    demo(serve_spec(args, model_spec(args)))


if __name__ == "__main__":
    run_command(main)
