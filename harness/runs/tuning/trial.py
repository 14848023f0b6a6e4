"""One trial: a model with some values of its parameters, fitted, and scored on the validation split."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from harness.errors import RequestError, RunError
from harness.model import ModelSpec, Task
from harness.model.params import validate
from harness.panel import Panel
from harness.panel.careers import SPLITS
from harness.records.evidence import freeze
from harness.records.kinds import design_of
from harness.records.recording import with_design
from harness.registry import Registry
from harness.runs.execute import Workshop, require_multi_panel, require_pretrainable
from harness.runs.request import PanelRequest, Panels, Request, Values
from harness.runs.run import Run
from harness.runs.scoring import score_valid
from harness.runs.tasks import tasks_of
from harness.runs.teachers import teacher_of
from harness.stats.figures import gather
from harness.stats.inference import perplexity
from harness.system.machine import resolve_device

Report = Callable[[int, float], bool]  # the number of a validation loss, and the loss -> whether to go on


class FitGivenUpError(RunError):
    """A fit that a search gave up, because its validation curve was poor."""


class TuneRequest(Request):
    """A model whose parameters are searched, with the careers and the task that they are searched on."""

    panel: PanelRequest = Field(default_factory=PanelRequest)
    task: str = Field("next_occ", description="task whose validation perplexity is made small")
    task_parameters: Values = Field(default_factory=dict, description="parameters of the task")
    model: str = Field(description="the model's name")
    parameters: Values = Field(default_factory=dict, description="parameters that are not searched, and their values")
    seed: int = Field(0, ge=0, description="seed of every fit, and of the search")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps")

    def task_of(self, registry: Registry) -> Task:
        """The task, with first records where its parameters say so. RequestError for a wrong name or value."""
        return tasks_of([self.task], self.task_parameters, registry)[0]


@dataclass(frozen=True, slots=True)
class TrialResult:
    """Mean loss on the validation split, nats a transition; perplexity with its standard error; seconds of the fit."""

    loss: float
    perplexity: float
    standard_error: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Everything that the trials of a search share. panels: whose main one has no test split."""

    request: TuneRequest
    spec: ModelSpec
    task: Task
    panels: Panels
    workshop: Workshop

    @classmethod
    def of(cls, request: TuneRequest, workshop: Workshop) -> Trials:
        """Open the careers, and leave the test split behind at once.

        RequestError for a wrong name or value, and where nobody is at risk in the validation split.
        """
        registry = workshop.registry
        spec, task = registry.model(request.model).item, request.task_of(registry)
        validate(spec.params, request.parameters, spec.name)
        if request.panel.train_also:
            require_multi_panel(spec, registry)
        if request.panel.pretrain:
            require_pretrainable([spec], registry)
        if spec.only_task not in (None, task.name):
            raise RequestError(f"model '{spec.name}' predicts the outcome of task '{spec.only_task}' alone")
        if task.entry and not spec.first_records:
            raise RequestError(f"model '{spec.name}' cannot predict a career's first record: leave out task.entry")
        panels = request.panel.open_all(registry, workshop.progress)
        known = without_test(panels.scored)
        valid = known.part("valid")
        at_risk = task.transitions(valid)
        if not (len(at_risk) and valid.weights(at_risk).any()):
            raise RequestError(
                f"task '{task.key}' has nobody at risk in the validation split of '{known.name}': there is nothing to "
                "search on"
            )
        return cls(request=request, spec=spec, task=task, panels=replace(panels, scored=known), workshop=workshop)

    def run(self, values: Mapping[str, str]) -> Run:
        """The run of a trial. RequestError for values that the schema does not take, or that do not go together."""
        registry, request = self.workshop.registry, self.request
        params = validate(self.spec.params, {**request.parameters, **values}, self.spec.name)
        return Run(
            model=registry.model(request.model),
            params=params,
            tasks=(self.task,),
            panel=self.panels.scored,
            seed=request.seed,
            device=resolve_device(request.device, self.spec.needs),
            train_also=self.panels.also,
            resumes=self.panels.resumes_for(self.spec),
            teacher=teacher_of(self.spec, params, registry),
        )

    def measure(self, values: Mapping[str, str], report: Report) -> TrialResult:
        """Fit and score. report: told of validation losses as they come; where it says so, the fit is given up.

        The fit is not kept: it has seen no panel that any run has. FitGivenUpError where it was given up; RequestError
        or RunError where it failed.
        """
        run, cache = self.run(values), self.workshop.cache

        def told(step: int, loss: float) -> None:
            if not report(step, loss):
                raise FitGivenUpError(f"given up after {step} validations")

        fits = replace(self.workshop.fits, report=told)
        here = fits.holds(run)
        started = time.perf_counter()
        try:
            with self.workshop.limited(run):
                fitted = fits.fit(run)
            with self.workshop.limited(run):
                scored = score_valid(
                    self.spec, fitted.model, task=self.task, panel=run.panel, progress=self.workshop.progress
                )
        except FitGivenUpError:
            shutil.rmtree(cache / "unfinished" / run.fit_name, ignore_errors=True)
            raise
        finally:
            if not here:
                shutil.rmtree(fits.folder(run), ignore_errors=True)
        evidence = with_design(gather(scored.scores(), scored.ids.tolist()), run.panel.part("valid"))
        found = perplexity(evidence.log_likelihood, evidence.counted, design=design_of(freeze(evidence)))
        return TrialResult(
            loss=float(np.log(found.value)),
            perplexity=found.value,
            standard_error=found.standard_error,
            seconds=time.perf_counter() - started,
        )


def without_test(panel: Panel) -> Panel:
    """The panel of the training and the validation persons alone."""
    return panel.select(np.flatnonzero(panel.split != SPLITS.index("test")))
