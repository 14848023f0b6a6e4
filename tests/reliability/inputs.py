"""Part 2: broken inputs of every reader, and those that got past it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from helpers.paths import ROOT

from reliability.broken.fuzz import LIMIT, fuzz
from reliability.broken.readers import readers
from reliability.forked import in_parallel
from reliability.tables import paragraph, table

INPUTS = 1_000  # of a reader
DEAR = {"gguf": 0.1}  # a share of these, where one takes a second


def measure(scale: float) -> dict[str, Any]:
    """Broken inputs, drawn by hypothesis from sound ones, for every reader."""
    sizes = [(name, max(10, round(INPUTS * scale * DEAR.get(name, 1.0)))) for name in readers()]
    rows = dict(zip(readers(), in_parallel(_of_one, sizes), strict=True))
    surprises = [f"{name}: {told}" for name, row in rows.items() for told in row["escapes"].values()]
    return {"rows": rows, "surprises": surprises}


def _of_one(name: str, inputs: int) -> dict[str, Any]:
    with TemporaryDirectory(prefix="reliability-") as work:
        kept = ROOT / "build" / "reliability" / "escapes"
        return vars(fuzz(readers()[name](), inputs, work=Path(work), kept=kept, seed=2))


def text(found: Mapping[str, Any]) -> Iterable[str]:
    """A row a reader."""
    yield "## 2. Broken inputs"
    yield ""
    yield from paragraph(
        "Sound files with one to three changes: bytes, lines, cells, columns, types and JSON values replaced, cut, "
        "doubled, swapped, or taken from a list of what has broken readers elsewhere. *sound*: read, and the same as a "
        "second opinion has it where there is one (Python's `csv` for careers and probabilities, the record's evidence "
        "for kept probabilities, the answers of the model before for fits). *refused*: an error of one line. Anything "
        f"else has escaped: another exception, a warning, other numbers, or more than {LIMIT:g} seconds."
    )
    rows = [
        (
            f"`{name}`",
            f"{row['tried']:,}",
            f"{row['sound']:,}",
            f"{row['refused']:,}",
            len(row["escapes"]),
            f"{row['slowest']:.1f}",
        )
        for name, row in found["rows"].items()
    ]
    yield from table(("reader", "inputs", "sound", "refused", "escaped", "slowest, s"), rows)
    if found["surprises"]:
        yield from ("", *(f"- escaped: {surprise}" for surprise in found["surprises"]))
