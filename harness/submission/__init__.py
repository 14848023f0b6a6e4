"""Probabilities made elsewhere, in R, Stata or anywhere, become records: scored as every model's are, by one code.

A file is read and checked whole (``harness.submission.answers``), and then plays the model: the harness asks it what it
asks any model, so that clipping, precision and coarsening are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from harness.data.checks.remarks import cautions
from harness.errors import RequestError, RunError
from harness.model.contract import Context, Estimator, Model, ModelSpec, OutcomeModel, take_states
from harness.model.scoring import score
from harness.model.task import Event, Task
from harness.panel.careers import SPLITS, Panel
from harness.records.kinds import MIX
from harness.records.predictions import Predictions, save
from harness.records.record import Configuration, Measured, Record, now
from harness.records.recording import Scored, of_panel, record_of
from harness.records.slices import Slicing
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.runs.run import panel_facts
from harness.submission.answers import Answers, read_answers
from harness.submission.layout import FileLayout, layout_of
from harness.submission.places import Wanted
from harness.submission.statement import Statement
from harness.system.machine import Cost, measured
from harness.types import FloatArray, IntArray

CODE = "submitted"  # in place of the version of the code that made the probabilities, which nobody here knows
UNSTATED = Statement()
LONGEST_NAME = 80  # characters of a name


@dataclass(frozen=True)
class Submission:
    """A file of probabilities, and the name that boards give it.

    columns: part -> column of the file (``layout.PARTS``), where the column has another name. log: the numbers of a
    wide file are natural logarithms. floor: share of a uniform distribution that is mixed into every row, 0 for none.
    statement: words of whoever submits it on its code and its base.
    """

    name: str
    file: Path
    columns: Mapping[str, str]
    log: bool = False
    floor: float = 0.0
    statement: Statement = UNSTATED


@dataclass(frozen=True, slots=True)
class _FileRead:
    """A submitted file, read and checked. parameters: how it was read, JSON-able. cost: of reading it."""

    name: str
    answers: Answers
    parameters: Mapping[str, Any]
    cost: Cost
    statement: Statement


def check(submission: Submission, registry: Registry) -> None:
    """RequestError for a name that boards could not tell from a model's or could not show, and for no such floor."""
    name = submission.name
    taken = {known.casefold() for known in (*registry.models, MIX)}
    if name.casefold() in taken:
        raise RequestError(
            f"--name {name}: '{name.casefold()}' is what the records of this harness's own runs say; give another name"
        )
    if not name.strip() or name.strip() != name or not name.isprintable() or len(name) > LONGEST_NAME:
        raise RequestError(
            f"--name {name!r}: a name is 1 to {LONGEST_NAME} printable characters, with no blank at either end"
        )
    if not 0 <= submission.floor < 1:
        raise RequestError(f"--floor {submission.floor:g}: a share from 0 up to, not including, 1, such as 1e-9")


def submitted(submission: Submission, tasks: Sequence[Task], panel: Panel, workshop: Workshop) -> Iterator[Record]:
    """The record of each task in turn, on disk before it is yielded.

    RequestError where the file does not say one thing of every transition of the test split that can be right, and
    where its form and a task do not go together.
    """
    layout = layout_of(submission.file, submission.columns, panel.occupations.codes, submission.log)
    wanted = _wanted(layout, tasks, panel)
    with measured() as reading:
        content = file_digest(submission.file)
        answers = read_answers(layout, panel, wanted=wanted, floor=submission.floor, progress=workshop.progress)
    for note in answers.notes:
        workshop.progress.note(f"{layout.path.name}: {note}")
    parameters = {
        "file_sha256": content,
        "format": layout.described,
        "columns": dict(layout.columns),
        "log": layout.log,
        "floor": submission.floor,
    }
    for task in tasks:
        file = _FileRead(submission.name, answers, parameters, cost=reading, statement=submission.statement)
        record = _score(file, task, panel, workshop)
        workshop.store.write(record)
        yield record


def _wanted(layout: FileLayout, tasks: Sequence[Task], panel: Panel) -> Wanted:
    """Whole rows are needed of every transition, an event's probability of those at risk."""
    if layout.form == "event":
        if len(tasks) != 1 or not isinstance(tasks[0].partition, Event):
            asked = ", ".join(task.key for task in tasks)
            raise RequestError(
                f"{layout.path.name}: has one probability for each transition and no state, so it is of one binary "
                f"task's event; asked for: {asked}. Name that task alone, or add the column state (a row for each)"
            )
        records, m = tasks[0].transitions(panel), 1
    else:
        records, m = panel.transitions, panel.n_states
        if any(task.entry for task in tasks):
            records = np.union1d(records, panel.entries)
    split = panel.split[panel.person[records]]
    return Wanted(records[split == SPLITS.index("test")], records[split == SPLITS.index("valid")], m)


def file_digest(path: Path) -> str:
    """64 hexadecimal digits of SHA-256 over the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _score(file: _FileRead, task: Task, panel: Panel, workshop: Workshop) -> Record:
    answers, started = file.answers, now()
    spec, model = _spec(file.name, task, answers), _model(task, answers)
    test, valid = panel.part("test"), panel.part("valid")
    with measured() as cost:
        scores = score(spec, model, task=task, test=test, progress=workshop.progress)
    slicing = Slicing.of(panel, test, task.transitions(test))
    scored = Scored(
        configuration=_configuration(file, task, panel),
        task=task,
        panel=panel,
        scores=scores,
        measured=Measured.of(Cost(), file.cost + cost, needs=("pyarrow",), started=started),
        facts={"submitted": True, **file.statement.facts(), **of_panel(cautions(panel))},
        slicing=slicing,
    )
    record = record_of(scored, workshop.registry.all_metrics)
    predictions = {"test": Predictions.of(task, test, scores, slicing)}
    if answers.covers_valid:
        on_valid = score(spec, model, task=task, test=valid, progress=workshop.progress, ranks=False)
        predictions["valid"] = Predictions.of(task, valid, on_valid)
    save(workshop.cache, record, predictions)
    return record


def _configuration(file: _FileRead, task: Task, panel: Panel) -> Configuration:
    floor = file.parameters["floor"]
    return Configuration(
        task=task.key,
        task_version=task.version,
        model=file.name,
        parameters=dict(file.parameters),
        changed={"floor": floor} if floor else {},
        panel=panel_facts(panel),
        seed=0,
        code=CODE,
    )


class _FileModel(Estimator):
    """Base of both kinds of answers, which are neither fitted nor kept."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        self._refuse()

    def save(self, folder: Path) -> None:
        self._refuse()

    def load(self, folder: Path) -> None:
        self._refuse()

    @staticmethod
    def _refuse() -> NoReturn:
        raise RunError("probabilities that were submitted are read from their file: there is no fit behind them")


class _StatesOfFile(_FileModel, Model):
    """Whole rows of a file."""

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return take_states(self.answers.of(panel, transitions), states)


class _EventOfFile(_FileModel, OutcomeModel):
    """An event's probabilities of a file."""

    def log_event(self, panel: Panel, transitions: IntArray) -> FloatArray:
        return self.answers.of(panel, transitions)[:, 0]


def _model(task: Task, answers: Answers) -> Estimator:
    return _EventOfFile(answers) if answers.is_event else _StatesOfFile(answers)


def _spec(name: str, task: Task, answers: Answers) -> ModelSpec:
    """As contracts are checked by; nothing of it is registered."""
    only_task = task.name if answers.is_event else None
    return ModelSpec(name, "probabilities that were submitted", lambda _: _model(task, answers), only_task=only_task)
