"""Careers that are in memory as a frame: pandas, polars, pyarrow, or whatever else speaks Arrow."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def as_file(frame: Any, name: str) -> Iterator[Path]:
    """A parquet file of the frame's columns, gone when the block ends, so that a frame is checked as a file is.

    Named levels of a pandas index are columns as well. RequestError for what is no frame, or has columns that Arrow
    has no type for; and for a name that no file can have.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    name = str(name)
    if not name.strip(" .") or set(name) & set("/\\\0"):
        raise RequestError(f"name '{name}': a folder of records is called so; give such as 'jobs', without '/'")
    try:
        if isinstance(frame, pd.DataFrame):
            table = pa.Table.from_pandas(_plain(frame), preserve_index=False)
        else:
            table = pa.table(frame.collect() if hasattr(frame, "collect") else frame)  # a lazy frame of polars
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError) as error:
        reason = "; ".join(" ".join(str(part).split()) for part in error.args)
        raise RequestError(
            f"{type(frame).__name__} is no frame that can be read ({reason}): give a pandas or polars frame, or a "
            "pyarrow table, with a row for each person and year, and text or numbers in each column"
        ) from error
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        file = Path(folder) / f"{name}.parquet"
        parquet.write_table(table, file)
        yield file


@contextmanager
def file_of(source: Any, name: str) -> Iterator[Path]:
    """A path as it is, and a frame as ``as_file`` has it."""
    if isinstance(source, str | Path):
        yield Path(source)
    else:
        with as_file(source, name) as file:
            yield file


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its named index levels as columns, and periods as their dates or names.

    Arrow keeps a period as a count from 1970, which would pass for a year.
    """
    import pandas as pd

    named = [level for level in frame.index.names if level is not None and level not in frame.columns]
    if named:
        frame = frame.reset_index(named)
    periods = [name for name, column in frame.items() if isinstance(column.dtype, pd.PeriodDtype)]
    return frame.astype(dict.fromkeys(periods, "string")) if periods else frame
