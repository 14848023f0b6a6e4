"""Threads: as many as there are processors that a process may take and others leave idle."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.system.processors import processors_left


@pytest.mark.parametrize(
    ("here", "busy", "asked", "expected"),
    [
        (2, 0.0, "", 2),
        (2, 0.4, "", 2),
        (2, 0.6, "", 1),
        (2, 9.0, "", 1),  # there is always one
        (16, 3.2, "", 13),
        (0.5, 0.0, "", 1),
        (8, 0.0, "3", 3),
        (8, 6.0, "3", 2),
        (8, 0.0, "4,2", 4),
        (8, 0.0, "0", 8),  # no number of threads
        (8, 0.0, "many", 8),
    ],
)
def test_processors_left(here: float, busy: float, asked: str, expected: int) -> None:
    assert processors_left(here, busy, asked) == expected


def started(code: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to processors")
def test_a_process_that_is_bound_to_one_processor_takes_one() -> None:
    code = (
        "import os; from harness.system import processors; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "print(processors.allowed(), processors.free_processors())"
    )
    allowed, free = started(code).split()
    assert 0 < float(allowed) <= 1
    assert free == "1"


def test_what_openmp_is_told_is_the_most() -> None:
    code = "from harness.system.processors import free_processors; print(free_processors())"
    assert started(code, OMP_NUM_THREADS="1") == "1"


@pytest.mark.skipif(not hasattr(os, "getloadavg"), reason="this system tells no load")
def test_the_load_of_others_takes_processors_away() -> None:
    code = (
        "import os; os.getloadavg = lambda: (1e6, 0, 0)\n"
        "from harness.system.processors import free_processors, others_load; print(others_load(), free_processors())"
    )
    others, free = started(code).split()
    assert float(others) > 1e6 - 100  # less what the process itself has used
    assert free == "1"


def test_a_product_takes_the_processors_that_are_free() -> None:
    """OpenBLAS obeys its own variable, whatever others keep busy."""
    code = (
        "import numpy; from threadpoolctl import threadpool_info\n"
        "from harness.system.processors import products_on_free_processors\n"
        "threads = lambda: max(b['num_threads'] for b in threadpool_info() if b['user_api'] == 'blas')\n"
        "before = threads()\n"
        "with products_on_free_processors(): inside = threads()\n"
        "print(before > 1, inside, threads() == before)"
    )
    said = started(code, OPENBLAS_NUM_THREADS="2", OMP_NUM_THREADS="1")
    assert said in ("True 1 True", "False 1 True")  # a machine of one processor starts no more than that
