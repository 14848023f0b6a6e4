"""harness forecast: careers sampled past a year, and what they say of the years that followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import console
from harness.cli.options import (
    AlsoOption,
    DeviceOption,
    ForceOption,
    JsonOption,
    PretrainOption,
    SeedOption,
    SetOption,
)
from harness.cli.panels import reads_careers
from harness.cli.workshop import workshop_of
from harness.data.tables.times import point
from harness.errors import HarnessError, RequestError
from harness.model.params import parse
from harness.panel import in_memory
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.runs.request import PanelRequest, Panels, RunRequest

if TYPE_CHECKING:
    from harness.forecast.plan import Plan
    from harness.forecast.report import Report
    from harness.forecast.sample import Forecast

ModelsOption = Annotated[list[str], typer.Option("--model", help="A model's name. Repeatable.")]


@reads_careers
def forecast(
    context: typer.Context,
    panel: PanelRequest,
    records: Path,
    model: ModelsOption,
    year: Annotated[
        str | None,
        typer.Option("--from", help="The last year that is known, or 1998-07; left out, the last years are forecast."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(min=1, max=100, help="Years ahead; left out, ten or as many as the panel has.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=10_000, help="Careers sampled for each person.")] = 20,
    step: Annotated[
        int | None,
        typer.Option(
            min=1, help="Years from one sampled record to the next; left out, as in the panel (or --every N)."
        ),
    ] = None,
    settings: SetOption = None,
    train_also: AlsoOption = None,
    pretrain: PretrainOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    out: Annotated[Path | None, typer.Option(help="Parquet file to write the sampled careers to.")] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Sample the careers of the test split past a year, and compare them with what happened.

    Models are fitted on the panel as it was known at the end of that year. Shares of statuses and occupations by year,
    and the likelihood of what happened; intervals resample the units of the survey's design where --units or --strata
    name it. A fit is made once and kept; --force makes it again. No record is written.
    """
    from harness.forecast.files import require_writable, write_careers
    from harness.forecast.plan import plan as plan_forecast
    from harness.forecast.plan import pooled
    from harness.forecast.report import Report

    registry: Registry = context.obj
    given = parse(settings or [], dict.fromkeys(model))
    panel, step = _stepped(panel, step)
    also = {"train_also": tuple(train_also or ()), "pretrain": pretrain, "parameters": dict(given.data)}
    request = RunRequest(
        panel=panel.model_copy(update=also),
        models={name: dict(values) for name, values in given.models.items()},
        seed=seed,
        device=device,
        reuse="never" if force else "own",
    )
    _check(request, given.task, registry)
    if out is not None:
        require_writable(out)
    workshop = workshop_of(context, records, request.reuse)
    progress = workshop.progress
    opened = request.panel.open(registry, progress)
    plan = plan_forecast(opened, None if year is None else point(year, opened.unit), horizon, step)
    further = request.panel.open_further(plan.panel, registry, progress)
    resumes = request.panel.open_resumes(plan.panel, registry, progress)
    panels = Panels(
        scored=plan.known,
        also=tuple(pooled(other, plan.year) for other in further),
        resumes=None if resumes is None else pooled(in_memory(resumes), plan.year),
    )
    done, failed = _Forecasts(request, plan, panels=panels, samples=samples, workshop=workshop).forecast_all()
    with progress.bar("comparing with what happened", None):
        report = Report.of(plan, samples, seed, done)
    _show(report, as_json)
    if out is not None:
        console.say(f"{write_careers(out, plan, done):,} sampled records -> {out}")
    for message in failed:
        console.say(f"error: {message}")
    if failed:
        raise typer.Exit(1)


def _check(request: RunRequest, task_parameters: Mapping[str, str], registry: Registry) -> None:
    """RequestError for a wrong name, before the minutes that data may take."""
    from harness.forecast.sample import require_rows

    request.require_known(registry)
    for name in request.models:
        require_rows(registry.model(name).item)
    if task_parameters:
        raise RequestError("--set task: a forecast has no task; it samples the next state, year after year")


@dataclass(frozen=True)
class _Forecasts:
    """The models of a request, each to be forecast with on the panels of a plan."""

    request: RunRequest
    plan: Plan
    panels: Panels
    samples: int
    workshop: Workshop

    def forecast_all(self) -> tuple[list[Forecast], list[str]]:
        """The forecasts, and the message of every model that failed while others did not."""
        done: list[Forecast] = []
        failed: list[str] = []
        for name in self.request.models:
            try:
                done.append(self._forecast(name))
                console.say(f"{name}: fit {done[-1].fit_seconds:.1f} s, sampling {done[-1].sample_seconds:.1f} s")
            except HarnessError as error:
                if len(self.request.models) == 1:
                    raise
                failed.append(str(error))  # the other models still get their turn
            except KeyboardInterrupt:
                console.say("stopped; models that were fitted are kept, and the same command goes on from them")
                raise
        if not done:
            raise HarnessError("; ".join(failed))
        return done, failed

    def _forecast(self, name: str) -> Forecast:
        from harness.forecast.sample import forecast as forecast_with

        registry = self.workshop.registry
        run = self.request.run(name, None, tasks=(registry.task("next_occ"),), panels=self.panels, registry=registry)
        return forecast_with(run, self.plan, self.samples, self.workshop)


def _stepped(panel: PanelRequest, step: int | None) -> tuple[PanelRequest, int | None]:
    """--every says how often the panel has a record, by a word, or how often the forecast has one, by a number."""
    every = panel.reading.every or ""
    if step is not None or not every.isdigit() or not int(every):
        return panel, step
    return panel.model_copy(update={"reading": panel.reading.model_copy(update={"every": None})}), int(every)


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
