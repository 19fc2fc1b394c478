"""A demo page: a folder with sounds and one page that any static web host can serve."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet2_valle.common.audio import read_first_seconds, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.evaluation.table import system_name
from espnet2_valle.evaluation.utterance import Trial, UtteranceScore
from espnet2_valle.report.examples import choose

TEMPLATE = "demo.html.j2"
AUDIO = "audio"


def write_demo(
    folder: Path,
    name: str,
    rows: Sequence[UtteranceScore],
    trials: Mapping[str, Trial],
    wavs: Mapping[str, Mapping[str, str]],
    count: int,
    seed: int = 0,
) -> int:
    """Write index.html and audio/.

    Args:
        folder: made anew; only what an earlier call wrote is removed.
        name: of the run.
        rows: of the system that examples are chosen by.
        trials: pair id -> what was asked.
        wavs: system -> pair id -> sound file.
        count: examples, chosen as the report's are: half at random, the best and the worst.
        seed: of the choice.

    Returns:
        How many examples there are.
    """
    import jinja2

    shutil.rmtree(folder / AUDIO, ignore_errors=True)
    systems = {"prompt": "Prompt", **{key: system_name(key) for key in wavs}}
    examples = []
    for number, (pair, choice) in enumerate(choose(rows, count, seed).items(), 1):
        trial = trials.get(pair)
        if trial is None:
            continue
        sources = {"prompt": trial.prompt, **{key: found.get(pair) for key, found in wavs.items()}}
        parts = {"prompt": trial.prompt_seconds}
        sounds = {
            key: _copy(source, folder, f"{AUDIO}/{number:02d}_{position}.wav", parts.get(key))
            for position, (key, source) in enumerate(sources.items())
        }
        examples.append({"text": trial.text, "choice": choice, "sounds": sounds})
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    values: dict[str, Any] = {"name": name, "systems": systems, "examples": examples}
    with atomic_open(folder / "index.html") as stream:
        stream.write(environment.get_template(TEMPLATE).render(values))
    return len(examples)


def _copy(source: str | None, folder: Path, name: str, seconds: float | None) -> str | None:
    """Write a sound, or its first `seconds`, into the demo; None where there is none or it cannot be read."""
    if source is None:
        return None
    try:
        wav, rate = read_first_seconds(source, seconds)
    except InputError:
        return None
    write_audio(folder / name, wav, rate)
    return name
