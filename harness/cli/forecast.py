"""harness forecast: careers sampled past a year, and what they say of the years that followed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import console
from harness.cli.options import (
    RECORDS,
    ColumnOption,
    DataOption,
    JsonOption,
    OccupationsOption,
    PretrainOption,
    SetOption,
    WeightsOption,
)
from harness.cli.run import AlsoOption, DeviceOption, ModelsOption, SeedOption, further_panels, read_resumes
from harness.errors import HarnessError, RequestError
from harness.model.params import Settings, pairs, parse, validate
from harness.panel.careers import Panel
from harness.panel.weights import weighted
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop, require_pooling, require_pretraining
from harness.runs.run import Run
from harness.system.machine import cache_folder, resolve_device
from harness.system.progress import PROGRESS, Progress

if TYPE_CHECKING:
    from harness.forecast.plan import Plan
    from harness.forecast.report import Report
    from harness.forecast.sample import Forecast


@dataclass(frozen=True)
class _Request:
    """The command line, but for what is read and where it goes."""

    settings: Settings
    samples: int
    seed: int
    device: str


def forecast(
    context: typer.Context,
    model: ModelsOption,
    data: DataOption = "market",
    year: Annotated[
        int | None, typer.Option("--from", help="The last year that is known; left out, the last years are forecast.")
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(min=1, max=100, help="Years ahead; left out, ten or as many as the panel has.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=10_000, help="Careers sampled for each person.")] = 20,
    every: Annotated[
        int | None, typer.Option(min=1, help="Years from one sampled record to the next; left out, as in the panel.")
    ] = None,
    settings: SetOption = None,
    column: ColumnOption = None,
    occupations: OccupationsOption = None,
    train_also: AlsoOption = None,
    pretrain: PretrainOption = None,
    weights: WeightsOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    out: Annotated[Path | None, typer.Option(help="Parquet file to write the sampled careers to.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Fit again what the cache holds.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Sample the careers of the test split past a year, and compare them with what happened.

    Models are fitted on the panel as it was known at the end of that year. Shares of statuses and occupations by year,
    and the likelihood of what happened. A fit is made once and kept; --force makes it again.
    """
    from harness.data.open import open_panel
    from harness.forecast.files import require_writable, write_careers
    from harness.forecast.plan import plan as plan_forecast
    from harness.forecast.plan import pooled
    from harness.forecast.report import Report

    registry: Registry = context.obj
    progress: Progress = context.meta[PROGRESS]
    request = _Request(parse(settings or [], dict.fromkeys(model)), samples, seed, device)
    _check(request, registry, pools=bool(train_also), pretrains=bool(pretrain))
    if out is not None:
        require_writable(out)
    with progress.bar(f"reading {data}", None):
        given = request.settings.data
        panel = open_panel(data, given, columns=pairs(column or []), occupations=occupations, registry=registry)
    plan = plan_forecast(panel if weights is None else weighted(panel, weights), year, horizon, every)
    further = further_panels(train_also or [], plan.panel, registry, progress)
    also = [pooled(other, plan.year) for other in further]
    resumes = read_resumes(pretrain, plan.panel, registry, progress)
    resumes = None if resumes is None else pooled(resumes, plan.year)
    workshop = Workshop(registry, Store(RECORDS), cache_folder(), progress, force)
    done, failed = _forecast_all(request, (plan, tuple(also), resumes), workshop)
    with progress.bar("comparing with what happened", None):
        report = Report.of(plan, samples, seed, done)
    _show(report, as_json)
    if out is not None:
        console.say(f"{write_careers(out, plan, done):,} sampled records -> {out}")
    for message in failed:
        console.say(f"error: {message}")
    if failed:
        raise typer.Exit(1)


def _check(request: _Request, registry: Registry, pools: bool, pretrains: bool) -> None:
    """Wrong names, before the minutes that data may take."""
    from harness.forecast.sample import require_rows

    for name, values in request.settings.models.items():
        spec = registry.model(name).item
        validate(spec.params, values, name)
        require_rows(spec)
        if pools:
            require_pooling(spec, registry)
    if pretrains:
        require_pretraining([registry.model(name).item for name in request.settings.models], registry)
    if request.settings.task:
        raise RequestError("--set task: a forecast has no task; it samples the next state, year after year")


def _forecast_all(
    request: _Request, panels: tuple[Plan, tuple[Panel, ...], Panel | None], workshop: Workshop
) -> tuple[list[Forecast], list[str]]:
    from harness.forecast.sample import forecast as forecast_one

    plan, also, resumes = panels
    done: list[Forecast] = []
    failed: list[str] = []
    for name, values in request.settings.models.items():
        entry = workshop.registry.model(name)
        params = validate(entry.item.params, values, name)
        tasks = (workshop.registry.task("next_occ"),)
        try:
            device = resolve_device(request.device, entry.item.needs)
            learned = resumes if entry.item.pretrainable else None
            run = Run(entry, params, tasks, plan.known, request.seed, device, also, learned)
            done.append(forecast_one(run, plan, request.samples, workshop))
            console.say(f"{name}: fit {done[-1].fit_seconds:.1f} s, sampling {done[-1].sample_seconds:.1f} s")
        except HarnessError as error:
            if len(request.settings.models) == 1:
                raise
            failed.append(str(error))  # the other models still get their turn
        except KeyboardInterrupt:
            console.say("stopped; models that were fitted are kept, and the same command goes on from them")
            raise
    if not done:
        raise HarnessError("; ".join(failed))
    return done, failed


def _show(report: Report, as_json: bool) -> None:
    from harness.forecast.files import plain
    from harness.render.forecast import notes, tables

    if as_json:
        console.emit_json(plain(report))
        return
    for table in tables(report):
        for part in table.parts(console.width()):
            numbers = [i > 0 for i in range(len(part.headings))]
            console.table(part.headings, part.rows, numbers, part.title)
            console.result("")
    for note in notes(report):
        console.result(note)
