"""Forecasts for a program to read: the report as JSON, the sampled careers as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import RequestError, RunError
from harness.forecasts.plan import Plan
from harness.forecasts.report import ForecastLine, Period, Report, Shares
from harness.forecasts.sample import Forecast
from harness.stats.inference import Estimate
from harness.system.files import replacing, require_writable_folder
from harness.types import IntArray

ENDING = ".parquet"
DIGITS = 6
TOLD = ("name", "changed", "train_also", "pretrained_on", "renormalised", "fit_seconds", "sample_seconds")


def plain(report: Report) -> dict[str, Any]:
    """JSON-able. Shares are of persons, 0 to 1; log-likelihoods in nats; of occupations the shares alone."""
    plan = report.plan
    weights = plan.panel.source.get("weights")
    return {
        "panel": plan.panel.name,
        "fingerprint": plan.panel.fingerprint(),
        **({} if weights is None else {"weights": weights}),
        **({} if plan.panel.unit == "year" else {"time_unit": plan.panel.unit}),
        "from": plan.year,
        "years": plan.years.tolist(),
        "every": plan.every,
        "samples": report.samples,
        "seed": report.seed,
        "persons": plan.persons.n_persons,
        "fitted_on": {split: plan.known.part(split).n_persons for split in ("train", "valid")},
        "left_out": dict(plan.left_out),
        "covariates": {"as_last_known": list(plan.carried), "moved_with_the_year": list(plan.moving)},
        "models": [_model(made) for made in report.forecasts],
        "periods": [_period(period) for period in report.periods],
    }


def _model(made: Forecast) -> dict[str, Any]:
    told = {name: getattr(made, name) for name in TOLD}
    return told | ({"fitted_without_weights": True} if made.fitted_without_weights else {})


def _period(period: Period) -> dict[str, Any]:
    return {
        "period": period.label,
        "years": list(period.years),
        "persons": period.persons,
        "records": period.records,
        "actual": None if period.actual is None else {k: _shares(k, v)["share"] for k, v in period.actual.items()},
        "forecasts": [_line(line) for line in period.lines],
    }


def _line(line: ForecastLine) -> dict[str, Any]:
    return {
        "name": line.name,
        **{level: _shares(level, shares) for level, shares in line.shares.items()},
        "perplexity": _estimate(line.perplexity),
        "status_perplexity": _estimate(line.status_perplexity),
        "difference": _estimate(line.difference),
        "shortfall": _rounded(line.shortfall),
        "events": {name: {k: _rounded(v) for k, v in event.items()} for name, event in line.events.items()},
    }


def _shares(level: str, shares: Shares) -> dict[str, Any]:
    def each(estimates: Sequence[Estimate] | None) -> Mapping[str, Any] | None:
        if estimates is None:
            return None
        told = (lambda e: _rounded(e.value)) if level == "occupations" else _estimate
        return {name: told(estimate) for name, estimate in zip(shares.names, estimates, strict=True)}

    made: dict[str, Any] = {"share": each(shares.share)}
    if shares.difference is not None:
        made["difference"] = each(shares.difference)
    for name, far in (("distance", shares.distance), ("rms_error", shares.error)):
        if far is not None:
            made[name] = {"value": _rounded(far.value), "standard_error": _rounded(far.standard_error)}
    if shares.right is not None:
        made["distance_if_right"] = {
            "mean": _rounded(shares.right.value),
            "low": _rounded(shares.right.low),
            "high": _rounded(shares.right.high),
        }
    return made


def _estimate(estimate: Estimate | None) -> dict[str, float | None] | None:
    if estimate is None:
        return None
    return {name: _rounded(value) for name, value in asdict(estimate).items() if value is not None}


def _rounded(value: float | None) -> float | None:
    return None if value is None or isnan(value) else round(value, DIGITS)


def require_writable(path: Path) -> None:
    """HarnessError, before the minutes that sampling takes, where the careers could not be written there."""
    if path.suffix != ENDING:
        raise RequestError(f"--out {path}: sampled careers are written as {ENDING}")
    if not path.absolute().parent.is_dir():
        raise RequestError(f"--out {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise RequestError(f"--out {path}: is a folder; name a file")
    require_writable_folder(path.parent)


def _times(plan: Plan, step: IntArray) -> Any:
    """The times of these steps (int [n]): years as numbers, of another unit their names."""
    import pyarrow as pa

    if plan.panel.unit == "year":
        return pa.array(plan.steps[step].astype(np.int32))
    return pa.array([plan.when(int(at)) for at in plan.steps], pa.string()).take(pa.array(step))


def write_careers(path: Path, plan: Plan, forecasts: Sequence[Forecast]) -> int:
    """Write every sampled record, and their number: model, person, sample (from 0), year, occupation (code).

    Of a panel in another unit, the time's name stands in the place of the year.
    A whole file or nothing. RunError where it cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    tables = []
    for forecast in forecasts:
        person, sample, step = np.nonzero(forecast.states >= 0)
        columns = {
            "model": pa.array([forecast.name]).take(pa.array(np.zeros(len(person), dtype=np.int32))),
            "person": pa.array(plan.persons.persons.tolist(), pa.string()).take(pa.array(person)),
            "sample": pa.array(sample.astype(np.int32)),
            plan.panel.unit: _times(plan, step),
            "occupation": pa.array(plan.panel.occupations.codes, pa.string()).take(
                pa.array(forecast.states[person, sample, step])
            ),
        }
        tables.append(pa.table(columns))
    table = pa.concat_tables(tables)
    try:
        with replacing(path) as draft:
            parquet.write_table(table, draft)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error
    return int(table.num_rows)
