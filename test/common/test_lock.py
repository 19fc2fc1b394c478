"""Folders that one process works in at a time."""

import os
import signal
import subprocess
import sys
import time

import pytest

from espnet2_valle.common import lock
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.lock import held_locks, only_one


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 0.1)


HOLD = "import sys, time\nfrom espnet2_valle.common.lock import *\n"
HOLD += "with only_one(sys.argv[1]):\n    print('held', flush=True)\n    time.sleep(60)\n"
# A process that works on when the one that started it is killed.
PARENT = (
    "import subprocess, sys, time\nfrom espnet2_valle.common.lock import *\nwith only_one(sys.argv[1]):\n"
)
PARENT += "    child = subprocess.Popen(['sleep', '60'], pass_fds=held_locks())\n"
PARENT += "    print(child.pid, flush=True)\n    time.sleep(60)\n"


def started(code, folder):
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip()


def test_the_second_is_told_who_is_the_first(tmp_path):
    process, _ = started(HOLD, tmp_path)
    message = rf"{tmp_path}: process {process.pid} of .* is at work there"
    with pytest.raises(InputError, match=message), only_one(tmp_path):
        pass
    process.kill()
    process.wait()
    with only_one(tmp_path):  # what a kill left is no hindrance
        assert str(os.getpid()) in (tmp_path / ".lock").read_text()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_stayed_empty_goes_and_no_other(tmp_path):
    with only_one(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert not (tmp_path / "a").exists()
    with only_one(tmp_path / "a" / "b"):
        (tmp_path / "a" / "made").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["made"]


def test_folders_beside_one_another_and_locks_of_other_names_are_free(tmp_path):
    with only_one(tmp_path / "a"), only_one(tmp_path / "b"), only_one(tmp_path / "a", "other"):
        assert len(held_locks()) == 3
        with pytest.raises(InputError, match="is at work there"), only_one(tmp_path / "b"):
            pass
    assert held_locks() == ()


def test_a_block_that_fails_leaves_no_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), only_one(tmp_path):
        1 / 0  # noqa: B018
    assert not list(tmp_path.iterdir())
    with only_one(tmp_path):
        pass


def test_what_was_started_keeps_the_lock_when_its_parent_is_killed(tmp_path):
    process, child = started(PARENT, tmp_path)
    process.kill()
    process.wait()
    try:
        with pytest.raises(InputError, match="is at work there"), only_one(tmp_path):
            pass
    finally:
        os.kill(int(child), signal.SIGKILL)
    for _ in range(100):
        try:
            with only_one(tmp_path):
                return
        except InputError:
            time.sleep(0.1)
    raise AssertionError("the lock outlives those who held it")


def test_who_was_just_killed_has_a_moment_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 30.0)
    process, _ = started(HOLD, tmp_path)
    monkeypatch.setattr(lock.time, "sleep", lambda seconds: (process.kill(), process.wait()))
    with only_one(tmp_path):
        assert process.returncode is not None
