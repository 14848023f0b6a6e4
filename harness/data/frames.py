"""Careers that are in memory as a frame: pandas, polars, pyarrow, or whatever else speaks Arrow."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import RequestError


@contextmanager
def as_file(frame: Any, name: str) -> Iterator[Path]:
    """A parquet file of the frame's columns, gone when the block ends, so that a frame is checked as a file is.

    RequestError for what is no frame, or has columns that Arrow has no type for.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    try:
        if isinstance(frame, pd.DataFrame):
            table = pa.Table.from_pandas(frame, preserve_index=False)
        else:
            table = pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError) as error:
        raise RequestError(
            f"{type(frame).__name__} is no frame that can be read ({str(error).splitlines()[0]}): give a pandas or "
            "polars frame, or a pyarrow table, with a row for each person and year"
        ) from error
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        file = Path(folder) / f"{name}.parquet"
        parquet.write_table(table, file)
        yield file
