"""The process of an isolated model: it knows the model's name and parameters, and careers as they are sent to it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np

from harness.errors import HarnessError, RequestError, in_one_line
from harness.model.contract import Context, Estimator, ModelSpec, OutcomeModel, UnnormalizedModel
from harness.panel.careers import Panel
from harness.panel.corpus import Corpus, Shard
from harness.registry import load_registry
from harness.runs.isolation.sandbox import restrict
from harness.runs.isolation.wire import Arrays, ClosedError, receive, send, unpacked
from harness.runs.teachers import teacher_of
from harness.system.cache import models_folder
from harness.system.entry import Entry
from harness.system.supervisor import die_with

Answer = tuple[dict[str, Any], dict[str, Any]]
BOUNDS = ("log_prob", "log_mass_low", "log_mass_high", "rows")


@dataclass(frozen=True)
class _Parent:
    """The other end: questions come from it, progress and requests for panels go to it."""

    source: IO[bytes]
    sink: IO[bytes]

    lock: Lock = field(default_factory=Lock)  # a model may ask from one thread and tell from another

    @contextmanager
    def bar(self, text: str, total: float | None) -> Iterator[_Parent]:
        self._tell({"event": "bar", "text": text, "total": total})
        try:
            yield self
        finally:
            self._tell({"event": "bar ends"})

    def advance(self, amount: float = 1) -> None:
        self._tell({"event": "advance", "amount": float(amount)})

    def describe(self, text: str) -> None:
        self._tell({"event": "describe", "text": text})

    def note(self, text: str) -> None:
        self._tell({"event": "note", "text": text})

    def open_panel(self, place: str) -> Panel:
        return self._asked({"event": "panel", "place": str(place)})

    def shard(self, number: int, *, corpus: int) -> Panel:
        """corpus: its place among the further careers of the fit."""
        return self._asked({"event": "shard", "corpus": corpus, "number": number})

    def _tell(self, event: dict[str, Any]) -> None:
        with self.lock:
            send(self.sink, event)

    def _asked(self, event: dict[str, Any]) -> Panel:
        with self.lock:
            send(self.sink, event)
            head, arrays = receive(self.source)
        if "error" in head:
            raise RequestError(head["error"])
        return unpacked(head, arrays)


class _Worker:
    """Answers one question after another. The first builds the model."""

    def __init__(self, parent: _Parent) -> None:
        self.parent = parent
        self.model: Estimator
        self.teacher: Entry[ModelSpec] | None = None

    def answer(self, head: dict[str, Any], arrays: Arrays) -> Answer:
        done: Answer = getattr(self, f"do_{head['do']}")(head, arrays)
        return done

    def do_build(self, head: dict[str, Any], arrays: Arrays) -> Answer:
        restricted = restrict(map(Path, head["readable"]), map(Path, head["writable"]))
        registry = load_registry()
        spec = registry.model(head["model"]).item
        params = spec.params.model_validate(head["params"])
        self.model, self.teacher = spec.build(params), teacher_of(spec, params, registry)
        kind = next((k for k in (OutcomeModel, UnnormalizedModel) if isinstance(self.model, k)), None)
        return {"kind": "Model" if kind is None else kind.__name__, "restricted": restricted}, {}

    def do_fit(self, head: dict[str, Any], arrays: Arrays) -> Answer:
        panels = [unpacked(told, arrays, f"{i}:") for i, told in enumerate(head["panels"])]
        train, valid, *others = panels
        corpora = head["corpora"]
        further = [self._careers(i, panel, corpora.get(str(i))) for i, panel in enumerate(others)]
        context = Context(
            seed=head["seed"],
            scratch=Path(head["scratch"]),
            cache=models_folder(),
            device=head["device"],
            progress=self.parent,
            also=tuple(further[: head["also"]]),
            resumes=further[head["also"]] if len(further) > head["also"] else None,
            open_panel=self.parent.open_panel,
            teacher=None if self.teacher is None else self.teacher.item,
        )
        self.model.fit(train, valid, context)
        return {"facts": dict(self.model.facts())}, {}

    def _careers(self, place: int, panel: Panel, corpus: Mapping[str, Any] | None) -> Panel | Corpus:
        """The panel, or the corpus that it is the bare one of, whose shards the other end gives."""
        if corpus is None:
            return panel
        if corpus["weights"] is not None:
            panel = replace(panel, source={**panel.source, "weights": corpus["weights"]})
        shards = [Shard(**one) for one in corpus["shards"]]
        return Corpus.around(panel, shards, partial(self.parent.shard, corpus=place))

    def do_save(self, head: dict[str, Any], arrays: Arrays) -> Answer:
        self.model.save(Path(head["folder"]))
        return {}, {}

    def do_load(self, head: dict[str, Any], arrays: Arrays) -> Answer:
        self.model.load(Path(head["folder"]))
        return {}, {}

    def do_place(self, head: dict[str, Any], arrays: Arrays) -> Answer:
        self.model.place(head["device"])
        return {}, {}

    def do_ask(self, head: dict[str, Any], arrays: Arrays) -> Answer:
        panel, transitions = unpacked(head["panel"], arrays, "panel:"), arrays["transitions"]
        method = getattr(self.model, head["method"])
        if head["method"] in ("unseen", "log_event"):
            said = method(panel, transitions)
            return {"none": said is None}, {} if said is None else {"said": np.asarray(said)}
        states = arrays.get("states")
        if states is None:
            states = np.broadcast_to(np.arange(panel.n_states), (len(transitions), panel.n_states))
        said = method(panel, transitions, states)
        if head["method"] == "bounded_log_prob":
            return {"none": False}, {name: np.asarray(getattr(said, name)) for name in BOUNDS}
        return {"none": False}, {"said": np.asarray(said)}


def main() -> None:
    """Answer until the other end is closed, or the parent ends."""
    die_with(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a model prints is no message
    parent = _Parent(sys.stdin.buffer, sink)
    worker = _Worker(parent)
    with redirect_stdout(sys.stderr):
        while True:
            try:
                head, arrays = receive(parent.source)
            except ClosedError:
                return
            try:
                reply, found = worker.answer(head, arrays)
                send(sink, {"event": "answer", **reply}, found)
            except HarnessError as error:
                send(sink, {"event": "error", "kind": type(error).__name__, "text": str(error)})
            except BaseException as error:  # noqa: BLE001 - a stranger's model may raise anything
                send(sink, {"event": "error", "kind": "", "text": in_one_line(error)})


if __name__ == "__main__":
    main()
