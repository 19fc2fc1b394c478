"""Command-line arguments of the service and of the page."""

import argparse

from espnet2_valle.asr.registry import LISTENERS_HELP, POCKETSPHINX
from espnet2_valle.common.checks import check_folder
from espnet2_valle.common.conf import find
from espnet2_valle.generate.opening import ModelSpec
from espnet2_valle.serve.options import ServeOptions
from espnet2_valle.serve.server import ServeSpec

VOICES = check_folder("no such folder of prepared prompts", "Make it, and let `valle prompt` fill it")


def add_serve_arguments(parser: argparse.ArgumentParser, port: int) -> None:
    """Options that both have; `serve_spec` reads them."""
    group = parser.add_argument_group("service")
    group.add_argument("--voices", help="folder of prepared prompts (.npz), which are voices by their names")
    group.add_argument("--host", default="127.0.0.1", help="address to listen on")
    group.add_argument("--port", type=int, default=port, help="0: any")
    group.add_argument("--keys", help="file with lines `NAME KEY`; without it only this machine is served")
    group.add_argument("--serve_config", default=str(find("serve.yaml")), help="limits, patience, rows")
    group.add_argument("--longform_config", default=str(find("longform.yaml")), help="pauses in long texts")
    group.add_argument("--workers", type=int, default=1, help="processes, each with the models")
    group.add_argument("--threads", type=int, default=0, help="of each worker; 0: as torch has it")
    group.add_argument("--recognizer", default=POCKETSPHINX, help=LISTENERS_HELP)


def serve_spec(args: argparse.Namespace, model: ModelSpec) -> ServeSpec:
    """The service that a command's options name.

    Raises:
        InputError: see `ServeOptions.load`.
    """
    return ServeSpec(
        model=model,
        voices=args.voices,
        keys=args.keys,
        options=ServeOptions.load(args.serve_config),
        longform_config=args.longform_config,
        host=args.host,
        port=args.port,
        workers=args.workers,
        threads=args.threads,
        recognizer=args.recognizer,
    )
