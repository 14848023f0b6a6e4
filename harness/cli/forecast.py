"""harness forecast: careers sampled past a year, and what they say of the years that followed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import complete, console
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
from harness.errors import RequestError
from harness.model.params import parse
from harness.registry import Registry
from harness.runs.request import PanelRequest, RunRequest

if TYPE_CHECKING:
    from harness.forecasts.report import Report

ModelsOption = Annotated[
    list[str], typer.Option("--model", help="A model's name. Repeatable.", autocompletion=complete.models)
]


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
    """Sample careers past a year, and compare with the outcome.

    The careers are those of the test split. Models are fitted on the panel as it was known at the end of that year.
    Printed are shares of statuses and occupations by year, and the likelihood of the actual states; intervals resample
    the units of the survey's design where --units or --strata name it. A fit is made once and kept; --force makes it
    again. No record is written.
    """
    from harness.forecasts.files import require_writable, write_careers
    from harness.forecasts.request import ForecastRequest, forecast_all, stepped

    registry: Registry = context.obj
    given = parse(settings or [], dict.fromkeys(model))
    panel, step = stepped(panel, step)
    also = {"train_also": tuple(train_also or ()), "pretrain": pretrain, "parameters": dict(given.data)}
    request = RunRequest(
        panel=panel.model_copy(update=also),
        models={name: dict(values) for name, values in given.models.items()},
        seed=seed,
        device=device,
        reuse="never" if force else "own",
    )
    asked = ForecastRequest(run=request, year=year, horizon=horizon, samples=samples, step=step)
    asked.require_known(registry)
    if given.task:
        raise RequestError("--set task: a forecast has no task; it samples the next state, year after year")
    if out is not None:
        require_writable(out)
    made = forecast_all(asked, workshop_of(context, records, request.reuse))
    _show(made.report, as_json)
    if out is not None:
        console.say(f"{write_careers(out, made.plan, made.forecasts):,} sampled records -> {out}")
    for message in made.failed:
        console.say(f"error: {message}")
    if made.failed:
        raise typer.Exit(1)


def _show(report: Report, as_json: bool) -> None:
    from harness.forecasts.files import plain
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
