"""Abilities of this machine: asked by all that chooses a type of number, a kernel, threads or workers."""

import functools
import math
import os
import platform
import resource
import shlex
import shutil
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from espnet2_valle.common.cgroup import cpu_limit, memory_limit

if TYPE_CHECKING:
    import torch

COMPILER, COMPILER_VARIABLE = "c++", "CXX"
X86 = ("x86_64", "amd64", "i386", "i686")
FLOAT16_CAPABILITY = (7, 0)  # of GPUs from Volta on: most have matrix units for it
ALL_GPUS = "cuda"  # as the device of many workers: each has its own among those that are visible
VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"
OTHER_FILES = 512  # that a process may have open besides those of a training index
WORKER_BYTES = 1.5 * 2**30  # what a worker of the data stages, of decoding or of scoring may need
# OpenMP's threads soon sleep while they wait (GNU's not at once, which would make each waking cost):
# spinning takes the core from whom they wait for.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}


@dataclass(frozen=True)
class Choice:
    """A choice for this machine, and its reason.

    Attributes:
        value: such as "bfloat16".
        why: the reason, for the log and the report.
    """

    value: str
    why: str


def cores() -> int:
    """CPU cores that this process may use, by its affinity and the quota of its control groups."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_limit()
    return count if quota is None else max(1, min(count, math.ceil(quota)))


def memory() -> int:
    """Bytes of memory that this process may use: the machine's, or the limit of its control groups."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = memory_limit()
    return machine if limit is None else min(machine, limit)


def workers() -> int:
    """Workers that cores and memory are enough for, at least one."""
    return max(1, min(cores(), math.floor(memory() / WORKER_BYTES)))


def is_gpu(device: str) -> bool:
    """Tell devices that are GPUs, cuda and cuda:N, from the CPU."""
    return device.partition(":")[0] == ALL_GPUS


def gpus(device: str = ALL_GPUS) -> list[str]:
    """Names of the GPUs that `device` stands for, all or one, as CUDA_VISIBLE_DEVICES has them.

    Nothing is started on them.
    """
    import torch

    count = torch.cuda.device_count()
    visible = os.environ.get(VISIBLE_GPUS, "").split(",")
    names = ([name.strip() for name in visible if name.strip()] or list(map(str, range(count))))[:count]
    number = device.partition(":")[2]
    return names[int(number) :][:1] if number else names


def allow_open_files(wanted: int) -> int:
    """Raise this process' limit of open files, as far as it may, for so many more.

    Returns:
        how many of them may be open at once, at least one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    enough = wanted + OTHER_FILES
    most = enough if hard == unlimited else min(enough, hard)
    if soft != unlimited and soft < most:
        with suppress(ValueError, OSError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    room = wanted if soft == unlimited else max(soft - OTHER_FILES, soft // 2)
    return max(1, min(wanted, room))


def compiler() -> list[str]:
    """Words that call the C++ compiler; whether there is one, only calling it tells."""
    return shlex.split(os.environ.get(COMPILER_VARIABLE, COMPILER))


def has_compiler() -> bool:
    """Return whether the compiler's command is there."""
    words = compiler()
    return bool(words) and shutil.which(words[0]) is not None


def vector_level() -> str:
    """Vector instructions that torch computes with, such as AVX2, AVX512 or DEFAULT."""
    import torch

    return torch.backends.cpu.get_cpu_capability()


def has_matrix_unit() -> bool:
    """Return whether the CPU has a matrix unit for bfloat16 (Intel AMX)."""
    return _cpu_has("_is_amx_tile_supported")


def share_cores(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP's threads get along with other processes; to be called before torch is loaded.

    What the user has set stays. Without a limit OpenMP counts the cores of the affinity, not of the quota.
    """
    if not WAITING.keys() & environment.keys():
        environment.update(WAITING)
    if hasattr(os, "sched_getaffinity") and cores() < len(os.sched_getaffinity(0)):
        environment.setdefault("OMP_NUM_THREADS", str(cores()))


def bfloat16(device: "str | torch.device" = "cpu") -> Choice:
    """Find out if the device multiplies bfloat16 fast: value "bfloat16", or "float32"."""
    import torch

    device = torch.device(device)
    if device.type == "cuda":
        return _bfloat16_on_gpu(torch.cuda.current_device() if device.index is None else device.index)
    if device.type != "cpu":
        return Choice("float32", f"nothing is known of bfloat16 on {device.type}")
    return _bfloat16_on_cpu()


def training_type(device: "str | torch.device" = "cpu") -> Choice:
    """The fastest type for the products of a training: bfloat16, float16 (with a scaler) or float32."""
    import torch

    found = bfloat16(device)
    device = torch.device(device)
    if found.value == "bfloat16" or device.type != "cuda":
        return found
    if torch.cuda.get_device_capability(device) >= FLOAT16_CAPABILITY:
        return Choice("float16", f"{found.why}, and multiplies float16 fast")
    return found


def fast_type(device: "str | torch.device" = "cpu") -> "torch.dtype":
    """The type of number in which the device multiplies fast at inference: bfloat16 or float32."""
    import torch

    return getattr(torch, bfloat16(device).value)


@functools.cache
def _bfloat16_on_cpu() -> Choice:
    import torch

    # oneDNN serves bfloat16 from AVX-512 on, but without instructions for it at a third of float32's rate.
    served = torch.backends.mkldnn.is_available() and _asked(torch.ops.mkldnn, "_is_mkldnn_bf16_supported")
    if not served:
        return Choice("float32", f"oneDNN does not serve bfloat16 on this CPU ({vector_level()})")
    if has_matrix_unit():
        return Choice("bfloat16", "the CPU has a matrix unit for it (AMX)")
    if platform.machine().lower() not in X86:
        return Choice("bfloat16", "oneDNN serves it on this CPU")
    if _cpu_has("_is_avx512_bf16_supported"):
        return Choice("bfloat16", "the CPU has instructions for it (AVX-512 BF16)")
    return Choice("float32", "PyTorch tells of no instructions for bfloat16 on this CPU")


@functools.cache
def _bfloat16_on_gpu(index: int) -> Choice:
    import torch

    name = torch.cuda.get_device_name(index)
    with torch.cuda.device(index):
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Choice("bfloat16", f"the GPU multiplies it ({name})")
    return Choice("float32", f"the GPU does not multiply bfloat16 ({name})")


def _cpu_has(query: str) -> bool:
    import torch

    return _asked(torch.cpu, query)


def _asked(module: Any, query: str) -> bool:
    """Answer of torch's query; False of a torch that has none."""
    return bool(getattr(module, query, bool)())


def describe() -> dict[str, str]:
    """The machine in words, for the log, the report and `valle benchmark machine`."""
    import torch

    words = " ".join(compiler())
    waiting = ", ".join(f"{name} {os.environ[name]}" for name in WAITING if name in os.environ)
    return {
        "processor": f"{processor()}, {vector_level()}{', matrix unit' if has_matrix_unit() else ''}",
        "cores": str(cores()),
        "threads": f"{torch.get_num_threads()} ({waiting or 'they wait as OpenMP has it'})",
        "memory": f"{memory() / 2**30:.1f} GiB",
        "compiler": words if has_compiler() else f"none ({words})",
        "GPUs": str(torch.cuda.device_count()),
    }


def processor() -> str:
    """Name of the CPU's model."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            names = [line.split(":", 1)[1].strip() for line in stream if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
