"""What a machine does well follows from what its libraries say, not from what most machines have."""

import os
import subprocess
import sys
from contextlib import nullcontext

import pytest
import torch

from espnet2_valle.common import machine


@pytest.fixture(autouse=True)
def asked_anew():
    for query in (machine._bfloat16_on_cpu, machine._bfloat16_on_gpu):
        query.cache_clear()
    yield
    for query in (machine._bfloat16_on_cpu, machine._bfloat16_on_gpu):
        query.cache_clear()


@pytest.fixture
def cpu(monkeypatch):
    """Says what a CPU is to answer."""

    def pretend(served, amx=False, avx512_bf16=False, kind="x86_64"):
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: served, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16, raising=False)
        monkeypatch.setattr(machine.platform, "machine", lambda: kind)

    return pretend


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"served": False}, "float32"),  # AVX2
        ({"served": False, "avx512_bf16": True}, "float32"),  # oneDNN was told not to use it
        ({"served": True}, "float32"),  # AVX-512 alone: served, at a third of float32's rate
        ({"served": True, "avx512_bf16": True}, "bfloat16"),
        ({"served": True, "amx": True}, "bfloat16"),
        ({"served": True, "kind": "aarch64"}, "bfloat16"),
        ({"served": False, "kind": "arm64"}, "float32"),
    ],
)
def test_a_cpu_multiplies_bfloat16_where_it_has_instructions_that_the_library_uses(cpu, asked, expected):
    cpu(**asked)
    choice = machine.bfloat16("cpu")
    assert choice.value == machine.training_type("cpu").value == expected
    assert machine.fast_type("cpu") is getattr(torch, expected)
    assert choice.why


def test_a_torch_without_these_queries_multiplies_float32(monkeypatch):
    for module, query in (
        (torch.cpu, "_is_amx_tile_supported"),
        (torch.cpu, "_is_avx512_bf16_supported"),
    ):
        monkeypatch.delattr(module, query, raising=False)
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    assert machine.bfloat16("cpu").value == "float32"


@pytest.mark.parametrize(
    ("capability", "has_bfloat16", "training"),
    [
        ((9, 0), True, "bfloat16"),
        ((7, 5), False, "float16"),
        ((7, 0), False, "float16"),
        ((6, 1), False, "float32"),
    ],
)
def test_a_gpu_without_bfloat16_trains_in_float16_where_that_is_fast(
    monkeypatch, capability, has_bfloat16, training
):
    asked = []
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation: asked.append(including_emulation) or has_bfloat16,
    )
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "device", lambda index: asked_of.append(index) or nullcontext())
    asked_of = []
    for device in ("cuda", "cuda:1", "cuda:1"):
        choice = machine.training_type(device)
        assert choice.value == training
        assert "a GPU" in choice.why
        assert machine.fast_type(device) is (torch.bfloat16 if has_bfloat16 else torch.float32)
    assert asked_of == [0, 1]  # each once
    assert set(asked) == {False}  # V100 and T4 emulate it


def test_nothing_is_assumed_of_other_devices():
    assert machine.training_type("mps").value == "float32"


def test_workers_have_memory_and_a_core_each(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 16)
    for gigabytes, expected in ((64, 16), (4, 2), (0.5, 1)):
        monkeypatch.setattr(machine, "memory", lambda limit=gigabytes * 2**30: limit)
        assert machine.workers() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_cores_are_those_of_the_affinity():
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from espnet2_valle.common.machine import cores; print(cores())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


@pytest.mark.parametrize(
    "own", [{"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}, {"KMP_BLOCKTIME": "1"}]
)
def test_who_says_how_threads_wait_is_obeyed(own):
    environment = dict(own)
    machine.share_cores(environment)
    assert {name: environment[name] for name in machine.WAITING if name in environment} == own


def test_threads_do_not_spin_for_long_while_they_wait():
    environment = {}
    machine.share_cores(environment)
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert int(environment["GOMP_SPINCOUNT"]) <= 1000
    assert environment["KMP_BLOCKTIME"] == "0"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_a_quota_below_the_affinity_limits_threads(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 1)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    environment = {}
    machine.share_cores(environment)
    assert environment["OMP_NUM_THREADS"] == "1"
    environment = {"OMP_NUM_THREADS": "3"}
    machine.share_cores(environment)
    assert environment["OMP_NUM_THREADS"] == "3"


def test_the_commands_set_it_before_torch_is_loaded():
    program = (
        "import sys, espnet2_valle.bin, os\nprint(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name not in machine.WAITING}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["PASSIVE", "False"]


@pytest.mark.parametrize(("words", "there"), [("no_such_compiler -O1", False), ("", False), ("sh -c", True)])
def test_a_compiler_is_there_or_not(monkeypatch, words, there):
    monkeypatch.setenv("CXX", words)
    assert machine.has_compiler() is there
    assert machine.describe()["compiler"].startswith("none") is not there


@pytest.mark.parametrize(
    ("limits", "wanted", "allowed", "raised"),
    [
        ((1024, 65536), 1600, 1600, 2112),  # as most systems have it
        ((1024, 65536), 10, 10, None),
        ((1024, 1024), 1600, 512, None),
        ((256, 256), 1600, 128, None),
        ((1024, -1), 100_000, 100_000, 100_512),
        ((-1, -1), 1600, 1600, None),
    ],
)
def test_files_may_be_open_as_far_as_the_hard_limit(monkeypatch, limits, wanted, allowed, raised):
    set_to = []
    monkeypatch.setattr(machine.resource, "getrlimit", lambda kind: limits)
    monkeypatch.setattr(machine.resource, "setrlimit", lambda kind, pair: set_to.append(pair))
    monkeypatch.setattr(machine.resource, "RLIM_INFINITY", -1)
    assert machine.allow_open_files(wanted) == allowed
    assert set_to == ([(raised, limits[1])] if raised else [])
