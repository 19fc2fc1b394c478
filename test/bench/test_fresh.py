"""Work in a process of its own: its result, its time, and how it fails."""

import os

import pytest

from espnet2_valle.bench.fresh import run_fresh
from espnet2_valle.common.errors import InputError


def work(number, more=0):
    print("not for the table")
    return number + more, os.getpid(), os.environ["OMP_NUM_THREADS"]


def refuse():
    raise InputError("--config", "is no good", "Give another")


def die():
    os._exit(3)


def test_the_result_comes_back_from_another_process(capfd, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    done = run_fresh(work, 1, more=2, environment={"OMP_NUM_THREADS": "5"})
    number, process, threads = done.result
    assert (number, threads) == (3, "5")
    assert process != os.getpid()
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert done.seconds > 0
    said = capfd.readouterr()
    assert said.out == ""
    assert "not for the table" in said.err


def test_how_it_ended_is_told():
    with pytest.raises(InputError, match="--config: is no good"):
        run_fresh(refuse)
    with pytest.raises(RuntimeError, match="die ended with status 3"):
        run_fresh(die)
