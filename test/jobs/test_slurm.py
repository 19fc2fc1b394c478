"""Jobs on a real Slurm, on the loopback interface of this machine."""

import os
import subprocess
import time

import pytest
import slurm_loopback
import yaml

from espnet2_valle.common.errors import InputError
from espnet2_valle.jobs.pool import parallel_map, use_cluster

pytestmark = pytest.mark.skipif(bool(slurm_loopback.obstacle()), reason=slurm_loopback.obstacle())
PATIENCE = 60


def job_of_worker(number: int) -> tuple[int, str]:
    time.sleep(0.1)
    return number, os.environ.get("SLURM_JOB_ID", "")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    pytest.importorskip("dask_jobqueue", reason="the extra `cluster` is not installed")
    with slurm_loopback.slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture
def write_config(slurm, tmp_path, monkeypatch):
    """Writes a configuration of two workers; Slurm's commands find its daemons."""
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)

    def write(timeout=120, **more):
        options = {"memory": "400MB", "walltime": "00:10:00", "interface": "lo", **more}
        options["log_directory"] = str(tmp_path / "logs")
        config = {"env": "slurm", "n_workers": 2, "no_workers_timeout": timeout, "options": options}
        (tmp_path / "slurm.yaml").write_text(yaml.safe_dump(config))
        return tmp_path / "slurm.yaml"

    return write


def jobs():
    return subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )[:-1]


def test_work_is_done_in_jobs_that_end_with_it(write_config):
    with use_cluster(write_config()):
        done = list(parallel_map(job_of_worker, range(30)))
        assert 1 <= len(jobs()) <= 2
    assert [number for number, _ in done] == list(range(30))
    assert all(job for _, job in done)
    deadline = time.monotonic() + PATIENCE
    while jobs():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_cancelled_job_loses_no_work(write_config):
    with use_cluster(write_config()):
        results = parallel_map(job_of_worker, range(60))
        first = next(results)
        subprocess.run(["scancel", first[1]], check=True)
        done = [first, *results]
    assert [number for number, _ in done] == list(range(60))


def test_a_job_that_slurm_refuses_is_told_at_once(write_config):
    path = write_config(memory="100TB")
    with (
        pytest.raises(InputError, match="no workers of 'slurm'.*sbatch refused 2 of 2 jobs"),
        use_cluster(path),
    ):
        list(parallel_map(job_of_worker, range(4)))


def test_jobs_in_which_no_worker_starts_are_given_up(write_config):
    path = write_config(timeout=3, python="/no/such/python")
    with pytest.raises(InputError, match="had no worker for 3 s"), use_cluster(path):
        list(parallel_map(job_of_worker, range(4)))
