"""Sound tables of probabilities, the reader of what is made of them, and a second opinion on what was read."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.records import Store
from harness.runs.execute import Workshop
from harness.submission import Submission, submitted
from reliability.broken.careers import CODES, panel, plain_id, registry
from reliability.broken.fuzz import says
from reliability.broken.mutations import rows_of


def probability_rows(form: str) -> bytes:
    test = panel().part("test")
    lines = ["person,year,state,probability" if form == "long" else ",".join(("person", "year", *CODES))]
    for t in test.transitions.tolist():
        who, year = test.persons[test.person[t]], test.year[t]
        if form == "long":
            lines += [f"{who},{year},{code},{p}" for code, p in zip(CODES, (0.4, 0.3, 0.2, 0.1), strict=True)]
        else:
            lines.append(f"{who},{year},0.4,0.3,0.2,0.1")
    return ("\n".join(lines) + "\n").encode()


def reader_of(name: str, unpacked: Callable[[bytes], bytes] | None = None) -> Callable[[Path], str | None]:
    def read_it(where: Path) -> str | None:
        workshop = Workshop(registry=registry(), store=Store(where.parent / "records"), cache=where.parent / "cache")
        [record] = submitted(Submission("mine", where / name, {}), [registry().task("next_occ")], panel(), workshop)
        if unpacked is None:
            return None
        told = _naive(unpacked((where / name).read_bytes()))
        mine = sum(record.evidence.log_likelihood)
        return says((told is None or abs(told - mine) < 1e-3, f"log-likelihood {mine}, by the file {told}"))

    return read_it


def _naive(text: bytes) -> float | None:
    """The log-likelihood by the file's own words, where a plain reader of csv understands it."""
    try:
        head, *rows = rows_of(text.decode("utf-8-sig"))
        said: dict[tuple[str, int, str], float] = {}
        for row in rows:
            of = dict(zip((name.strip() for name in head), (cell.strip() for cell in row), strict=True))
            at = plain_id(of["person"]), int(float(of["year"]))
            if "probability" in of:
                said[(*at, of["state"])] = float(of["probability"])
            else:
                said |= {(*at, code): float(of[code]) for code in CODES}
        test = panel().part("test")
        codes, whole = list(panel().occupations.codes), 0.0
        for t in test.transitions.tolist():
            at = str(test.persons[test.person[t]]), int(test.year[t])
            row_of = [said[(*at, code)] for code in codes]
            whole += float(np.log(row_of[test.state[t]] / sum(row_of)))
        return whole if np.isfinite(whole) else None
    except Exception:  # noqa: BLE001 - no second opinion
        return None


def submitted_parquet() -> bytes:
    import pyarrow as pa
    from pyarrow import csv, parquet

    table = csv.read_csv(io.BytesIO(probability_rows("wide")))
    made = io.BytesIO()
    parquet.write_table(table.set_column(0, "person", table.column("person").cast(pa.int64())), made)
    return made.getvalue()
