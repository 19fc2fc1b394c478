"""Shared parts of commands: their end when the user's input is at fault, and what they were given."""

import argparse
import errno
import logging
import sys
from collections.abc import Callable, Sequence

from espnet2_valle.common.errors import InputError

Command = Callable[[Sequence[str] | None], None]


def run_command(command: Command, argv: Sequence[str] | None = None) -> None:
    """Run `command(argv)`; turn input errors and a full disk into one line and exit status 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s: %(message)s")
    try:
        command(argv)
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.exit(f"error: {error.filename or 'output'}: no space left on device. Free some and run again")


def given_options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> list[str]:
    """The options of a command that differ from their defaults, as one would write them."""
    words: list[str] = []
    for key, value in vars(args).items():
        for item in value if isinstance(value, list) else [value]:
            if item != parser.get_default(key):
                words += [f"--{key}", str(item)]
    return words
