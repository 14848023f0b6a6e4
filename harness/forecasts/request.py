"""A forecast as a request: models fitted on the past of a panel, and careers sampled from each."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from harness.data.tables.times import point
from harness.errors import HarnessError
from harness.forecasts.plan import Plan, plan, pooled
from harness.forecasts.report import Report
from harness.forecasts.sample import Forecast, require_rows
from harness.forecasts.sample import forecast as forecast_with
from harness.panel import Panel, in_memory
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.runs.request import PanelRequest, Panels, Request, RunRequest


class ForecastRequest(Request):
    """The models and the panel of ``run``, whose tasks do not matter, and the years that are forecast."""

    run: RunRequest
    year: str | None = Field(None, description="the last time that is known, such as 1998 or 1998-07")
    horizon: int | None = Field(None, ge=1, le=100, description="years ahead")
    samples: int = Field(20, ge=1, le=10_000, description="careers sampled for each person")
    step: int | None = Field(None, ge=1, description="years from one sampled record to the next")

    def require_known(self, registry: Registry) -> None:
        """RequestError for a wrong name or parameter, and for a model without a next state to sample."""
        self.run.require_known(registry)
        for name in self.run.models:
            require_rows(registry.model(name).item)


@dataclass(frozen=True)
class MadeForecasts:
    """The forecasts of a request and their report. failed: the message of every model that failed."""

    plan: Plan
    forecasts: tuple[Forecast, ...]
    report: Report
    failed: tuple[str, ...]


def forecast_all(request: ForecastRequest, workshop: Workshop, opened: Panel | None = None) -> MadeForecasts:
    """Forecast with every model. opened: the panel, where it is open already.

    A model that fails while others do not is told in ``failed``; where all fail, HarnessError.
    """
    asked, registry, progress = request.run.panel, workshop.registry, workshop.progress
    panel = asked.open(registry, progress) if opened is None else opened
    planned = plan(
        panel, None if request.year is None else point(request.year, panel.unit), request.horizon, request.step
    )
    further = asked.open_further(planned.panel, registry, progress)
    resumes = asked.open_resumes(planned.panel, registry, progress)
    panels = Panels(
        scored=planned.known,
        also=tuple(pooled(in_memory(other), planned.year) for other in further),
        resumes=None if resumes is None else pooled(in_memory(resumes), planned.year),
    )
    done, failed = _each(request, planned, panels, workshop)
    with progress.bar("comparing with what happened", None):
        report = Report.of(planned, request.samples, request.run.seed, done)
    return MadeForecasts(planned, tuple(done), report, tuple(failed))


def _each(
    request: ForecastRequest, planned: Plan, panels: Panels, workshop: Workshop
) -> tuple[list[Forecast], list[str]]:
    done: list[Forecast] = []
    failed: list[str] = []
    registry, tell = workshop.registry, workshop.progress.note
    for name in request.run.models:
        try:
            run = request.run.run(name, None, tasks=(registry.task("next_occ"),), panels=panels, registry=registry)
            done.append(forecast_with(run, planned, request.samples, workshop))
            tell(f"{name}: fit {done[-1].fit_seconds:.1f} s, sampling {done[-1].sample_seconds:.1f} s")
        except HarnessError as error:
            if len(request.run.models) == 1:
                raise
            failed.append(str(error))  # the other models still get their turn
        except KeyboardInterrupt:
            tell("stopped; models that were fitted are kept, and the same command goes on from them")
            raise
    if not done:
        raise HarnessError("; ".join(failed))
    return done, failed


def stepped(panel: PanelRequest, step: int | None) -> tuple[PanelRequest, int | None]:
    """--every says how often the panel has a record, by a word, or how often the forecast has one, by a number."""
    every = panel.reading.every or ""
    if step is not None or not every.isdigit() or not int(every):
        return panel, step
    return panel.model_copy(update={"reading": panel.reading.model_copy(update={"every": None})}), int(every)
