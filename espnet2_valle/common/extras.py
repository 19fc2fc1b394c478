"""Packages that only scoring needs, imported where they are used."""

import importlib
import warnings
from collections.abc import Callable
from typing import Any

from espnet2_valle.common.errors import InputError


def import_extra(module: str, purpose: str, extra: str = "score") -> Any:
    """Import a module of the extra `extra`, without the warnings of its own imports.

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
            purpose, f"needs the package {package} ({error})", f"Run `pip install 'espnet2_valle[{extra}]'`"
        ) from error


def load_model(load: Callable[[], Any], kind: str, model: str) -> Any:
    """Call `load`, which may download `model`.

    Raises:
        InputError: it fails, as it does without a network.
    """
    try:
        return load()
    except Exception as error:  # every library has its own errors for a model that cannot be had
        reason = (str(error).splitlines() or [repr(error)])[0]
        raise InputError(
            model,
            f"this {kind} model cannot be loaded ({reason})",
            "Correct its name, or download it where there is a network and give its folder",
        ) from error
