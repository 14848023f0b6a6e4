"""One model on one panel with one seed, and how that request is identified."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from harness.data.checks.remarks import cautions
from harness.errors import RequestError
from harness.model import ModelSpec, Params
from harness.model.task import Task
from harness.panel import Corpus, Panel
from harness.panel.weights import that_count
from harness.records.record import Configuration, PanelFacts
from harness.runs.identity import code_version
from harness.runs.teachers import TEACHER, teacher_content
from harness.system.entry import Entry


@dataclass(frozen=True, kw_only=True)
class Run:
    """One model on one panel with one seed, for one or more tasks.

    device: where it is computed; no part of its identity. train_also: whole further panels or corpora, whose training
    careers the model is fitted on together with the panel's own. resumes: a panel or corpus that it is pre-trained on.
    train_persons: the number of training persons that it is fitted on; all where None. read_memory_mb: the peak while
    its careers were read, which counts for its own; no part of its identity. teacher: the model that teaches the fit
    (``teacher_of``). code: the code that it runs, read once, when the run is made: sources that are edited during a fit
    do not change it. contents: digests of what the parameters only name, read then too. RequestError where the panel
    has no more training persons than ``train_persons``.
    """

    model: Entry[ModelSpec]
    params: Params
    tasks: tuple[Task, ...]
    panel: Panel
    seed: int = 0
    device: str = "cpu"
    train_also: tuple[Panel | Corpus, ...] = ()
    resumes: Panel | Corpus | None = None
    train_persons: int | None = None
    read_memory_mb: float = 0.0
    teacher: Entry[ModelSpec] | None = None
    code: str = field(init=False)
    contents: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        require_fewer(self.train_persons, self.panel)
        object.__setattr__(self, "code", code_version(self.model))
        taught = {} if self.teacher is None else {TEACHER: teacher_content(self.teacher)}
        object.__setattr__(self, "contents", {**self.model.item.contents(self.params), **taught})

    def learned(self, split: Literal["train", "valid"]) -> Panel:
        """The training or the validation careers that the model is fitted on: those that count.

        Where these are some of the training persons, they are those first in the order of a hash of their ids, so that
        a smaller number is part of every larger one; of the validation persons the same share, as a survey of that size
        would have.
        """
        part = that_count(self.panel.part(split))
        if self.train_persons is None:
            return part
        share = self.train_persons / that_count(self.panel.part("train")).n_persons
        kept = self.train_persons if split == "train" else max(1, round(share * part.n_persons))
        order = np.argsort([hashlib.sha256(f"learned:{person}".encode()).hexdigest() for person in part.persons])
        return part.select(np.sort(order[:kept]))

    @cached_property
    def cautions(self) -> tuple[str, ...]:
        """Sentences on the panel that whoever reads its figures must know; none of most."""
        return cautions(self.panel)

    @cached_property
    def fit_name(self) -> str:
        """The name in the cache of the fit that all tasks of this run share."""
        return fit_name(self.configuration(self.tasks[0]), self.model.item)

    def configuration(self, task: Task) -> Configuration:
        """All that the record of this run on a task says was asked for."""
        return self._configuration.model_copy(update={"task": task.key, "task_version": task.version})

    @cached_property
    def _configuration(self) -> Configuration:
        unsaid = set(self.model.item.runtime_params)
        parameters = self.params.model_dump(mode="json", exclude=unsaid)
        defaults = type(self.params)().model_dump(mode="json", exclude=unsaid)
        return Configuration(
            task=self.tasks[0].key,
            task_version=self.tasks[0].version,
            model=self.model.item.name,
            parameters=parameters,
            changed={k: v for k, v in parameters.items() if v != defaults[k]},
            panel=panel_facts(self.panel),
            seed=self.seed,
            code=self.code,
            train_also=tuple(map(panel_facts, self.train_also)),
            pretrain=None if self.resumes is None else panel_facts(self.resumes),
            train_persons=self.train_persons,
            contents=dict(self.contents),
        )


def require_fewer(train_persons: int | None, panel: Panel) -> None:
    """RequestError where a panel has no more training persons than are asked for."""
    if train_persons is None:
        return
    here = that_count(panel.part("train")).n_persons
    if not 1 <= train_persons < here:
        raise RequestError(
            f"train_persons={train_persons}: '{panel.name}' has {here:,} training persons; ask for fewer than that, at "
            "least one, or leave it out for all"
        )


def fit_name(configuration: Configuration, spec: ModelSpec) -> str:
    """The name of the fit behind a record: ``<cache>/fits/<name>`` holds it, its model in ``model`` there."""
    return f"{spec.name}-{configuration.fit_id(spec.scoring_params)}"


def panel_facts(panel: Panel | Corpus) -> PanelFacts:
    """A panel as its records name it."""
    return PanelFacts(
        name=panel.name,
        fingerprint=panel.fingerprint(),
        persons=panel.n_persons,
        records=panel.n_records,
        states=panel.n_states,
        source=dict(panel.source),
    )
