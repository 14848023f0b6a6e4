"""Toys of several tests: a model that can be worked by hand, its runs, and the smallest language model."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from harness.cli import main
from harness.model.contract import Context, Estimator, Model, ModelSpec, Params, take_states
from harness.panel.careers import Panel, split_by_hash
from harness.panel.occupations import Occupations, Status
from harness.panel.pooling import same_titles
from harness.records.record import Record
from harness.registry import Registry
from harness.runs.execute import Workshop, execute
from harness.runs.run import Run
from harness.runs.validation import Validation
from harness.system.entry import Entry
from harness.types import FloatArray, IntArray


class Parameters(Params):
    """Added to each count."""

    weight: float = Field(default=1.0, gt=0, description="added to each count")


class Frequencies(Model):
    """(training count of the state + weight) / total; says how often it was fitted.

    States of further panels count where they have a title of the main one's.
    """

    fits = 0

    def __init__(self, params: Parameters) -> None:
        self.params = params

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        type(self).fits += 1
        counts = np.bincount(train.state, minlength=train.n_states) + self.params.weight
        for panel in context.also:
            assert isinstance(panel, Panel)  # a corpus is for models that stream
            same = same_titles(panel.occupations, train.occupations)[panel.state]
            counts += np.bincount(same[same >= 0], minlength=train.n_states)
        self.margin = counts / counts.sum()

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return take_states(np.tile(np.log(self.margin), (len(transitions), 1)), states)

    def save(self, folder: Path) -> None:
        (folder / "margin.json").write_text(json.dumps(self.margin.tolist()))

    def load(self, folder: Path) -> None:
        self.margin = np.array(json.loads((folder / "margin.json").read_text()))

    def facts(self) -> dict[str, Any]:
        return {"parameters_trained": len(self.margin)}


class Homebody(Frequencies):
    """Says that everyone goes to state 3."""

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        self.margin = np.full(train.n_states, 0.1 / (train.n_states - 1))
        self.margin[3] = 0.9


def entry_of(build: Callable[[Any], Estimator], **changes: Any) -> Entry[ModelSpec]:
    spec = replace(ModelSpec("frequencies", "counts", build, params=Parameters), **changes)
    return Entry(spec, "tests", "1", "harness.model.task")


def run_on(registry: Registry, panel: Panel, *tasks: str, entry: Entry[ModelSpec] | None = None, **changes: Any) -> Run:
    chosen = tuple(registry.task(name) for name in tasks or ("next_occ",))
    given: dict[str, Any] = {
        "model": entry or entry_of(Frequencies),
        "params": Parameters(),
        "tasks": chosen,
        "panel": panel,
    }
    return Run(**(given | changes))


def run_all(run: Run, workshop: Workshop) -> list[Record]:
    return list(execute(run, workshop))


def run_with_valid(run: Run, workshop: Workshop) -> list[Record]:
    """As ``run_all``, with the validation split scored, as a mixture asks for it."""
    records = run_all(run, workshop)
    models = {**workshop.registry.models, run.model.item.name: run.model}
    known = replace(workshop, registry=replace(workshop.registry, models=models))
    for record in records:
        Validation(known, lambda _: run.panel).ensure(record)
    return records


def validate(workshop: Workshop, panel: Panel, records: Iterable[Record]) -> None:
    """Score the validation split, as a mixture does before it is made."""
    scored = Validation(workshop, lambda _: panel)
    for record in records:
        scored.ensure(record)


# Of the four persons. Train: a (0, 0, 1) and b (1, 3, 1); with one added to each count, margin = (3, 4, 1, 2) / 10.
# Test: d goes 0 -> 0 -> 3 -> 3 -> 1.
MARGIN = [0.3, 0.4, 0.1, 0.2]
EXPECTED = {
    "next_occ": log(0.3) + log(0.2) + log(0.2) + log(0.4),
    "switch": log(0.3) + log(0.7) + log(0.2) + log(0.8),
    "lf_exit": log(0.8) + log(0.2),
    "next_occ_switchers": log(0.2 / 0.7) + log(0.4 / 0.8),
}

# llm-lora at its least: what is learned does not matter, how it is learned does.
SMALLEST: dict[str, Any] = {
    "pool": "market",
    "base_layers": 1,
    "base_width": 16,
    "base_heads": 1,
    "base_vocabulary": 300,
    "base_tokens": 3_000,
    "base_batch_tokens": 512,
    "batch_tokens": 512,
    "rank": 2,
    "checkpoint_seconds": 0,
}


class InProcess:
    """A command of ``harness`` in this process, through the entry point that the shell calls."""

    def __init__(
        self, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *always: str
    ) -> None:
        self.command, self.monkeypatch, self.capsys, self.always = command, monkeypatch, capsys, always

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, stdout, stderr."""
        self.monkeypatch.setattr(sys, "argv", ["harness", self.command, *self.always, *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        printed = self.capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err


def homeward(n: int, seed: int = 0) -> Panel:
    """Persons who, whenever they leave state 0, return to the one other state they ever hold."""
    draw = np.random.default_rng(seed)
    states = []
    for _ in range(n):
        home = int(draw.integers(1, 9))
        states.append(np.where(draw.random(12) < 0.5, home, 0))
    codes = tuple(str(k) for k in range(9))
    persons = np.array([f"p{i}" for i in range(n)])
    return Panel(
        name="recall",
        persons=persons,
        offsets=np.arange(n + 1) * 12,
        year=np.tile(2000 + np.arange(12), n).astype(np.int32),
        state=np.concatenate(states).astype(np.int32),
        occupations=Occupations(codes, codes, ("o", "a", "a", "a", "a", "b", "b", "b", "b"), (Status.EMPLOYED,) * 9),
        split=split_by_hash(persons),
    )
