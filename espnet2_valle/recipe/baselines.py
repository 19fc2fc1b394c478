"""Systems that stand beside VALL-E in a run: ESPnet's own, trained here, and others' outputs."""

import argparse
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.recipe.options import Options
from espnet2_valle.recipe.settings import Settings
from espnet2_valle.recipe.times import read_stage_times

MINUTES = "baseline_minutes"  # in exp/TAG: what each training may take


def baseline_names(options: Options) -> list[str]:
    """The systems of `--baseline`.

    Raises:
        InputError: there is no such system.
    """
    names = options.baseline.split()
    if names:  # imported where it is needed: each step of a recipe starts this package
        from espnet2_valle.baseline.kinds import KINDS

        for name in names:
            KINDS.check_name(name)
    return names


def trained_baselines(options: Options) -> list[str]:
    """The systems to train, teachers among them, in order."""
    names = baseline_names(options)
    if not names:
        return []
    from espnet2_valle.baseline.kinds import with_teachers

    return with_teachers(names)


def teacher(kind: str) -> str:
    """The system that gives this one durations of tokens; empty if it needs none."""
    from espnet2_valle.baseline.kinds import KINDS

    return KINDS[kind].teacher or ""


def training_parser(kind: str) -> argparse.ArgumentParser:
    """The options of ESPnet's training of a system."""
    from espnet2_valle.baseline.budget import TASKS
    from espnet2_valle.baseline.kinds import KINDS

    parser: argparse.ArgumentParser = TASKS[KINDS[kind].task].get_parser()
    return parser


def model_file(kind: str) -> str:
    """Name of the checkpoint that speaks, in the system's training directory."""
    from espnet2_valle.baseline.kinds import KINDS

    return KINDS[kind].model_file


def training_minutes(settings: Settings) -> str:
    """Minutes that a training may take: by default what the run's own models took, written down once.

    Raises:
        InputError: it is not given, and their training is not in the stage times.
    """
    if settings.options.baseline_minutes:
        return settings.options.baseline_minutes
    path = Path(settings.exp, MINUTES)
    if not path.is_file() or not path.stat().st_size:
        times = read_stage_times(settings.stage_times)
        stages = [f"train_{kind}" for kind in settings.kinds]
        if stages[-1] not in times:  # imported where it is needed, as above
            from espnet2_valle.evaluation.table import system_name

            raise InputError(
                "--baseline_minutes",
                f"{system_name(settings.options.model)} was not trained here",
                "Say how many minutes each baseline is trained",
            )
        with atomic_open(path) as stream:
            stream.write(f"{sum(times.get(stage, 0) for stage in stages) / 60:.1f}\n")
    return path.read_text(encoding="utf-8").strip()


def comparison(settings: Settings) -> dict[str, list[str]]:
    """Arrays of valle.sh about the systems that stand beside VALL-E.

    Returns:
        `compared`: options of score and report; `compared_scored`: those of score alone; `compared_done`:
        files that they depend on; `compared_paths`: what others gave.
    """
    compared, scored, done = [], [], []
    for kind in baseline_names(settings.options):
        from espnet2_valle.baseline.kinds import training_stages

        folder = f"{settings.exp}/{kind}/decode{settings.pairs_suffix}"
        compared += ["--system", f"{kind}={folder}/wav.scp"]
        scored += ["--outcomes", f"{kind}={folder}/outcomes"]
        scored += ["--training", f"{kind}={','.join(training_stages(kind))}"]
        done.append(f"{folder}/.done")
    words = settings.options.systems.split()
    compared += [part for word in words for part in ("--system", word)]
    return {
        "compared": compared,
        "compared_scored": scored,
        "compared_done": [*done, *([f"{settings.results}/.systems"] if words else [])],
        "compared_paths": [word.partition("=")[2] for word in words],
    }
