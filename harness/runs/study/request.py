"""The request of a study: that of a run, with lists, whose grid are its cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field

from harness.errors import RequestError
from harness.model import ModelSpec
from harness.model.params import validate
from harness.records.record import digest
from harness.registry import Registry
from harness.runs.execute import require_pretrainable
from harness.runs.request import PanelRequest, Request, RunRequest, Values, as_list, read, with_values
from harness.runs.tasks import tasks_of


def _points(grid: Any) -> list[Any]:
    """Every combination of the values of parameters: a list is one of each, a list in it a value that is a list."""
    if not isinstance(grid, dict):
        return [{} if grid is None else grid]
    values = [value if isinstance(value, list | tuple) else [value] for value in grid.values()]
    return [dict(zip(grid, point, strict=True)) for point in product(*values)]


def _each(value: Any, points: Callable[[Any], list[Any]]) -> list[Any]:
    """The points of one grid, or of each in a list of them."""
    return [point for grid in (value if isinstance(value, list | tuple) else [value]) for point in points(grid)]


def _of_panel(panel: Any) -> list[Any]:
    """One panel, by name or as a request, for every point of its parameters."""
    if isinstance(panel, str):
        return [{"data": panel}]
    if not isinstance(panel, dict) or "parameters" not in panel:
        return [panel]
    return [panel | {"parameters": point} for point in _points(panel["parameters"])]


def _of_panels(value: Any) -> list[Any]:
    return _each(value, _of_panel)


def _of_models(value: Any) -> Any:
    """Models by name with every point of their parameters."""
    named = with_values(value)
    return {name: _each(grids, _points) for name, grids in named.items()} if isinstance(named, dict) else named


PanelGrid = Annotated[tuple[PanelRequest, ...], Field(min_length=1), BeforeValidator(_of_panels)]
ModelGrid = Annotated[dict[str, tuple[Values, ...]], BeforeValidator(_of_models)]
Seed = Annotated[int, Field(ge=0)]


class StudyRequest(Request):
    """A grid of runs: every model, parameter, seed, number of training persons and panel with each of the others."""

    panels: PanelGrid = Field(
        (PanelRequest(),), validation_alias=AliasChoices("panels", "panel"), description="one panel, or a list"
    )
    tasks: Annotated[tuple[str, ...], BeforeValidator(as_list)] = Field((), description="tasks by name, or 'all'")
    task_parameters: Values = Field(default_factory=dict, description="parameters of the tasks, such as entry: true")
    models: ModelGrid = Field(
        default_factory=dict, description="model -> its parameters, lists of values for a grid, or a list of such"
    )
    train_persons: Annotated[tuple[int, ...], BeforeValidator(as_list)] = Field(
        (0,), description="training persons to fit on; 0 for all"
    )
    seed: Seed = Field(0, description="the first seed, where ``seeds`` is a number")
    seeds: Annotated[int, Field(ge=1)] | Annotated[tuple[Seed, ...], Field(min_length=1)] = Field(
        1, description="how many seeds are run, or a list of them"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps")
    reuse: Literal["own", "any"] = Field("own", description="records that are taken: own, or any of a checkout too")

    @classmethod
    def read(cls, path: Path) -> StudyRequest:
        """The request of a YAML file; RequestError, naming the file and the entry, where it is none."""
        asked = read(cls, path)
        for entry, such in (("tasks", "[next_occ]"), ("models", "[mnl, gbm]")):
            if not getattr(asked, entry):
                raise RequestError(f"{path}: {entry} is missing; write such as '{entry}: {such}'")
        return asked

    def every_seed(self) -> Sequence[int]:
        """The seeds that are run."""
        return range(self.seed, self.seed + self.seeds) if isinstance(self.seeds, int) else self.seeds

    def cells(self, folder: Path, registry: Registry) -> tuple[StudyCell, ...]:
        """The cells, panel by panel; two that ask for the same are one. folder: where relative paths are read from.

        RequestError for a wrong name or value of a model or a task, before the minutes that data may take.
        """
        tasks_of(self.tasks, self.task_parameters, registry)
        specs = [registry.model(name).item for name in self.models]
        if any(panel.pretrain for panel in self.panels):
            require_pretrainable(specs, registry)
        found: dict[str, StudyCell] = {}
        for panel, spec in product(self.panels, specs):
            tasks = _answered_by(spec, self.tasks)
            for values, size, seed in product(self.models[spec.name], self.train_persons, self.every_seed()):
                asked = RunRequest(
                    panel=panel if spec.pretrainable else panel.model_copy(update={"pretrain": None}),
                    tasks=tasks,
                    task_parameters=self.task_parameters,
                    models={spec.name: values},
                    train_persons=(size,),
                    seed=seed,
                    device=self.device,
                    reuse=self.reuse,
                )
                asked.require_known(registry)
                cell = _cell(asked, spec)
                found.setdefault(cell.id, cell.found_from(folder, registry))
        return tuple(found.values())


@dataclass(frozen=True, kw_only=True)
class StudyCell:
    """One model with one set of parameters, one seed and one number of training persons on one panel.

    id: 16 hexadecimal digits of what it asks for, as the file says it: its name in failures and for Slurm. request: of
    one run; its tasks are scored together.
    """

    id: str
    request: RunRequest

    @property
    def model(self) -> str:
        return next(iter(self.request.models))

    @property
    def persons(self) -> int | None:
        """Training persons to fit on; None for all."""
        return self.request.train_persons[0] or None

    def name(self) -> str:
        """The cell in words, such as ``mnl C=1 on market persons=300 (seed 1, 200 training persons)``."""
        asked = self.request
        model = [self.model, *(f"{name}={value}" for name, value in asked.models[self.model].items())]
        panel = [asked.panel.data, *(f"{name}={value}" for name, value in asked.panel.parameters.items())]
        rest = [f"seed {asked.seed}", *([f"{self.persons} training persons"] if self.persons else [])]
        return f"{' '.join(model)} on {' '.join(panel)} ({', '.join(rest)})"

    def found_from(self, folder: Path, registry: Registry) -> StudyCell:
        """The same cell, its relative paths read from a folder where something lies there."""
        return StudyCell(id=self.id, request=self.request.found_from(folder, registry))


def _answered_by(spec: ModelSpec, tasks: Sequence[str]) -> tuple[str, ...]:
    """Of tasks by name those that the model predicts. All of them where it predicts none: its run says so."""
    own = tuple(name for name in tasks if name == "all" or spec.only_task in (None, name))
    return own or tuple(tasks)


def _cell(asked: RunRequest, spec: ModelSpec) -> StudyCell:
    """A cell with its id: defaults that are written out, and their order, make no difference."""
    params = validate(spec.params, asked.models[spec.name], spec.name)
    told = asked.model_dump(mode="json", exclude={"device", "reuse", "models"})
    told["parameters"] = params.model_dump(mode="json", exclude=set(spec.runtime_params))
    told |= {"model": spec.name, "tasks": sorted(asked.tasks)}
    return StudyCell(id=digest(told), request=asked)
