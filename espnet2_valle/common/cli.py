"""Shared parts of commands: their options, and their end when the user's input is at fault."""

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from espnet2_valle.common.checks import REFUSALS, Check, check_options
from espnet2_valle.common.errors import InputError

Command = Callable[[Sequence[str] | None], None]


def run_command(command: Command, argv: Sequence[str] | None = None) -> None:
    """Run `command(argv)`; turn input errors, a full disk and impossible paths into one line and status 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s: %(message)s")
    try:
        command(argv)
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno == errno.ENOSPC:
            sys.exit(f"error: {error.filename or 'output'}: no space left on device. Free some and run again")
        if error.filename is None or error.errno not in REFUSALS:
            raise
        logging.debug("where it happened:", exc_info=True)
        reason = os.strerror(error.errno)
        remedy = "Correct the path, or what may be done with it"
        sys.exit(f"error: {os.fsdecode(error.filename)}: cannot be used ({reason}). {remedy}")


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None, **more: Check) -> argparse.Namespace:
    """Options of a command, checked by their names.

    Args:
        parser: of the command.
        argv: its words; None for those of the process.
        more: see `check_options`.

    Raises:
        InputError: one that cannot be.
    """
    args = parser.parse_args(argv)
    check_options(args, **more)
    return args


def check_words(parser: argparse.ArgumentParser, words: Sequence[str], option: str) -> None:
    """Check words that another command will get beside what it needs.

    Args:
        parser: of that command; not of use afterwards.
        words: options and values.
        option: that holds them, for the error.

    Raises:
        InputError: the command does not take them.
    """

    def refuse(message: str) -> NoReturn:
        raise InputError(option, f"'{' '.join(words)}': {message}", "Correct it")

    for action in parser._actions:
        action.required = False
    parser.error = refuse  # type: ignore[method-assign]
    args = parser.parse_args(words)
    try:
        check_options(args)
    except InputError as error:
        raise InputError(
            option, f"'{' '.join(words)}': {error.where}: {error.problem}", error.remedy
        ) from error


def given_options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> list[str]:
    """The options of a command that differ from their defaults, as one would write them."""
    words: list[str] = []
    for key, value in vars(args).items():
        for item in value if isinstance(value, list) else [value]:
            if item != parser.get_default(key):
                words += [f"--{key}", str(item)]
    return words
