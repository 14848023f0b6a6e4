"""A forecast for a notebook: as a frame, as tables, as a figure for a paper."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.forecasts.files import plain, require_writable, write_careers
from harness.forecasts.request import MadeForecasts
from harness.render.forecast import notes, tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVELS = ("statuses", "groups")  # whose shares have intervals


@dataclass(frozen=True, repr=False)
class ForecastResults:
    """Forecasts of one panel's test persons, compared with what happened.

    failed: the message of each model that failed while others did not.
    """

    made: MadeForecasts

    @property
    def failed(self) -> tuple[str, ...]:
        return self.made.failed

    def to_dict(self) -> dict[str, Any]:
        """The content of ``harness forecast --json``."""
        return plain(self.made.report)

    def to_frame(self) -> pd.DataFrame:
        """A row a period, forecast, level and name: its share of persons, 0 to 1, with its error and interval.

        level: statuses or groups. forecast: 'actual', that of no change, and each model.
        """
        rows = []
        for period in self.to_dict()["periods"]:
            lines = [(line["name"], {level: line[level]["share"] for level in LEVELS}) for line in period["forecasts"]]
            if period["actual"] is not None:
                lines.insert(0, ("actual", period["actual"]))
            rows += [
                {"period": period["period"], "forecast": name, "level": level, "name": each, **share}
                for name, shares in lines
                for level in LEVELS
                for each, share in shares[level].items()
            ]
        return pd.DataFrame(rows)

    def plot(self) -> Figure:
        """A matplotlib figure: shares of the statuses by year. RequestError without matplotlib."""
        from harness.render.plots import plot_forecast

        return plot_forecast(self.to_dict())

    def save_careers(self, path: str | Path) -> int:
        """Write every sampled record to a parquet file, and their number. RequestError for another ending."""
        require_writable(Path(path))
        return write_careers(Path(path), self.made.plan, self.made.forecasts)

    def __repr__(self) -> str:
        told = []
        for table in tables(self.made.report):
            frame = pd.DataFrame(list(table.rows), columns=list(table.headings))
            told.append(f"{table.title}\n{frame.to_string(index=False)}\n")
        return "\n".join([*told, *notes(self.made.report)])

    def _repr_html_(self) -> str:
        parts = []
        for table in tables(self.made.report):
            frame = pd.DataFrame(list(table.rows), columns=list(table.headings))
            parts.append(f"<h4>{escape(table.title)}</h4>{frame.to_html(index=False, border=0)}")
        said = "".join(f"<li>{escape(note)}</li>" for note in notes(self.made.report))
        return f"{''.join(parts)}<ul>{said}</ul>"
