"""GPUs as a resource of jobs, with fakes of them: what workers see, and what clusters are asked for."""

import os
import signal
import sys
import time
from types import ModuleType, SimpleNamespace

import distributed
import pytest
import torch
import yaml
from gpu_tasks import visible

from espnet2_valle.common import machine
from espnet2_valle.common.conf import CONF
from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.jobs import cluster
from espnet2_valle.jobs.config import ClusterConfig
from espnet2_valle.jobs.pool import Workers, parallel_map, use_cluster

NAMES = ["5", "GPU-7"]  # as a batch system may give them
PATIENCE = 60  # seconds; a machine may be busy


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv(machine.VISIBLE_GPUS, ",".join(NAMES))


@pytest.mark.parametrize(
    ("variable", "count", "names"),
    [
        (None, 2, ["0", "1"]),
        ("", 0, []),
        ("3, 1", 2, ["3", "1"]),
        ("GPU-a,GPU-b", 2, ["GPU-a", "GPU-b"]),
        ("2,9", 1, ["2"]),  # CUDA stops at the first that is not there
    ],
)
def test_the_gpus_that_are_visible(monkeypatch, variable, count, names):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.delenv(machine.VISIBLE_GPUS, raising=False)
    if variable is not None:
        monkeypatch.setenv(machine.VISIBLE_GPUS, variable)
    assert machine.gpus() == names
    assert machine.gpus("cuda:1") == names[1:2]


def test_each_gpu_has_a_worker_that_sees_no_other_before_it_loads_torch(two_gpus):
    with use_cluster(device="cuda"):
        seen = set(parallel_map(visible, range(20), nj=7))
    assert len(seen) == 2
    assert {name for _, name, _ in seen} == set(NAMES)
    assert not any(loaded for *_, loaded in seen)
    assert os.environ[machine.VISIBLE_GPUS] == ",".join(NAMES)


def test_a_worker_in_the_place_of_one_that_died_has_its_gpu(two_gpus):
    with Workers(ClusterConfig(), "cuda") as workers:
        client = workers.start(2)
        process = min(gpus_by_process(client))
        os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while (after := gpus_by_process(client)).keys() & {process} or len(after) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert sorted(after.values()) == NAMES


def gpus_by_process(client):
    found = client.run(visible, on_error="ignore").values()
    return {process: name for process, name, _ in found}


def test_more_workers_than_gpus_share_them(two_gpus):
    with Workers(ClusterConfig(gpu_workers=3), "cuda") as workers:
        client = workers.start(workers.config.workers(1, "cuda"))
        client.wait_for_workers(3, timeout=120)
        names = [name for _, name, _ in client.run(visible).values()]
    assert sorted(names) == ["5", "5", "GPU-7"]


@pytest.mark.parametrize("device", ["cuda:1", "cpu", "cuda"])
def test_one_worker_is_this_process(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1 if device == "cuda" else 2)
    with use_cluster(device=device):
        assert {pid for pid, *_ in parallel_map(visible, range(3))} == {os.getpid()}


def test_workers_on_the_cpu_see_what_this_process_does(two_gpus):
    with use_cluster():
        assert {name for _, name, _ in parallel_map(visible, range(8), nj=2)} == {",".join(NAMES)}


@pytest.mark.parametrize("device", ["cuda", "cuda:7"])
def test_a_gpu_that_is_not_here_is_told_before_the_work(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InputError, match=f"--device: there is no {device} here"), use_cluster(device=device):
        pass


def fill_the_gpu(number: int) -> int:
    if number == 2:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nGPU 0 has ...")
    return number


def test_a_batch_that_a_gpu_has_no_room_for_is_told_and_can_be_done_again(two_gpus):
    with use_cluster(device="cuda"):
        done = list(parallel_map(fill_the_gpu, range(4), keep_errors=True))
    assert [one for one in done if not isinstance(one, InputError)] == [0, 1, 3]
    assert isinstance(done[2], WorkError)
    assert str(done[2]).startswith("--device: the GPU's memory does not suffice for 2 (CUDA out of memory.")
    assert "Give a smaller --batch_size" in str(done[2])


def test_how_many_workers(two_gpus):
    slurm = ClusterConfig.load(CONF / "cluster" / "slurm.yaml")
    assert [slurm.workers(3, device) for device in ("cpu", "cuda")] == [16, 4]
    ssh = ClusterConfig.load(CONF / "cluster" / "ssh.yaml")
    assert [ssh.workers(3, device) for device in ("cpu", "cuda")] == [8, 8]
    local = ClusterConfig.load(CONF / "cluster" / "local.yaml")
    assert [local.workers(3, device) for device in ("cpu", "cuda", "cuda:1")] == [3, 2, 1]


class Queue:
    """A cluster of dask-jobqueue, which keeps what it is asked for."""

    asked: dict = {}
    workers: dict = {}
    job_cls = SimpleNamespace

    def __init__(self, cores=0, processes=0, memory="", job_extra_directives=(), resource_spec="", **more):
        Queue.asked = {"memory": memory, "spec": resource_spec, "directives": list(job_extra_directives)}

    def scale(self, number):
        Queue.asked["number"] = number

    def sync(self, function):
        pass

    def _correct_state(self):
        pass


@pytest.mark.parametrize(
    ("env", "command", "asked"),
    [
        ("slurm", "sbatch", {"spec": "", "directives": ["--gres=gpu:1"]}),
        ("pbs", "qsub", {"spec": "select=1:ncpus=1:ngpus=1:mem=16GB", "directives": ["-V"]}),
    ],
)
def test_batch_systems_are_asked_for_a_gpu_a_job(monkeypatch, tmp_path, env, command, asked):
    queues = ModuleType("dask_jobqueue")
    queues.SLURMCluster = queues.PBSCluster = Queue
    monkeypatch.setitem(sys.modules, "dask_jobqueue", queues)
    monkeypatch.setattr(cluster, "_check_options", lambda *given: None)
    (tmp_path / command).write_text("#!/bin/sh\n")
    (tmp_path / command).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    config = ClusterConfig.load(CONF / "cluster" / f"{env}.yaml")
    cluster.BUILDERS[env](config.on("cuda"), config.workers(1, "cuda"), "cuda")
    assert Queue.asked == {**asked, "memory": "16GB", "number": 4}
    cluster.BUILDERS[env](config.on("cpu"), config.workers(1, "cpu"), "cpu")
    assert Queue.asked["memory"] == "4GB"
    assert "--gres=gpu:1" not in Queue.asked["directives"]


def test_workers_by_ssh_see_one_gpu_of_their_machine_each(monkeypatch):
    asked = {}
    monkeypatch.setitem(sys.modules, "asyncssh", ModuleType("asyncssh"))
    monkeypatch.setattr(
        distributed, "SSHCluster", lambda hosts, **options: asked.update(options, hosts=hosts)
    )
    config = ClusterConfig(env="ssh", options={"hosts": ["one", "two"], "remote_python": "python"})
    cluster.BUILDERS["ssh"](config, 4, "cuda")
    assert asked["hosts"] == ["one", "one", "one", "two", "two"]  # the first of them for the scheduler
    assert asked["remote_python"] == [
        "python",
        *(f"env CUDA_VISIBLE_DEVICES={number} python" for number in (0, 1, 0, 1)),
    ]
    assert asked["worker_options"]["n_workers"] == 1
    cluster.BUILDERS["ssh"](config, 4, "cpu")
    assert (asked["hosts"], asked["remote_python"]) == (["one", "one", "two"], "python")
    assert asked["worker_options"]["n_workers"] == 2


def test_devices_of_a_cluster_are_not_looked_for_here(tmp_path):
    """Commands check --device only where their workers run here."""
    from espnet2_valle.common.checks import check_options

    check_options(SimpleNamespace(device="cuda", cluster="slurm.yaml"))
    with pytest.raises(InputError, match="there is no cuda:99 here"):
        check_options(SimpleNamespace(device="cuda:99", cluster=None))
    path = tmp_path / "local.yaml"
    path.write_text(yaml.safe_dump({"env": "local"}))
    with pytest.raises(InputError, match="there is no cuda:99 here"), use_cluster(path, "cuda:99"):
        pass
