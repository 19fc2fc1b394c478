"""The result of a listening test in Markdown."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.evaluation.table import markdown_table, system_name

RESULT = "listening.json"
EXTRA_NAMES = {"hidden_reference": "Hidden reference", "anchor": "Low anchor"}


def rated_name(key: str) -> str:
    """Name of what was rated, for people."""
    return EXTRA_NAMES.get(key) or system_name(key)


def show(metric: Mapping[str, float]) -> str:
    """A mean with its interval."""
    return f"{metric['value']:.2f} ({metric['low']:.2f} to {metric['high']:.2f})"


def listening_markdown(result: Mapping[str, Any]) -> str:
    """Means, differences and who was counted."""
    raters = result["raters"]
    low, high = result["scale"]
    parts = [
        f"# Listening test: {result['kind'].upper()}\n",
        f"“{result['question']}” {low} to {high}, after {result['source']}. {raters['counted']} of "
        f"{raters['all']} raters are counted. In brackets: 95 % bootstrap interval over raters and items.\n",
        markdown_table(
            ["", "mean", "ratings"],
            [[rated_name(n), show(s["mean"]), str(s["n_ratings"])] for n, s in result["systems"].items()],
        ),
    ]
    if result["differences"]:
        rows = [
            [f"{rated_name(d['system'])} − {rated_name(d['base'])}", show(d["difference"])]
            for d in result["differences"]
        ]
        parts += [markdown_table(["", "difference"], rows)]
    # Results of before this was counted are shown as well.
    if result.get("failed"):
        counts = ", ".join(f"{rated_name(name)} {count}" for name, count in result["failed"].items())
        parts += [f"Without a rating, since they could not be loaded: {counts}\n"]
    parts += [f"- Rater {name}: {', '.join(why)}\n" for name, why in raters["screened_out"].items()]
    return "\n".join(parts)


def write_results(result: Mapping[str, Any], folder: Path) -> str:
    """Write listening.json and listening.md into `folder`; return the latter's text."""
    with atomic_open(folder / RESULT) as stream:
        json.dump(result, stream, indent=2, ensure_ascii=False)
    text = listening_markdown(result)
    with atomic_open(folder / "listening.md") as stream:
        stream.write(text)
    return text
