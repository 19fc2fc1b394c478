"""A listening test from a configuration, what systems were asked, and what they answered."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from espnet2_valle.common.options import load
from espnet2_valle.evaluation.inputs import Asked
from espnet2_valle.evaluation.scorecard import GROUND_TRUTH
from espnet2_valle.listening.build import Design, build_test


def make_test(
    design: Design, asked: Asked, systems: Mapping[str, Mapping[str, str]], folder: Path, ground_truth: bool
) -> dict[str, int]:
    """Write a test into `folder`; return its counts, as `build_test` does.

    Args:
        design: how the test is made.
        asked: of the systems.
        systems: name -> pair id -> sound file.
        folder: of the test.
        ground_truth: the recordings are a system too, where there are any.

    Raises:
        InputError: see `build_test`.
    """
    references = {trial.pair_id: trial.reference for trial in asked.trials if trial.reference}
    if ground_truth and references:
        systems = {GROUND_TRUTH: references, **systems}
    return build_test(design, asked.trials, systems, folder)


def read_design(path: str | None, kind: str | None) -> Design:
    """Read conf/score/listening.yaml or the like; `kind` goes before the file's.

    Raises:
        InputError: it is no such file, or has an entry that there is not.
    """
    design = load(Design, path) if path else Design()
    return replace(design, kind=kind) if kind else design
