"""A Slurm of one node on the loopback interface, in a folder of its own: munged, slurmctld and slurmd."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")
PATIENCE = 30  # seconds for a daemon to answer
CONFIG = """
ClusterName=loopback
SlurmctldHost=localhost
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SchedulerParameters=bf_interval=1,sched_min_interval=0
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName=localhost NodeAddr=127.0.0.1 NodeHostname={host} CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=loopback Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


def obstacle() -> str:
    """Why no Slurm can be run here; "" if one can."""
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    missing = [name for name in DAEMONS if shutil.which(name, path=path) is None]
    if missing:
        return f"no {', '.join(missing)}: install Debian's slurm-wlm and munge"
    return "" if os.geteuid() == 0 else "slurmd starts jobs as root only"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def slurm(folder: Path):
    """Run the daemons while the block lasts; yields what must be in the environment of Slurm's commands."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    config = folder / "slurm.conf"
    config.write_text(
        CONFIG.format(
            folder=folder,
            user=getpass.getuser(),
            host=socket.gethostname(),
            cpus=os.cpu_count(),
            ctld_port=free_port(),
            slurmd_port=free_port(),
        )
    )
    environment = {"SLURM_CONF": str(config)}
    munge = [
        *("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"),
        *(f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log"),
        *(f"--seed-file={folder}/munged.seed", "--num-threads=1"),
    ]
    with ExitStack() as running:
        running.enter_context(daemon(munge, folder, environment))
        wait_for(lambda: (folder / "munge.socket").exists(), folder)
        running.enter_context(daemon(["slurmctld", "-D", "-f", str(config)], folder, environment))
        running.enter_context(
            daemon(["slurmd", "-D", "-N", "localhost", "-f", str(config)], folder, environment)
        )
        wait_for(lambda: state_of_node(environment) == "idle", folder)
        yield environment


@contextmanager
def daemon(command: list[str], folder: Path, environment: dict[str, str]):
    path = shutil.which(command[0], path=os.environ["PATH"] + ":/usr/sbin")
    with open(folder / f"{command[0]}.out", "w") as out:
        process = subprocess.Popen(
            [str(path), *command[1:]], stdout=out, stderr=out, env={**os.environ, **environment}
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def state_of_node(environment: dict[str, str]) -> str:
    asked = subprocess.run(
        ["sinfo", "--noheader", "--format=%t"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip()


def wait_for(condition, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            logs = "\n".join(f"{path.name}:\n{path.read_text()}" for path in folder.glob("*.[lo][ou][gt]"))
            raise TimeoutError(f"Slurm did not come up in {PATIENCE} s\n{logs}")
        time.sleep(0.1)
