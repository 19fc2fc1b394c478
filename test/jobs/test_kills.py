"""Jobs that are killed, worker or driver: a rerun ends with the bytes of an uninterrupted run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from small_job import NUMBERS, SHARD, run

JOB = Path(__file__).with_name("small_job.py")
PATIENCE = 60  # seconds; a machine may be busy


def start(folder):
    return subprocess.Popen(
        [sys.executable, str(JOB), str(folder), "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # Who starts tests in the background may have them ignore interrupts, which children inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def workers_of(process):
    """Dask's worker processes; Python's resource tracker is another child."""
    return [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]


def content(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What an uninterrupted run leaves."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder, 1)
    assert (folder / "squares").read_text().split() == [str(n * n) for n in range(NUMBERS)]
    return content(folder)


def test_a_killed_worker_is_replaced(tmp_path, whole):
    process = start(tmp_path)
    until(lambda: (tmp_path / "manifest" / "shard.1").exists())
    workers = workers_of(process)
    assert len(workers) == 2
    workers[0].kill()
    printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, printed
    assert content(tmp_path) == whole


def test_a_killed_driver_takes_its_workers_with_it_and_a_rerun_goes_on(tmp_path, whole):
    process = start(tmp_path)
    until(lambda: (tmp_path / "manifest" / "shard.2").exists())
    workers = workers_of(process)
    assert workers
    process.kill()
    process.wait()
    until(lambda: not any(worker.is_running() for worker in workers))
    assert not (tmp_path / "squares").exists()
    done = (tmp_path / "manifest" / "shard.1").stat().st_mtime_ns
    run(tmp_path, 1)
    assert content(tmp_path) == whole
    assert (tmp_path / "manifest" / "shard.1").stat().st_mtime_ns == done


@pytest.mark.parametrize("group", [False, True], ids=["driver", "ctrl-c"])
def test_an_interrupt_ends_driver_and_workers(tmp_path, group):
    process = start(tmp_path)
    until(lambda: (tmp_path / "manifest" / "shard.1").exists())
    workers = workers_of(process)
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert printed.count("KeyboardInterrupt") == 1, printed
    until(lambda: not any(worker.is_running() for worker in workers))
    assert len(list((tmp_path / "manifest").iterdir())) < NUMBERS // SHARD
