"""The report of a run, written: its page, and a demo page with its sounds."""

import logging
from dataclasses import replace
from pathlib import Path

from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.report.demo import write_demo
from espnet2_valle.report.examples import choose
from espnet2_valle.report.page import render, tested_system
from espnet2_valle.report.read import RunFiles, read_alignments, read_run


def write_report(
    files: RunFiles, output: Path, num_examples: int = 12, seed: int = 0, demo: str | None = None
) -> None:
    """Write the report.

    Args:
        files: what there is of the run.
        output: the page.
        num_examples: pairs to listen to.
        seed: of the choice of examples.
        demo: folder of a demo page, if there is to be one.

    Raises:
        InputError: see `read_run`.
    """
    logging.getLogger("tensorboard").setLevel(logging.WARNING)  # tells where each record of training ends
    run = read_run(files)
    rows = list(run.rows.get(tested_system(run.scores), ()))
    run = replace(run, alignments=read_alignments(files, run, list(choose(rows, num_examples, seed))))
    page = render(run, num_examples, seed)
    with atomic_open(output, alone=True) as stream:
        stream.write(page)
    if demo:
        write_demo(Path(demo), run.name, rows, run.trials, run.wavs, num_examples, seed)
