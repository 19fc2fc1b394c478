"""Configuration of data jobs: conf/cluster/*.yaml, with the names of ESPnet3's parallel configuration."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from espnet2_valle.common.errors import InputError
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
        path: the file, for errors.
    """

    env: str = LOCAL
    n_workers: int | None = None
    allowed_failures: int = 2
    no_workers_timeout: float = 300.0
    options: Mapping[str, Any] = field(default_factory=dict)
    path: str = "--cluster"

    def __post_init__(self) -> None:
        if self.env not in ENVS:
            raise InputError(self.path, f"there is no env '{self.env}'", f"Choose among {', '.join(ENVS)}")
        for name, least in (("n_workers", 1), ("allowed_failures", 0), ("no_workers_timeout", 1)):
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
        given = {name: value for name, value in config.options.items() if value is not None}
        return replace(config, options=given)  # null stands for Dask's default

    def workers(self, nj: int) -> int:
        """Number of workers, where the command asks for `nj`."""
        return self.n_workers or max(1, nj)


def add_worker_arguments(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The options --nj and --cluster, alike in every command that has parallel work."""
    parser.add_argument("--nj", type=int, default=1, help="workers; one works in the command's own process")
    parser.add_argument(
        "--cluster", help="where they run, conf/cluster/*.yaml; without it as processes of this machine"
    )
