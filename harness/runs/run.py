"""What is run: one model on one panel with one seed, and how that request is identified."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from harness.errors import RequestError
from harness.model.contract import ModelSpec, Params
from harness.model.task import Task
from harness.panel.careers import SPLITS, Panel
from harness.records.record import Configuration, PanelFacts
from harness.system.entry import Entry

# The core modules that a number depends on, beside the model's own.
NUMBERS = (
    "panel",
    "task",
    "events",
    "model",
    "ensemble",
    "scoring",
    "calibration",
    "weights",
    "contract",
    "runner",
    "recording",
    "slices",
    "pooling",
    "frequencies",
    "features*",
    "logits",
    "multinomial",
    "from_origin",
    "staged*",
    "training/*",
)


@dataclass(frozen=True)
class Run:
    """One model on one panel with one seed, for one or more tasks.

    train_also: whole further panels, whose training careers the model is fitted on together with the panel's own.
    resumes: a panel that it is pre-trained on. train_persons: how many of the training persons it is fitted on; all
    where None. RequestError where the panel has no more than that.
    """

    model: Entry[ModelSpec]
    params: Params
    tasks: tuple[Task, ...]
    panel: Panel
    seed: int = 0
    device: str = "cpu"
    train_also: tuple[Panel, ...] = ()
    resumes: Panel | None = None
    train_persons: int | None = None

    def __post_init__(self) -> None:
        here = int((self.panel.split == SPLITS.index("train")).sum())
        if self.train_persons is not None and not 1 <= self.train_persons < here:
            raise RequestError(
                f"train_persons={self.train_persons}: '{self.panel.name}' has {here:,} training persons; ask for fewer "
                "than that, at least one, or leave it out for all"
            )

    def learned(self, split: Literal["train", "valid"]) -> Panel:
        """The training or the validation careers that the model is fitted on.

        Where these are some of the training persons, they are those first in the order of a hash of their ids, so that
        a smaller number is part of every larger one; of the validation persons the same share, as a survey of that size
        would have.
        """
        part = self.panel.part(split)
        if self.train_persons is None:
            return part
        share = self.train_persons / int((self.panel.split == SPLITS.index("train")).sum())
        kept = self.train_persons if split == "train" else max(1, round(share * part.n_persons))
        order = np.argsort([hashlib.sha256(f"learned:{person}".encode()).hexdigest() for person in part.persons])
        return part.select(np.sort(order[:kept]))

    def fit_name(self) -> str:
        """What the cache calls the fit that all tasks of this run share."""
        return fit_name(self.configuration(self.tasks[0]), self.model.item)

    def configuration(self, task: Task) -> Configuration:
        parameters = self.params.model_dump(mode="json")
        defaults = type(self.params)().model_dump(mode="json")
        return Configuration(
            task=task.key,
            task_version=task.version,
            model=self.model.item.name,
            parameters=parameters,
            changed={k: v for k, v in parameters.items() if v != defaults[k]},
            panel=panel_facts(self.panel),
            seed=self.seed,
            code=code_version(self.model),
            train_also=tuple(map(panel_facts, self.train_also)),
            pretrain=None if self.resumes is None else panel_facts(self.resumes),
            train_persons=self.train_persons,
        )


def fit_name(configuration: Configuration, spec: ModelSpec) -> str:
    """What the cache calls the fit behind a record: ``<cache>/fits/<name>`` holds it, its model in ``model`` there."""
    return f"{spec.name}-{configuration.fit_id(spec.scoring_params)}"


def panel_facts(panel: Panel) -> PanelFacts:
    """What a record says of a panel."""
    return PanelFacts(
        name=panel.name,
        fingerprint=panel.fingerprint(),
        persons=panel.n_persons,
        records=panel.n_records,
        states=panel.n_states,
        source=dict(panel.source),
    )


def code_version(entry: Entry[ModelSpec]) -> str:
    """Distribution, version, and 12 digits of SHA-256 over the sources of the model and of the core it rests on."""
    return f"{entry.owner} {entry.version} {sources_digest(entry.module)[:12]}"


def sources_digest(module: str) -> str:
    """64 hexadecimal digits of SHA-256 over the sources of a model's module or package, and of the core it rests on."""
    core = Path(__file__).parent
    files = [path for name in NUMBERS for path in sorted(core.glob(f"{name}.py"))]
    spec = find_spec(module)
    if spec is not None and spec.origin:
        own = Path(spec.origin)
        files += sorted(own.parent.glob("*.py")) if own.name == "__init__.py" else [own]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
