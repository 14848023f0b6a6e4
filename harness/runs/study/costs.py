"""Costs of cells that are still to run, by earlier records of the same model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.errors import RequestError
from harness.records.record import Configuration, Measured, digest
from harness.records.store import Store, slug

MOST = 200  # records of one model that are read, the newest
LONGEST_AROUND = 5.0  # seconds beside fit and scoring; more is a fit that was taken from the cache later


@dataclass(frozen=True, slots=True)
class CellCost:
    """Seconds of a fit, of scoring and of all around them, and peak memory in MB.

    scaled: the earlier run was of another size. same: it had the same parameters.
    """

    fit_seconds: float
    score_seconds: float
    around_seconds: float
    memory_mb: float
    scaled: bool
    same: bool

    @property
    def seconds(self) -> float:
        return self.fit_seconds + self.score_seconds + self.around_seconds


@dataclass(frozen=True, slots=True)
class Workload:
    """The request of a cell, in the terms in which it is compared: model, parameters, tasks, and how many records it is
    fitted on and scored on, about.
    """

    model: str
    parameters: Mapping[str, Any]
    tasks: tuple[str, ...]
    fitted: float
    scored: float


@dataclass
class _Earlier:
    """One earlier run: its fit, the seconds of each task, and those of all around them: checks, files."""

    parameters: Mapping[str, Any]
    fitted: float
    scored: float
    fit_seconds: float = 0.0
    memory_mb: float = 0.0
    around_seconds: float = 0.0
    score_seconds: dict[str, float] = field(default_factory=dict)


class Costs:
    """Earlier runs, those of a store at first, and those that are learned from."""

    def __init__(self) -> None:
        self._runs: dict[str, dict[str, _Earlier]] = defaultdict(dict)  # model -> parameters and size -> the newest run

    @classmethod
    def of_store(cls, store: Store, models: Collection[str]) -> Costs:
        """The costs that the records of these models tell; a file that cannot be read says nothing."""
        found = cls()
        for model in models:
            paths = list(store.folder.glob(f"*/*-{slug(model)}-*.json"))
            paths.sort(key=lambda path: path.stat().st_mtime)
            for path in paths[-MOST:]:
                try:
                    head = store.head(path)
                except RequestError:
                    continue
                found._learn(head.configuration, head.facts, head.measured)
        return found

    def learn(self, heads: Iterable[Mapping[str, Any]]) -> None:
        """Add runs, by the heads of their records as JSON has them."""
        for head in heads:
            configuration = Configuration.model_validate(head["configuration"])
            self._learn(configuration, head["facts"], Measured.model_validate(head["measured"]))

    def _learn(self, asked: Configuration, facts: Mapping[str, Any], cost: Measured) -> None:
        panel = asked.panel
        fitted = panel.records * facts.get("train_persons", panel.persons) / panel.persons
        size = digest({"parameters": asked.parameters, "fitted": fitted, "scored": panel.records})
        run = self._runs[asked.model].setdefault(
            size, _Earlier(parameters=asked.parameters, fitted=fitted, scored=panel.records)
        )
        run.fit_seconds = cost.fit_seconds
        run.memory_mb = max(run.memory_mb, cost.peak_memory_mb)
        run.score_seconds[asked.task] = cost.score_seconds
        around = (cost.finished - cost.started).total_seconds() - cost.fit_seconds - cost.score_seconds
        if 0 < around <= LONGEST_AROUND:
            run.around_seconds = around

    def of(self, load: Workload, fit_is_kept: bool = False) -> CellCost | None:
        """The seconds and the memory that it will take; None where no record of the model says.

        By the run that is nearest: of the same parameters if there is one, then of the nearest size. Seconds grow as
        the records do; memory does where these are more, and stays where they are fewer.
        """
        runs = self._runs.get(load.model, {}).values()
        if not runs:
            return None
        near = min(runs, key=lambda run: (run.parameters != load.parameters, _apart(run, load)))
        more = load.fitted / near.fitted
        mean = sum(near.score_seconds.values()) / len(near.score_seconds)
        score = sum(near.score_seconds.get(task, mean) for task in load.tasks)
        return CellCost(
            fit_seconds=0.0 if fit_is_kept else near.fit_seconds * more,
            score_seconds=score * load.scored / near.scored,
            around_seconds=near.around_seconds,
            memory_mb=near.memory_mb * max(1.0, more),
            scaled=_apart(near, load) > 0.01,
            same=near.parameters == load.parameters,
        )


def _apart(run: _Earlier, load: Workload) -> float:
    """The distance of the sizes, in logarithms."""
    return abs(math.log(run.fitted / load.fitted)) + abs(math.log(run.scored / load.scored))
