"""Wishes as users write them: a line with speed, pitch, spans of words, and perhaps a reference recording."""

from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.ns2.control import Control, parse_control

REFERENCE = "reference="


def split_control(line: str) -> tuple[Control, str | None]:
    """Read a line: what `parse_control` knows, and the path behind `reference=`, which has no spaces.

    Raises:
        InputError: a word that is no such wish, or more than one reference.
    """
    words = line.split()
    references = [word.removeprefix(REFERENCE) for word in words if word.startswith(REFERENCE)]
    if len(references) > 1:
        raise InputError("control", f"names {len(references)} references", "Give one")
    rest = " ".join(word for word in words if not word.startswith(REFERENCE))
    return parse_control(rest), references[0] if references else None


def check_control(line: str) -> None:
    """Raise InputError at a line that is none, or that names a reference that is not there."""
    _, reference = split_control(line)
    if reference is not None and not Path(reference).is_file():
        raise InputError(reference, "no such reference recording", "Correct it in the control")
