"""Costs of a run and the machine it ran on: seconds, peak memory, device, versions, and the folder of caches."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import RequestError
from harness.system import processes
from harness.system.processors import processor_seconds

M_MMAP_THRESHOLD = -3  # as malloc.h names the option
DEVICES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
DISTRIBUTIONS = {"sklearn": "scikit-learn"}


@dataclass
class Cost:
    """Seconds by the clock, processor seconds of this process and of those that it started, and this process's peak
    resident memory in MB.

    processor_seconds: None where they are not known. The sum of two has the seconds of both and the larger peak.
    """

    seconds: float = 0.0
    processor_seconds: float | None = 0.0
    peak_memory_mb: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        mine, theirs = self.processor_seconds, other.processor_seconds
        return Cost(
            self.seconds + other.seconds,
            None if mine is None or theirs is None else mine + theirs,
            max(self.peak_memory_mb, other.peak_memory_mb),
        )


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure a block: the cost is known when it ends.

    Where the system cannot reset the peak (not Linux), it is the process's peak so far.
    """
    cost = Cost()
    _reset_peak()
    start, spent = time.perf_counter(), processor_seconds()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - start
        cost.processor_seconds = max(0.0, processor_seconds() - spent)
        cost.peak_memory_mb = _peak_mb()


def _reset_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _peak_mb() -> float:
    """Peak resident memory of this process: since the last reset on Linux, since it started elsewhere."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) / 1024
    except OSError:
        pass
    return _windows_peak_mb() if sys.platform == "win32" else _unix_peak_mb()


def _unix_peak_mb() -> float:
    import resource  # not on Windows

    scale = 1024**2 if sys.platform == "darwin" else 1024  # macOS counts bytes, others KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def _windows_peak_mb() -> float:
    """PeakWorkingSetSize of PROCESS_MEMORY_COUNTERS (psapi.h); 0 where Windows does not say."""
    import ctypes

    class Counters(ctypes.Structure):
        _fields_ = (
            ("size", ctypes.c_uint32),
            ("page_faults", ctypes.c_uint32),
            ("peak_working_set", ctypes.c_size_t),
            *((name, ctypes.c_size_t) for name in ("working_set", "a", "b", "c", "d", "page_file", "peak_page_file")),
        )

    counters = Counters(size=ctypes.sizeof(Counters))
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - other systems' ctypes has no such name
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    asked = kernel.K32GetProcessMemoryInfo
    asked.argtypes = (ctypes.c_void_p, ctypes.POINTER(Counters), ctypes.c_uint32)
    found = asked(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.size)
    return counters.peak_working_set / 1024**2 if found else 0.0


def resolve_device(asked: str, needs: Iterable[str]) -> str:
    """The device a model runs on. 'auto': a GPU where the model uses torch and there is one, else 'cpu'.

    Of several processes, each has the GPU of its own number on its machine, unless one is asked for by number.
    RequestError for a name that is none, of every model, and for a device that cannot be used.
    """
    if not DEVICES.fullmatch(asked):
        raise RequestError(f"device '{asked}' is none that there is; use auto, cpu, cuda, cuda:N or mps")
    if "torch" not in needs:
        return "cpu"
    import torch

    if asked == "auto":
        if os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true":  # accelerate launch --cpu
            return "cpu"
        if not torch.cuda.is_available():
            return "mps" if torch.backends.mps.is_available() else "cpu"
        asked = "cuda"
    if asked == "cuda" and processes.count() > 1:
        asked = f"cuda:{processes.local_rank()}"
    try:
        torch.empty(0, device=asked)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise RequestError(f"device '{asked}' cannot be used ({reason}); use auto, cpu, cuda, cuda:N or mps") from error
    return asked


def free_memory(device: str) -> float:
    """Bytes that are free on the device; of main memory no more than the process's control group may still take."""
    if device.startswith("cuda"):
        import torch

        return float(torch.cuda.mem_get_info(device)[0])
    left = free_main_memory()
    if left is None:
        raise RequestError("this system does not say how much memory is free: pip install psutil")
    return left


def free_main_memory() -> float | None:
    """Bytes of main memory that are free, no more than the process's control group may still take; None where neither
    the system says so nor psutil is installed.
    """
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        try:
            import psutil
        except ImportError:
            return None
        free = float(psutil.virtual_memory().available)
    try:
        group = Path("/sys/fs/cgroup")
        most, now = ((group / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
        return min(free, float(most) - float(now)) if most != "max" else free
    except (OSError, ValueError):
        return free


def free_large_blocks_at_once() -> None:
    """Have glibc give blocks of 4 MiB and more back to the system when they are freed, for the rest of the process.

    Left to itself it raises that bound with every block it meets, up to 32 MiB, and steps whose activations differ in
    size fill ever more memory with holes. The holes of now are given back as well. No other C library is touched.
    """
    with suppress(OSError, AttributeError):
        c_library = ctypes.CDLL("libc.so.6")
        c_library.mallopt(M_MMAP_THRESHOLD, 4 << 20)
        c_library.malloc_trim(0)


def versions(needs: Iterable[str]) -> dict[str, str]:
    """Python's version and those of numpy and of the modules a model needs."""
    found = {"python": platform.python_version()}
    for module in sorted({"numpy", *needs}):
        try:
            found[module] = importlib.metadata.version(DISTRIBUTIONS.get(module, module))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def cache_folder() -> Path:
    """The folder for all that is expensive and repeatable: HARNESS_CACHE, else the user's cache folder."""
    if chosen := os.environ.get("HARNESS_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "labor-harness"


def require_cache() -> None:
    """RequestError where the folder of ``cache_folder`` cannot be made, or not be written to."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        raise RequestError(
            f"the cache {folder} cannot be made ({error.strerror}): set HARNESS_CACHE to a folder that can"
        ) from error
    if not writable:
        raise RequestError(f"the cache {folder} cannot be written to: set HARNESS_CACHE to a folder that can")
