"""Values of Python as assignments that a shell evaluates."""

import shlex
from collections.abc import Mapping
from typing import Any


def as_shell(variables: Mapping[str, Any]) -> str:
    """Assignments for a shell to evaluate: strings, true and false, arrays."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in variables.items())


def _quoted(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return shlex.quote(value)
    return f"({shlex.join(value)})"
