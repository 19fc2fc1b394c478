"""An option of decoding: a field of a dataclass with its help and a check of its values."""

from collections.abc import Callable
from dataclasses import field
from numbers import Integral, Real
from typing import Any, get_type_hints

Pairs = tuple[tuple[str, Any], ...]  # a mapping that can be hashed
# Type of an option -> what its values may be, those of numpy among them.
ACCEPTED: dict[Any, type] = {int: Integral, float: Real, bool: bool, str: str, Pairs: tuple}


def option(default: Any, help: str, valid: Callable[[Any], bool] | None = None) -> Any:
    """A field with what the command line says of it, and a check of its values."""
    return field(default=default, metadata={"help": help, "valid": valid})


def not_negative(value: float) -> bool:
    """Check that a value is 0 or more."""
    return value >= 0


def share(value: float) -> bool:
    """Check that a value lies from 0 to 1."""
    return 0 <= value <= 1


def kinds(options: type) -> dict[str, Any]:
    """Name of each option -> its type."""
    return get_type_hints(options)
