"""The processors that a computation may take: those it is allowed, less those that others keep busy."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

MINUTE = 60.0  # seconds that the system's load is a mean over, about
CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
THREADED = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "RAYON")  # libraries that ask their environment how many
VECLIB = "VECLIB_MAXIMUM_THREADS"
NVIDIA = Path("/proc/driver/nvidia/gpus")
CPU_QUOTA, CPU_PERIOD = (Path(f"/sys/fs/cgroup/cpu/cpu.cfs_{name}_us") for name in ("quota", "period"))


@cache
def free_processors() -> int:
    """The number of threads that are worth starting, at least one; the same all through a process.

    A thread that has to wait for a processor keeps all others waiting, so that a fit on a busy machine takes many times
    as long with a thread for each of its processors as with one.
    """
    return processors_left(allowed(), others_load(), os.environ.get("OMP_NUM_THREADS", ""))


def processors_left(here: float, busy: float, asked: str = "") -> int:
    """Of so many processors, of which others keep some busy. asked: at most, as OMP_NUM_THREADS has it: '2', '4,2'."""
    first = asked.partition(",")[0].strip()
    most = int(first) if first.isdecimal() and int(first) else math.inf
    return max(1, int(min(math.floor(here - busy + 0.5), most)))


def thread_variables(threads: int) -> dict[str, str]:
    """The environment of a process that computes with so many threads, whatever library it computes with."""
    return {name: str(threads) for name in (*(f"{library}_NUM_THREADS" for library in THREADED), VECLIB)}


def gpus_here() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; no library is loaded to find out."""
    asked = os.environ.get("CUDA_VISIBLE_DEVICES")
    if asked is not None:
        return [name.strip() for name in asked.split(",") if name.strip()]
    return [str(i) for i, _ in enumerate(NVIDIA.glob("*"))]


def allowed() -> float:
    """Processors that this process may run on: its affinity, and its control group's quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    here = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(float(here), _quota())


def others_load() -> float:
    """Processors that other processes have kept busy in the last minute; zero where the system does not say."""
    if not hasattr(os, "getloadavg"):
        return 0.0
    used = os.times()
    return max(0.0, os.getloadavg()[0] - (used.user + used.system) / max(_age(), MINUTE))


def _age() -> float:
    """Seconds since this process began; zero where the system does not say."""
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(_fields("self")[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return 0.0


def processor_seconds() -> float:
    """Seconds of processors, user and system, that this process and those below it have used.

    Of one that still runs, as an isolated model's does, where the system lists the children of a thread, as the kernels
    of Linux distributions do; elsewhere once it has ended.
    """
    used = os.times()
    return time.process_time() + used.children_user + used.children_system + _below(os.getpid())


def _below(process: int) -> float:
    """Processor seconds of all running processes below one, and of what these have waited for."""
    return sum(_spent(child) + _below(child) for child in _children(process))


def _children(process: int) -> list[int]:
    """Those that still run. A thread's children are its process's, and the system lists them by thread.

    Reading what every process of the machine says of its parent, instead, took longer than many a fit.
    """
    found: list[int] = []
    with suppress(OSError):  # the process has ended, or the system lists none
        for thread in os.listdir(f"/proc/{process}/task"):
            with suppress(OSError):  # the thread has ended
                found += map(int, Path(f"/proc/{process}/task/{thread}/children").read_text(encoding="ascii").split())
    return found


def _spent(process: int) -> float:
    """Processor seconds of a process, and of what it has waited for; zero once it has ended."""
    with suppress(OSError):
        return sum(map(int, _fields(process)[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _fields(process: int | str) -> list[str]:
    """Of /proc/[process]/stat, those behind the name of the program, which may hold anything. OSError without."""
    return Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()


def _quota() -> float:
    """Processors' worth of time that the control group may take; infinite where it has no limit."""
    try:
        quota, period = CPU_MAX.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota, period = (path.read_text(encoding="ascii").strip() for path in (CPU_QUOTA, CPU_PERIOD))
        except OSError:
            return math.inf
    return int(quota) / int(period) if quota.isdecimal() else math.inf


def one_thread_a_product() -> AbstractContextManager[Any]:
    """A BLAS that starts no threads of its own, for work that is spread over threads already. Needs threadpoolctl."""
    limited: AbstractContextManager[Any] = _blas().limit(limits=1, user_api="blas")
    return limited


@contextmanager
def products_on_free_processors() -> Iterator[None]:
    """A BLAS that starts a thread for each free processor meanwhile, no more. Needs threadpoolctl.

    By itself it starts one for every processor, and those that wait for each other burn what others would use: a logit
    took five times its processor seconds on a busy machine.
    """
    with _blas().limit(limits=free_processors(), user_api="blas"):
        yield


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    import_module("scipy.optimize")  # which brings a BLAS of its own: those that are loaded are looked for once
    return ThreadpoolController()
