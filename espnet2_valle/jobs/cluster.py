"""Starting Dask's workers, and ending them."""

import inspect
import logging
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.machine import ALL_GPUS, VISIBLE_GPUS, gpus
from espnet2_valle.common.options import check_keys
from espnet2_valle.jobs.config import LOCAL, PBS, SLURM, SSH, ClusterConfig

if TYPE_CHECKING:
    from distributed import Client

LOOPBACK = "127.0.0.1"
NO_DASHBOARD = {"dashboard": False, "dashboard_address": f"{LOOPBACK}:0"}  # of Dask's Scheduler
SSH_OPTIONS = (
    "hosts",
    "connect_options",
    "worker_options",
    "scheduler_options",
    "worker_class",
    "remote_python",
)
EXTRA_REMEDY = "Install the extra: pip install 'espnet2_valle[cluster]'"
# One thread a worker: the threads of numpy and torch would fight over the same cores.
WORKER_ENVIRONMENT = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")}
# What workers on other machines say goes to their own log; by SSH, Dask even waits for it.
LOCAL_ENVIRONMENT = {**WORKER_ENVIRONMENT, "DASK_LOGGING__DISTRIBUTED": "critical"}
# Workers hold no data of Dask's. A worker that paused because its model is large would wait for ever.
MEMORY = {f"distributed.worker.memory.{name}": False for name in ("target", "spill", "pause")}


@contextmanager
def open_client(config: ClusterConfig, n_workers: int, device: str = "cpu") -> Iterator["Client"]:
    """Start a scheduler in this process and `n_workers` workers of one thread; end them with the block.

    A worker that dies is replaced where it ran, with a word in the log; a job that ends is not.

    Args:
        config: where they run.
        n_workers: how many.
        device: where their work computes. On `cuda` each sees one GPU, so that this is its own: on this
            machine and by SSH they take turns at the GPUs; a job has those that the batch system gave it.

    Raises:
        InputError: options that the cluster does not take, a missing package or command, or no worker starts.
    """
    import dask

    settings = {
        "distributed.scheduler.allowed-failures": config.allowed_failures,
        "distributed.scheduler.no-workers-timeout": f"{config.no_workers_timeout}s",
        "distributed.nanny.pre-spawn-environ": LOCAL_ENVIRONMENT
        if config.env == LOCAL
        else WORKER_ENVIRONMENT,
        **MEMORY,
    }
    with dask.config.set(settings), _quiet():
        from distributed import Client

        try:
            cluster = BUILDERS[config.env](config, n_workers, device)
        except (TypeError, ValueError, RuntimeError, OSError) as error:
            raise InputError(
                config.path,
                f"no workers of '{config.env}' could be started ({_reason(error)})",
                "Correct its options, or leave out --cluster to work on this machine",
            ) from error
        with cluster, Client(cluster) as client:
            yield client


@contextmanager
def _quiet() -> Iterator[None]:
    """Of Dask's log, the replacing of workers is of interest to who runs a job."""
    levels = {"distributed": logging.CRITICAL, "distributed.nanny": logging.WARNING}
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _local(config: ClusterConfig, n_workers: int, device: str) -> Any:
    """Processes of this machine, reachable from this machine only."""
    from distributed import LocalCluster, Nanny, Worker

    _check_options(config, LocalCluster, Nanny, Worker)
    options = {
        "host": LOOPBACK,
        "dashboard_address": None,
        "scheduler_kwargs": NO_DASHBOARD,
        "memory_limit": 0,
        "preload": "espnet2_valle.jobs.worker",
        "silence_logs": logging.CRITICAL,
        **config.options,
    }
    kind = _with_gpus(LocalCluster, gpus()) if device == ALL_GPUS else LocalCluster
    return kind(n_workers=n_workers, threads_per_worker=1, processes=True, **options)


def _with_gpus(kind: Any, visible: Sequence[str]) -> Any:
    """The class LocalCluster for workers that see one GPU each, of those in `visible` in turn.

    They do so before they load torch, and keep it when they are replaced. RAPIDS' dask-cuda goes the same
    way, and brings much that is not needed here.
    """

    class GPUCluster(kind):
        def __init__(self, n_workers: int, **options: Any):
            super().__init__(n_workers=0, **options)  # whose workers would all be alike
            self.scale(n_workers)
            self.sync(self._correct_state)  # waits until they are there

        def new_worker_spec(self) -> dict[int, Any]:
            [(number, spec)] = super().new_worker_spec().items()
            options = spec["options"]
            environment = {**options.get("env", {}), VISIBLE_GPUS: visible[number % len(visible)]}
            return {number: {**spec, "options": {**options, "env": environment}}}

    return GPUCluster


def _queue(config: ClusterConfig, n_workers: int, name: str, command: str) -> Any:
    """Jobs of a batch system, through dask-jobqueue."""
    if shutil.which(command) is None:
        raise InputError(
            config.path,
            f"env is {config.env}, and there is no command '{command}' here",
            "Run where jobs can be submitted, or leave out --cluster to work on this machine",
        )
    kind = getattr(_import(config, "dask_jobqueue"), name)
    _check_options(config, kind, kind.job_cls)
    exports = {**WORKER_ENVIRONMENT, **{_variable(key): str(value) for key, value in MEMORY.items()}}
    given = config.options
    options = {
        "cores": 1,
        "processes": 1,
        "silence_logs": logging.CRITICAL,
        **given,
        "scheduler_options": {**NO_DASHBOARD, **given.get("scheduler_options", {})},
        "worker_extra_args": ["--no-dashboard", *given.get("worker_extra_args", ())],
        "job_script_prologue": [
            *(f"export {key}={value}" for key, value in exports.items()),
            *given.get("job_script_prologue", ()),
        ],
    }
    cluster = kind(**options)
    cluster.scale(n_workers)
    cluster.sync(cluster._correct_state)  # waits until the jobs are submitted
    refused = [job for job in cluster.workers.values() if job.job_id is None]
    if refused:  # Dask would log why, and wait for them
        with suppress(AssertionError):
            cluster.close()
        raise RuntimeError(f"{command} refused {len(refused)} of {n_workers} jobs, as logged above")
    logging.info("waiting for %d workers of %s; the work begins with the first", n_workers, config.env)
    return cluster


def _slurm(config: ClusterConfig, n_workers: int, device: str) -> Any:
    return _queue(config, n_workers, "SLURMCluster", "sbatch")


def _pbs(config: ClusterConfig, n_workers: int, device: str) -> Any:
    return _queue(config, n_workers, "PBSCluster", "qsub")


def _ssh(config: ClusterConfig, n_workers: int, device: str) -> Any:
    """Processes of machines that share this one's files; the scheduler runs on the first of them."""
    _import(config, "asyncssh")
    from distributed import SSHCluster

    check_keys(f"{config.path}: options", config.options, SSH_OPTIONS, "option")
    given = dict(config.options)
    hosts = given.pop("hosts")
    each = -(-n_workers // len(hosts))
    workers = {"nthreads": 1, "n_workers": each, "memory_limit": 0, "dashboard": False}
    own = f"env PYTHONPATH={shlex.quote(os.environ.get('PYTHONPATH', ''))} {sys.executable}"
    python: Any = given.pop("remote_python", own)
    if device == ALL_GPUS:  # each has a connection of its own, which says what it sees
        hosts = [host for host in hosts for _ in range(each)]
        workers["n_workers"] = 1
        python = [python, *(f"env {VISIBLE_GPUS}={n % each} {python}" for n in range(len(hosts)))]
    options = {
        "remote_python": python,
        **given,
        "scheduler_options": {**NO_DASHBOARD, **given.get("scheduler_options", {})},
        "worker_options": {**workers, **given.get("worker_options", {})},
    }
    return SSHCluster([hosts[0], *hosts], **options)


BUILDERS: dict[str, Callable[[ClusterConfig, int, str], Any]] = {
    LOCAL: _local,
    SLURM: _slurm,
    PBS: _pbs,
    SSH: _ssh,
}


def _import(config: ClusterConfig, package: str) -> Any:
    from importlib import import_module

    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise InputError(
            config.path, f"env {config.env} needs the Python package '{error.name}'", EXTRA_REMEDY
        ) from error


def _check_options(config: ClusterConfig, *kinds: type) -> None:
    """Refuse an option that is an argument of none of these classes: Dask tells of it late and at length."""
    known = {
        name
        for kind in kinds
        for base in inspect.getmro(kind)
        for name, parameter in inspect.signature(vars(base).get("__init__", object)).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD and name != "self"
    }
    check_keys(f"{config.path}: options", config.options, known, "option")


def _variable(key: str) -> str:
    """The environment variable by which Dask reads a key of its configuration."""
    return "DASK_" + key.replace(".", "__").upper()


def _reason(error: BaseException) -> str:
    """Describe the cause of an error in a line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__
