"""The figure of a forecast: shares of the statuses by year, as they were forecast and as they turned out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import RequestError

WIDE, TALL = 3.25, 2.1  # inches of one status


def draw(report: Mapping[str, Any], figure: Any) -> None:
    """A panel a status, a line with its 95% band a model; actual shares as points, with theirs.

    report: ``harness.forecasts.files.plain``. RequestError where no single year was forecast.
    """
    periods = [period for period in report["periods"] if len(period["years"]) == 1]
    if not periods:
        raise RequestError(f"the forecast of '{report['panel']}' has no year to draw")
    names = list(periods[0]["forecasts"][0]["statuses"]["share"])
    across = min(2, len(names))
    down = -(-len(names) // across)
    figure.set_size_inches(WIDE * across, TALL * down + 0.5)
    every = figure.subplots(down, across, sharex=True, squeeze=False)
    for i, axes in enumerate(every.flat):
        if i < len(names):
            _status(axes, periods, names[i])
            if not i:
                first = axes
        else:
            axes.set_visible(False)
    figure.supxlabel(report.get("time_unit", "year"))
    figure.supylabel("% of persons, 95% interval")
    figure.legend(*first.get_legend_handles_labels(), loc="outside upper center", frameon=False, ncols=4, fontsize=8)


def _status(axes: Any, periods: Sequence[Mapping[str, Any]], status: str) -> None:
    years = [period["years"][0] for period in periods]
    for k, line in enumerate(periods[0]["forecasts"]):
        of = [period["forecasts"][k]["statuses"]["share"][status] for period in periods]
        unchanged = k == 0  # the first line is of no change, everyone as last known
        color = "0.6" if unchanged else f"C{k - 1}"
        axes.plot(years, _percent(of, "value"), "--" if unchanged else "-", color=color, lw=1.2, label=line["name"])
        axes.fill_between(years, _percent(of, "low"), _percent(of, "high"), color=color, alpha=0.15, lw=0)
    seen = [(year, p["actual"]["statuses"][status]) for year, p in zip(years, periods, strict=True) if p["actual"]]
    if seen:
        happened = [share for _, share in seen]
        middle, low, high = (_percent(happened, name) for name in ("value", "low", "high"))
        below = [m - each for m, each in zip(middle, low, strict=True)]
        above = [each - m for m, each in zip(middle, high, strict=True)]
        at = [year for year, _ in seen]
        axes.errorbar(at, middle, yerr=[below, above], fmt="o", color="black", ms=3, lw=0.8, label="actual")
    axes.set_title(status, fontsize="small", loc="left")
    axes.xaxis.get_major_locator().set_params(integer=True)


def _percent(shares: Sequence[Mapping[str, float]], name: str) -> list[float]:
    """One number of each share; where a share has no interval, the share itself."""
    return [100 * share.get(name, share["value"]) for share in shares]
