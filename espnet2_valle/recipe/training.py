"""Trainings of the recipe: their output goes to a log, the lines about epochs to the screen too."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.lock import held_locks, only_one
from espnet2_valle.recipe.steps import Runner, Step, interrupts_left_to_command, log, run, start_training

SHOWN = re.compile(
    rb"epoch started|epoch results|the training will end|a step takes|passes over the training set"
)
TAIL = 25  # lines of the log that are shown when it fails
BLOCK = 65536
# Names by which markers of finished runs know the two ways.
LOGGED, LAUNCHED = "run_logged", "launch_training"


@dataclass(frozen=True)
class Launch:
    """Place where a training runs.

    Attributes:
        ngpu: GPUs a node; 0 is the CPU.
        num_nodes: nodes.
        cmd: script that starts it elsewhere, as of `espnet2.bin.launch --cmd`.
    """

    ngpu: int
    num_nodes: int
    cmd: str


def run_logged(log_file: str, command: Sequence[str]) -> None:
    """Run a command with its output added to a log, and the lines about epochs printed.

    Raises:
        InputError: it failed.
    """
    path = Path(log_file)
    path.parent.mkdir(parents=True, exist_ok=True)
    log(f"training; log: {log_file}")
    with path.open("ab") as stream:
        stream.write(os.fsencode(f"# {' '.join(command)}\n"))
        stream.flush()
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=held_locks()
        )
        with interrupts_left_to_command(), process:
            _follow(process.stdout, stream)
    if process.returncode:
        lines = path.read_bytes().splitlines(keepends=True)[-TAIL:]
        sys.stderr.buffer.write(b"".join(lines))
        raise InputError(
            log_file, "the training was broken off", "Run the same command again to go on from the last epoch"
        )


def logged_step(
    log_file: str, marker: str, output: str, files: Sequence[str], command: Sequence[str]
) -> None:
    """Perform a step whose output goes to a log.

    Raises:
        InputError: a file is missing; it failed.
    """
    Step(marker, output, files, command, partial(run_logged, log_file), [LOGGED, log_file]).perform()


def _follow(source: IO[bytes] | None, target: IO[bytes]) -> None:
    assert source is not None
    line = b""
    while block := os.read(source.fileno(), BLOCK):
        target.write(block)
        target.flush()
        *lines, line = (line + block).split(b"\n")
        for shown in filter(SHOWN.search, lines):
            sys.stdout.buffer.write(shown + b"\n")
            sys.stdout.flush()


def train(
    folder: str, output: str, files: Sequence[str], command: Sequence[str], launch: Launch | None
) -> None:
    """Train in a folder, or go on there, unless it was done before.

    Args:
        folder: training directory.
        output: what the training leaves.
        files: what it reads.
        command: its words.
        launch: where; None for a recogniser's, which takes no `--ngpu`.

    Raises:
        InputError: the folder holds a training with other settings, or one at work; the training failed.
    """
    log_file = f"{folder}/train.log"
    words = [LOGGED, log_file] if launch is None else [LAUNCHED, folder]
    with only_one(folder):
        started = start_training(folder, files, command)
        Step(
            f"{folder}/.done", output, [started], command, _runner(folder, log_file, launch), words
        ).perform()


def _runner(folder: str, log_file: str, launch: Launch | None) -> Runner:
    if launch is None:
        return partial(run_logged, log_file)
    if launch.ngpu <= 1 and launch.num_nodes <= 1:
        return lambda command: run_logged(log_file, [*command, "--ngpu", str(launch.ngpu)])
    launcher = [sys.executable, "-m", "espnet2.bin.launch", "--cmd", launch.cmd, "--log", log_file]
    launcher += ["--ngpu", str(launch.ngpu), "--num_nodes", str(launch.num_nodes)]
    launcher += ["--init_file_prefix", f"{folder}/.dist_init_", "--multiprocessing_distributed", "true", "--"]
    return lambda command: run([*launcher, *command])
