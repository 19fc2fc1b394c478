"""What every command shares: how it ends when the user's input is at fault."""

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
