"""Limits that Linux's control groups set this process: a container's, a batch job's, or a service's.

A group's limit holds for all groups in it, so the lowest counts of all that the process is in.
"""

from collections.abc import Iterator
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")
UNIFIED = "unified"  # where version 2 is mounted beside version 1


def cpu_limit() -> float | None:
    """Cores' worth of time that the process gets, such as 1.5; None without a limit."""
    quotas = []
    for folder in _groups("cpu"):
        both = _words(folder / "cpu.max")  # version 2: quota and period
        both = both or _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
        if len(both) == 2 and both[0].isdigit() and int(both[1]):
            quotas.append(int(both[0]) / int(both[1]))
    return min(quotas, default=None)


def memory_limit() -> int | None:
    """Bytes that the process may use; None without a limit."""
    limits = []
    for folder in _groups("memory"):
        words = _words(folder / "memory.max") or _words(folder / "memory.limit_in_bytes")
        limits += [int(word) for word in words if word.isdigit()]
    return min(limits, default=None)


def _groups(controller: str) -> Iterator[Path]:
    """Folders of the groups that the process is in; in a container some may lie outside and not be there."""
    try:
        lines = MEMBERSHIP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mounts = [MOUNT, MOUNT / UNIFIED]
        elif controller in controllers.split(","):
            mounts = [MOUNT / controller, MOUNT / controllers]
        else:
            continue
        inner = Path(path.lstrip("/"))
        yield from (mount / group for mount in mounts for group in (inner, *inner.parents))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except OSError:
        return []
