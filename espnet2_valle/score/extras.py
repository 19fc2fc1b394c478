"""Packages that only scoring needs, imported where they are used."""

import importlib
import warnings
from typing import Any

from espnet2_valle.common.errors import InputError


def import_extra(module: str, purpose: str) -> Any:
    """Import a module of the extra `score`, without the warnings of its own imports.

    Raises:
        InputError: it cannot be imported; names `purpose` and the extra.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise InputError(
            purpose, f"needs the package {package} ({error})", "Run `pip install 'espnet2_valle[score]'`"
        ) from error
