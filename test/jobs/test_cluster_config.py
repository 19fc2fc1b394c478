"""conf/cluster: the files that come with the project, and files at fault."""

import sys

import pytest
import yaml

from espnet2_valle.common.conf import CONF
from espnet2_valle.common.errors import InputError
from espnet2_valle.jobs.config import ENVS, ClusterConfig
from espnet2_valle.jobs.pool import parallel_map, use_cluster

FOLDER = CONF / "cluster"


@pytest.mark.parametrize("env", ENVS)
def test_each_env_has_a_file(env):
    config = ClusterConfig.load(FOLDER / f"{env}.yaml")
    assert config.env == env


def test_the_local_file_is_the_default():
    config = ClusterConfig.load(FOLDER / "local.yaml")
    default = ClusterConfig()
    for name in (
        "env",
        "n_workers",
        "allowed_failures",
        "no_workers_timeout",
        "options",
        "gpu_workers",
        "gpu_options",
    ):
        assert getattr(config, name) == getattr(default, name)
    assert (config.workers(3), config.workers(0)) == (3, 1)
    assert ClusterConfig(n_workers=5).workers(3) == 5


def written(tmp_path, **content):
    path = tmp_path / "cluster.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"evn": "local"}, "there is no key 'evn'. Choose among allowed_failures, env"),
        ({"env": "moon"}, "there is no env 'moon'. Choose among local, slurm, pbs, ssh"),
        ({"n_workers": 0}, "n_workers is 0. Give a number from 1 on"),
        ({"gpu_workers": 0}, "gpu_workers is 0. Give a number from 1 on"),
        ({"gpu_options": 3}, "gpu_options is 3"),
        ({"n_workers": "many"}, "n_workers is 'many'"),
        ({"allowed_failures": True}, "allowed_failures is True"),
        ({"allowed_failures": None}, "allowed_failures is None"),
        ({"no_workers_timeout": 0.5}, "no_workers_timeout is 0.5"),
        ({"options": ["a"]}, "options is \\['a'\\]"),
        ({"env": "ssh"}, "options has no hosts"),
    ],
)
def test_a_file_at_fault_is_named_with_its_key(tmp_path, content, message):
    path = written(tmp_path, **content)
    with pytest.raises(InputError, match=f"{path}: {message}"), use_cluster(path):
        pass


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="gone.yaml: cannot be read .* Correct --cluster"):
        ClusterConfig.load(tmp_path / "gone.yaml")


def fails_to_start(path, message):
    with pytest.raises(InputError, match=message), use_cluster(path):
        list(parallel_map(abs, range(4), nj=2))


def test_an_option_that_dask_does_not_know_is_told(tmp_path):
    path = written(tmp_path, env="local", options={"threads": 3})
    fails_to_start(path, f"{path}: options: there is no option 'threads'. Choose among .*memory_limit")


def test_a_value_that_dask_does_not_take_is_told(tmp_path):
    path = written(tmp_path, env="local", options={"protocol": "pigeon"})
    fails_to_start(path, f"{path}: no workers of 'local' could be started .*pigeon")


def test_a_machine_without_the_batch_system_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    fails_to_start(written(tmp_path, env="pbs"), "env is pbs, and there is no command 'qsub' here")


@pytest.mark.parametrize(
    ("env", "package", "options"),
    [("slurm", "dask_jobqueue", {}), ("ssh", "asyncssh", {"hosts": ["localhost"]})],
)
def test_a_missing_extra_is_named(tmp_path, monkeypatch, env, package, options):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "sbatch").write_text("#!/bin/sh\n")
    (tmp_path / "sbatch").chmod(0o755)
    path = written(tmp_path, env=env, options=options)
    fails_to_start(path, f"needs the Python package '{package}'.*espnet2_valle\\[cluster\\]")
