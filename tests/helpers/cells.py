"""Work of cells, which processes of their own import by name; PYTHONPATH of those is ``PATH``."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from harness.errors import RunError
from harness.runs.study.cells import Cell
from harness.runs.study.place import WorkPlace
from helpers.paths import ROOT

PATH = os.pathsep.join([str(ROOT), str(ROOT / "tests")])


def nap(told: Mapping[str, Any], place: WorkPlace) -> dict[str, Any]:
    """Sleep; say when that was, in which process, and how many threads it was given."""
    begun = time.time()
    time.sleep(told.get("seconds", 0.05))
    return {"begun": begun, "ended": time.time(), "process": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}


def die(told: Mapping[str, Any], place: WorkPlace) -> dict[str, Any]:
    """End as the system ends what takes too much memory, or by a signal that is told."""
    os.kill(os.getpid(), told.get("signal", 9))
    raise AssertionError


def fail(told: Mapping[str, Any], place: WorkPlace) -> dict[str, Any]:
    """Fail as a model does, with two lines of a word of the user's own."""
    place.progress.note("about to fail")
    if told.get("kind") == "harness":
        raise RunError("broke its contract")
    raise ValueError("no\nnumber")


def add_one(told: Mapping[str, Any], place: WorkPlace) -> dict[str, Any]:
    return {"sum": told["to"] + 1}


def cell(name: str, work: str = "nap", **of: Any) -> Cell:
    """A cell of one of these. of: its fields; ``told`` is empty where it is not among them."""
    return Cell(id=name, name=name, work=f"{__name__}:{work}", **({"told": {}} | of))
