"""Soft targets: what another model says of each training transition, for a model to learn from beside the outcomes.

A network that is trained on a mean of the observed outcome and of the probabilities of a model of another kind takes
over much of what only the other had found (Hinton, Vinyals and Dean 2015, Distilling the Knowledge in a Neural
Network). The teacher's probabilities are cross-fitted: those of a person come from a fit on other training persons, so
that they hold nothing of the outcomes that they stand beside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import RequestError
from harness.model.answers import Inquiry, blaming, checked_log_prob, whole_rows
from harness.model.contract import Context, unreported
from harness.model.ensemble import Numbered
from harness.model.teaching import FOLDS, TeacherParams
from harness.panel.careers import Panel
from harness.system import processes
from harness.system.files import replacing
from harness.types import FloatArray, IntArray

AT_ONCE = 4096  # transitions that a teacher is asked about at a time


@dataclass(frozen=True, kw_only=True)
class SoftTargets:
    """The probabilities that training aims at, of T transitions over K states.

    probability: float16 [T, K], the teacher's. share: its weight; the observed outcome has the rest. loss: nats a
    transition, of the teacher itself. career: int64 [T], and exchanged: int [P, K], the state that each of a career's
    states is exchanged for; None where all are as they were.
    """

    probability: FloatArray
    share: float
    loss: float
    career: IntArray
    exchanged: IntArray | None = None

    def take(self, rows: IntArray, target: IntArray) -> FloatArray:
        """float32 [n, K], rows of probabilities. rows, target: int64 [n], transitions and their outcomes."""
        found = self.probability[rows].astype(np.float32)
        found *= self.share / found.sum(axis=1, keepdims=True)
        if self.exchanged is not None:
            exchanged = np.empty_like(found)
            np.put_along_axis(exchanged, self.exchanged[self.career[rows]], found, axis=1)
            found = exchanged
        found[np.arange(len(rows)), target] += 1.0 - self.share
        return found

    def exchange(self, states: IntArray) -> SoftTargets:
        """The same of careers with their states exchanged, int [P, K]."""
        return replace(self, exchanged=states)


def soft_targets(params: TeacherParams, train: Panel, valid: Panel, context: Context) -> SoftTargets | None:
    """Of the training transitions; None where nobody teaches.

    A part that is done is kept in ``context.soft_targets_folder``, so that neither a killed fit nor a further member
    of an ensemble makes it again. Processes that fit together share the parts out, and give each other what they made.
    RequestError where there are too few training persons to hold some out.
    """
    if not params.teacher:
        return None
    if context.teacher is None:
        raise AssertionError("a model that names a teacher is fitted without one in its context")
    folds = min(FOLDS, train.n_persons)
    if folds < 2:
        raise RequestError(f"teacher={params.teacher} needs two training persons or more, to be asked about others")
    transitions = train.transitions
    career = train.person[transitions].astype(np.int64)
    fold = _folds(train, folds)
    probability = np.zeros((len(transitions), train.n_states), dtype=np.float16)
    kept = context.soft_targets_folder or context.scratch
    among = processes.count() if context.shared else 1
    for i in range(processes.rank() if among > 1 else 0, folds, among):
        place = kept / f"teacher-{i + 1}.npy"
        if not place.exists():
            progress = Numbered(context.progress, f"{params.teacher}, {i + 1} of {folds}")
            scratch = context.scratch / f"teacher-{i + 1}"
            scratch.mkdir(exist_ok=True)
            parts = (train.select(np.flatnonzero(fold != i)), train.select(np.flatnonzero(fold == i)))
            own = replace(context, scratch=scratch, progress=progress, report=unreported)
            _keep(place, _answers(parts, valid, own))
        probability[fold[career] == i] = np.load(place, allow_pickle=False)
    probability = processes.summed(probability) if among > 1 else probability
    observed = probability[np.arange(len(transitions)), train.state[transitions]].astype(np.float64)
    loss = float(-np.log(np.maximum(observed, np.finfo(np.float16).smallest_subnormal)).mean())
    return SoftTargets(probability=probability, share=params.teacher_share, loss=loss, career=career)


def teacher_facts(taught: SoftTargets | None) -> Mapping[str, Any]:
    """For the record of a fit: how well its teacher knew the careers that it had not seen."""
    return {} if taught is None else {"training_loss_of_teacher": round(taught.loss, 6)}


def _folds(panel: Panel, folds: int) -> IntArray:
    """int64 [P]: the part of each person, all of one size, by a hash of their ids."""
    order = np.argsort([hashlib.sha256(f"taught:{person}".encode()).hexdigest() for person in panel.persons])
    fold = np.empty(panel.n_persons, dtype=np.int64)
    fold[order] = np.arange(panel.n_persons) % folds
    return fold


def _answers(parts: tuple[Panel, Panel], valid: Panel, context: Context) -> FloatArray:
    """float16 [t, K]: P of every state after the transitions of the second part, by a fit on the first."""
    assert context.teacher is not None
    (learned, asked), teacher = parts, context.teacher
    model = teacher.build(teacher.params())
    with blaming(teacher.name, "fit"):
        model.fit(learned, valid, replace(context, teacher=None, also=(), resumes=None, shared=False))
    transitions = asked.transitions
    found = np.empty((len(transitions), asked.n_states), dtype=np.float16)
    with context.progress.bar("asking", len(transitions)) as bar:
        for start in range(0, len(transitions), AT_ONCE):
            some = transitions[start : start + AT_ONCE]
            question = Inquiry.of(asked, some)
            said = checked_log_prob(teacher, model, question, whole_rows(asked, some))
            found[start : start + len(some)] = np.exp(said)
            bar.advance(len(some))
    return found


def _keep(place: Path, found: FloatArray) -> None:
    with replacing(place) as beside, beside.open("wb") as file:
        np.save(file, found)
