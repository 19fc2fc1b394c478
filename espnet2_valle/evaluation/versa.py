"""Figures of VERSA, ESPnet's collection of scorers, read back beside ours."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation.table import VERSA as PREFIX
from espnet2_valle.evaluation.utterance import UtteranceScore


def read_versa(path: str | Path) -> dict[str, dict[str, float]]:
    """Read what VERSA's scorer writes: a JSON object a line with `key`, the pair's id, and its metrics.

    Entries that are no finite numbers (what was recognised, for example) are left out.

    Returns:
        Pair id -> metric, named with PREFIX -> value.

    Raises:
        InputError: no such file, or a line that is not such an object.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such file of VERSA's results", "Correct --versa")
    found: dict[str, dict[str, float]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
            key = given.pop("key")
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise InputError(
                f"{path}:{number}", f"is no object with a key ({error!r})", "Give VERSA's output file"
            ) from error
        found[str(key)] = {
            f"{PREFIX}{name}": float(value)
            for name, value in given.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        }
    return found


def with_versa(
    rows: Iterable[UtteranceScore], metrics: Mapping[str, Mapping[str, float]]
) -> list[UtteranceScore]:
    """The rows with VERSA's metrics beside their own."""
    return [replace(row, extra={**row.extra, **metrics.get(row.pair_id, {})}) for row in rows]
