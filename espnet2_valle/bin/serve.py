"""Serve a model: OpenAI's POST /v1/audio/speech, prepared prompts as voices, a WebSocket, figures.

`valle serve --model_tag model.zip --voices voices/`, then any client of OpenAI's with
base_url="http://127.0.0.1:8000/v1". Other machines are served with --host and --keys only.
"""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.config_parser import ConfigParser
from espnet2_valle.generate.arguments import add_model_arguments, model_spec
from espnet2_valle.serve.arguments import VOICES, add_serve_arguments, serve_spec
from espnet2_valle.serve.server import serve


def get_parser() -> argparse.ArgumentParser:
    """Options of the command; `--config` reads those of the model from YAML."""
    parser = ConfigParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add_model_arguments(parser)
    add_serve_arguments(parser, port=8000)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until the process is stopped."""
    args = parse(get_parser(), argv, voices=VOICES)
    serve(serve_spec(args, model_spec(args)))


if __name__ == "__main__":
    run_command(main)
