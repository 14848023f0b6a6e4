"""A model that lives in another process, and plays itself in this one.

Whatever is asked of it is sent as careers that end with the record in question, whose state is redrawn, under names
that say nothing, the early years of every career before the late ones: when a question comes, no answer to it has been
there yet. The panel, the records and the scorer are in this process alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import RunError
from harness.model.contract import BoundedRows, Context, Estimator, Model, ModelSpec, OutcomeModel, UnnormalizedModel
from harness.model.masked_sample import redrawn, renamed
from harness.panel.careers import Panel
from harness.panel.corpus import Corpus
from harness.panel.model_view import model_view
from harness.runs.isolation.process import Isolation, WorkerProcess
from harness.runs.isolation.wire import Arrays, packed
from harness.system.entry import Entry
from harness.types import FloatArray, IntArray


def isolated(entry: Entry[ModelSpec], isolation: Isolation) -> Entry[ModelSpec]:
    """The same model, each instance in a process of its own."""
    return replace(entry, item=replace(entry.item, build=partial(_build, entry.item, isolation)))


def _build(spec: ModelSpec, isolation: Isolation, params: Any) -> Estimator:
    """RequestError where the model may read a folder that must be hidden from it; RunError where it does not start."""
    worker = WorkerProcess(spec.name, isolation, params.model_dump(mode="json"))
    kinds: dict[str, type[_Isolated]] = {
        "OutcomeModel": IsolatedOutcomeModel,
        "UnnormalizedModel": IsolatedUnnormalizedModel,
    }
    return kinds.get(worker.kind, IsolatedModel)(worker)


class _Isolated(Estimator):
    """The part that all kinds share: fit, save, load, and questions sent masked."""

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self._facts: Mapping[str, Any] = {}

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        further = [*context.also, *([context.resumes] if context.resumes is not None else [])]
        corpora = {
            str(i): {"shards": [asdict(shard) for shard in one.shards], "weights": one.source.get("weights")}
            for i, one in enumerate(further)
            if isinstance(one, Corpus)
        }
        # The shards of a corpus are sent when they are asked for.
        bare = [one.bare() if isinstance(one, Corpus) else one for one in further]
        heads: list[dict[str, Any]] = []
        arrays: dict[str, Any] = {}
        for i, panel in enumerate((train, valid, *bare)):
            head, columns = packed(panel, f"{i}:")
            heads.append(head)
            arrays |= columns
        told = {
            "panels": heads,
            "corpora": corpora,
            "also": len(context.also),
            "seed": context.seed,
            "device": context.device,
        }
        scratch = self.worker.folder("scratch")
        reply, _ = self.worker.call({"do": "fit", "scratch": str(scratch), **told}, arrays, context)
        self._facts = reply["facts"]

    def save(self, folder: Path) -> None:
        """Saved where the other process can write, and moved from there."""
        draft = self.worker.folder("saved")
        self.worker.call({"do": "save", "folder": str(draft)})
        for part in draft.iterdir():
            if part.is_symlink():
                raise RunError(f"save left a link, '{part.name}', and no file")
            shutil.move(part, folder / part.name)

    def load(self, folder: Path) -> None:
        copy = self.worker.folder("loaded")
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        self.worker.call({"do": "load", "folder": str(copy)})

    def place(self, device: str) -> None:
        self.worker.call({"do": "place", "device": device})

    def facts(self) -> Mapping[str, Any]:
        return self._facts

    def unseen(self, panel: Panel, transitions: IntArray) -> IntArray | None:
        said = self._ask("unseen", panel, transitions)
        return said["said"].astype(np.int64) if said else None

    def _ask(self, method: str, panel: Panel, transitions: IntArray, states: IntArray | None = None) -> Arrays:
        """The answers, in the order of the transitions; empty where the model has nothing to say."""
        place = transitions - panel.offsets[panel.person[transitions]]
        whole = states is not None and states.shape[1] == panel.n_states and states.strides[0] == 0
        answers: dict[str, Any] = {}
        for year in np.unique(place):
            here = np.flatnonzero(place == year)
            careers, targets = panel.histories(transitions[here])
            generator = np.random.default_rng()
            masked = model_view(
                replace(careers, state=redrawn(careers, targets, generator), persons=renamed(len(targets), generator))
            )
            head, arrays = packed(masked, "panel:")
            arrays["transitions"] = targets
            if states is not None and not whole:
                arrays["states"] = states[here]
            reply, said = self.worker.call({"do": "ask", "method": method, "panel": head}, arrays)
            if reply["none"]:
                return {}
            for name, part in said.items():
                if part.shape[:1] != (len(here),):
                    raise RunError(f"{method} was asked about {len(here)} transitions and returned {part.shape}")
                whole_answer = answers.setdefault(name, np.zeros((len(transitions), *part.shape[1:]), part.dtype))
                whole_answer[here] = part
        return answers


class IsolatedModel(_Isolated, Model):
    """P(next state | history)."""

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        said: FloatArray = self._ask("log_prob", panel, transitions, states)["said"]
        return said


class IsolatedUnnormalizedModel(IsolatedModel, UnnormalizedModel):
    """P(next state | history), and the mass of its rows."""

    def bounded_log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> BoundedRows:
        return BoundedRows(**self._ask("bounded_log_prob", panel, transitions, states))


class IsolatedOutcomeModel(_Isolated, OutcomeModel):
    """P(event | history)."""

    def log_event(self, panel: Panel, transitions: IntArray) -> FloatArray:
        said: FloatArray = self._ask("log_event", panel, transitions)["said"]
        return said
