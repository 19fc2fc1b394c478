"""Configuration of data jobs: conf/cluster/*.yaml, with the names of ESPnet3's parallel configuration."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.machine import gpus, is_gpu
from espnet2_valle.common.options import load

LOCAL, SLURM, PBS, SSH = "local", "slurm", "pbs", "ssh"
ENVS = (LOCAL, SLURM, PBS, SSH)


@dataclass(frozen=True)
class ClusterConfig:
    """One file of conf/cluster/. The defaults are those of conf/cluster/local.yaml.

    Attributes:
        env: processes of this machine, jobs of Slurm or PBS, or processes of machines reached by SSH.
        n_workers: how many; None is what the command's --nj says.
        allowed_failures: an item is given up when more than so many workers have died while working on it.
        no_workers_timeout: seconds without any worker after which the work is given up.
        options: of Dask's LocalCluster, SSHCluster, or dask-jobqueue's SLURMCluster and PBSCluster.
        gpu_workers: how many where the work is on GPUs; None is `n_workers`, on this machine one for each
            GPU that is visible. More than those share them. By SSH each machine needs a GPU for each of its
            workers.
        gpu_options: of the same, in place of those of `options`, where the work is on GPUs.
        path: the file, for errors.
    """

    env: str = LOCAL
    n_workers: int | None = None
    allowed_failures: int = 2
    no_workers_timeout: float = 300.0
    options: Mapping[str, Any] = field(default_factory=dict)
    gpu_workers: int | None = None
    gpu_options: Mapping[str, Any] = field(default_factory=dict)
    path: str = "--cluster"

    def __post_init__(self) -> None:
        if self.env not in ENVS:
            raise InputError(self.path, f"there is no env '{self.env}'", f"Choose among {', '.join(ENVS)}")
        bounds = {"n_workers": 1, "gpu_workers": 1, "allowed_failures": 0, "no_workers_timeout": 1}
        for name, least in bounds.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(self.path, f"{name} is {value!r}", f"Give a number from {least} on")
        if self.env == SSH and not self.options.get("hosts"):
            raise InputError(
                self.path, "options has no hosts", "List the machines, such as hosts: [node1, node2]"
            )

    @classmethod
    def load(cls, path: str | Path) -> "ClusterConfig":
        """Read and check a YAML file.

        Raises:
            InputError: no such file, not YAML, an unknown key or a value that cannot be.
        """
        config = load(cls, path, "--cluster", path=str(path))
        return replace(config, options=_given(config.options), gpu_options=_given(config.gpu_options))

    def workers(self, nj: int, device: str = "cpu") -> int:
        """Number of workers, where the command asks for `nj`, and they compute on `device`."""
        if is_gpu(device) and self.gpu_workers:
            return self.gpu_workers
        if is_gpu(device) and self.env == LOCAL:
            return len(gpus(device))
        return self.n_workers or max(1, nj)

    def on(self, device: str) -> "ClusterConfig":
        """The same, with its options for workers that compute on `device`."""
        return replace(self, options={**self.options, **self.gpu_options}) if is_gpu(device) else self


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options without those that are null, which stands for Dask's default."""
    return {name: value for name, value in options.items() if value is not None}


def add_worker_arguments(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The options --nj and --cluster, alike in every command that has parallel work."""
    parser.add_argument("--nj", type=int, default=1, help="workers; one works in the command's own process")
    parser.add_argument(
        "--cluster", help="where they run, conf/cluster/*.yaml; without it as processes of this machine"
    )


def add_device_argument(parser: argparse.ArgumentParser | argparse._ArgumentGroup, what: str) -> None:
    """The option --device of a command with parallel work; `what` computes there."""
    parser.add_argument(
        "--device",
        default="cpu",
        help=f"of {what}: cpu, cuda (a worker on each GPU that is visible, in place of --nj), cuda:N",
    )
