"""Times of a run: lines `stage seconds`, each the sum over all calls."""

from pathlib import Path

from espnet2_valle.common.fileio import atomic_open

SETUP = "setup"
SETUP_SECONDS = (
    "../../.venv/.setup_seconds"  # from the recipe's folder: what the installation took, if it was ours
)


def add_time(stage_times: str, stage: str, seconds: int) -> None:
    """Add the seconds to what the stage took so far; the installation is the first."""
    times = read_stage_times(stage_times)
    setup = Path(SETUP_SECONDS)
    if SETUP not in times and setup.is_file():
        times[SETUP] = int(setup.read_text(encoding="utf-8"))
    times[stage] = times.get(stage, 0) + seconds
    with atomic_open(stage_times) as stream:
        stream.writelines(f"{name} {total}\n" for name, total in times.items())


def read_stage_times(stage_times: str) -> dict[str, int]:
    """Stage -> seconds; {} where none has ended."""
    path = Path(stage_times)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {name: int(seconds) for name, seconds in (line.split() for line in lines)}
