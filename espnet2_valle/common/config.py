"""YAML files that users edit: read, and their keys checked."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from espnet2_valle.common.errors import InputError


def read_yaml(path: str | Path, option: str) -> dict[str, Any]:
    """What a YAML file maps; an empty file maps nothing.

    Args:
        path: the file.
        option: which named it, for the error.

    Raises:
        InputError: it cannot be read, is not YAML, or is no mapping.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", f"Correct {option}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(path, f"is not YAML ({error})", "Correct it") from error
    if content is not None and not isinstance(content, dict):
        raise InputError(path, "holds no keys", "Write `key: value` lines")
    return content or {}


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
