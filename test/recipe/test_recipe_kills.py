"""A recipe killed again and again, at random moments of its stages, ends as one that never was.

By default a kill in each stage that prepares data; ESPNET2_VALLE_KILLS=20 makes as many in all stages, which
takes several minutes. Trainings are killed in test/tasks/test_training.py too.
"""

import json
import os
import random
import re
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
import torch
from miniature import RUN, write_configs

from espnet2_valle.common.resume import Journal

pytestmark = pytest.mark.recipe
KILLS = int(os.environ.get("ESPNET2_VALLE_KILLS", "4"))
LAST = 10 if "ESPNET2_VALLE_KILLS" in os.environ else 4  # stage
SEED = 0
STAGE = re.compile(r"stage (\d+): ")
# What tells times, or the moments of writing: markers, logs, and what shows them.
TIMED = re.compile(
    r"\.done|\.log$|stage_times|tfevents|/images/|report\.html$|scores\.json$|RESULTS\.md$|runtime"
    r"|judge/\.started$"  # a digest that markers of stage 2 are in
)
CHECKPOINTS = ("checkpoint.pth", "step.pth")


class Run:
    """A started recipe, in a process group of its own.

    Attributes:
        begun: when each stage began, by its number, in seconds since the start.
    """

    def __init__(self, options, log):
        self.log = open(log, "ab")  # noqa: SIM115 -- closed by `follow`
        self.process = subprocess.Popen(
            [str(RUN), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self.started = time.monotonic()
        self.begun = {}

    def follow(self, until=None):
        """Read what it prints until stage `until` begins, or to the end."""
        for line in self.process.stdout:
            self.log.write(line.encode())
            found = STAGE.search(line)
            if found:
                self.begun[int(found[1])] = time.monotonic() - self.started
                if int(found[1]) == until:
                    return
        self.log.close()
        assert self.process.wait() == 0, Path(self.log.name).read_text()
        self.begun[LAST + 1] = time.monotonic() - self.started

    def kill(self):
        """End every process of it at once; whether there was one to end."""
        alive = self.process.poll() is None
        if alive:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.stdout.close()
        self.process.wait()
        self.log.close()
        return alive


def test_kills_leave_no_trace(tmp_path):
    options = [*write_configs(tmp_path / "run"), "--stop_stage", str(LAST)]
    for kind in ("ar", "nar"):
        options += [f"--{kind}_args", "--save_interval 1"]
    whole = Run(options, tmp_path / "log")
    whole.follow()
    durations = {stage: whole.begun[stage + 1] - whole.begun[stage] for stage in range(1, LAST + 1)}
    results = [tmp_path / "run" / name for name in ("data", "dump", "exp")]
    for folder in results:
        folder.rename(tmp_path / folder.name)
    chance = random.Random(SEED)
    stages = sorted(1 + kill % LAST for kill in range(KILLS))
    killed = 0
    for stage in stages:
        run = Run(options, tmp_path / "log")
        run.follow(until=stage)
        time.sleep(chance.random() * durations[stage])
        killed += run.kill()
    print(f"killed {killed} times")
    assert killed  # on a machine that has become faster, a run may end before its kill
    Run(options, tmp_path / "log").follow()
    for folder in results:
        assert differences(tmp_path / folder.name, folder) == []


def differences(one, other):
    """Files under two folders that do not say the same."""
    names = [
        {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        for folder in (one, other)
    ]
    different = [name for name in names[0] ^ names[1] if not TIMED.search(name)]
    for name in sorted(names[0] & names[1]):
        if not TIMED.search(name) and content(one / name) != content(other / name):
            different.append(name)
    return different


def content(path):
    """What a file says, without names of temporary files and times."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist() if name.startswith("codec/")}
    if path.parent.name == "manifest":  # its first line stands for when the shard's files were written
        return path.read_bytes().split(b"\n", 1)[1]
    if path.name == "made_from":  # each row's second column stands for when its source was written
        return [row[::2] for row in Journal(path).rows()]
    if path.name == "journal.jsonl":  # of decoding; a digest stands for when the prompt was written, too
        return [{pair: ending[:2] for pair, ending in row.items()} for row in Journal(path).rows()]
    if path.name == "options.json":  # of decoding; `modified` tells when the models were written
        return json.loads(path.read_bytes())["options"]
    if path.suffix != ".pth":
        return path.read_bytes()
    state = torch.load(path, map_location="cpu", weights_only=False)
    if path.name not in CHECKPOINTS:
        return numbers(state)
    curve = {
        (epoch, part, name): repr(value)  # a judge's may be NaN, which is not equal to itself
        for epoch, parts in state["reporter"]["stats"].items()
        for part, stats in parts.items()
        for name, value in stats.items()
        if name in ("loss", "acc", "acc10", "grad_norm", "padding")
    }
    return numbers(state["model"]), numbers(state["optimizers"]), curve


def numbers(state):
    """Plain, comparable content of a nest of tensors."""
    if torch.is_tensor(state):
        return str(state.dtype), state.tolist()
    if isinstance(state, dict):
        return {key: numbers(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [numbers(value) for value in state]
    return state
