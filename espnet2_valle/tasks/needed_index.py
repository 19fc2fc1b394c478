"""The training index, of trainings that learn from it what else a model is told."""

import argparse

from espnet2_valle.common.errors import InputError


def needed_index(args: argparse.Namespace, index: str | None, option: str, tells: str, without: str) -> str:
    """Folder of the training index.

    Args:
        args: of the training.
        index: its folder, if the training has one.
        option: that needs it.
        tells: what it tells, for the error.
        without: the option as it needs none.

    Raises:
        InputError: there is none.
    """
    if index is None or args.iterator_type != "task":
        raise InputError(
            option, f"needs a training index, which tells {tells}", f"Train from one, or {without}"
        )
    return index
