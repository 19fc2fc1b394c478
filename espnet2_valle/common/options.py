"""Options that users write, checked against those that there are."""

from collections.abc import Collection
from pathlib import Path

from espnet2_valle.common.errors import InputError


def check_keys(where: str | Path, given: Collection[str], known: Collection[str], kind: str = "key") -> None:
    """Refuse what is not known.

    Args:
        where: the file or option at fault.
        given, known: names.
        kind: what they are called.

    Raises:
        InputError: one of `given` is not among `known`.
    """
    for name in sorted(set(given) - set(known), key=str):
        choices = ", ".join(sorted(known))
        remedy = f"Choose among {choices}" if choices else "Leave it out"
        raise InputError(where, f"there is no {kind} {name!r}", remedy)
