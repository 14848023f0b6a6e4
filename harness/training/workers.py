"""Runs small batches side by side on the cores of a CPU.

The matrices of a small model are too small to share one among threads: on two cores, two batches at a time finish
almost twice as many tokens as one batch on both.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

MOST_WORKERS = 4


@contextmanager
def workers(device: str, most: int = MOST_WORKERS) -> Iterator[tuple[Executor, int]]:
    """A pool of threads and how many they are: as many as torch uses, at most ``most``; one on another device.

    Inside, every operation has its thread's share of the cores; torch's own setting is given back at the end.
    """
    import torch

    threads = torch.get_num_threads()
    count = min(threads, most) if device == "cpu" else 1
    each = max(1, threads // count)
    try:
        torch.set_num_threads(each)
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(each,)) as pool:
            yield pool, count
    finally:
        torch.set_num_threads(threads)
