"""A run end to end with models made for the purpose: what is recorded and reused."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from math import exp, log
from pathlib import Path
from typing import ClassVar

import numpy as np
import pluggy
import pytest
from helpers.toys import EXPECTED, Frequencies, Parameters, entry_of, run_all, run_on

from harness import hookspecs
from harness.errors import RequestError, RunError
from harness.hookspecs import hookimpl
from harness.model.contract import Context, OutcomeModel
from harness.panel.careers import Panel
from harness.records.record import Record, figures
from harness.registry import Registry, collect
from harness.runs.execute import Workshop
from harness.runs.run import Run
from harness.types import FloatArray, IntArray


def test_one_fit_is_scored_on_every_task(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    before = Frequencies.fits
    records = run_all(run_on(registry, four_persons, *EXPECTED), workshop)
    assert Frequencies.fits == before + 1
    for record in records:
        expected = EXPECTED[record.configuration.task]
        n = sum(record.evidence.transitions)
        assert record.figures["log_likelihood"] == pytest.approx(expected, abs=1e-5)
        assert record.figures["perplexity"] == pytest.approx(exp(-expected / n), rel=1e-5)
        assert record.evidence.ids == ["d"]
        assert record.facts == {"parameters_trained": 4, "train_persons": 2}


class Cyclic(Frequencies):
    """A model that knows itself, as networks with hooks do; it notes how many of its kind are in memory when one is
    fitted."""

    alive: ClassVar[weakref.WeakSet[Cyclic]] = weakref.WeakSet()
    met: ClassVar[list[int]] = []

    def __init__(self, params: Parameters) -> None:
        super().__init__(params)
        self.itself = self
        self.alive.add(self)

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        self.met.append(len(self.alive))
        super().fit(train, valid, context)


def test_the_model_of_the_run_before_is_gone_when_the_next_is_fitted(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    entry = entry_of(Cyclic)
    gc.collect()
    gc.disable()  # the interpreter would come to it some time
    try:
        for seed in range(3):
            run_all(run_on(registry, four_persons, "next_occ", "switch", entry=entry, seed=seed), workshop)
    finally:
        gc.enable()
    assert Cyclic.met == [1, 1, 1]


def test_figures_of_a_binary_task(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    [record] = run_all(run_on(registry, four_persons, "switch"), workshop)
    # P(switch) .7 .7 .8 .8; happened: no, yes, no, yes
    assert record.figures["brier"] == pytest.approx((0.49 + 0.09 + 0.64 + 0.04) / 4)
    assert record.figures["auc"] == pytest.approx(0.5)  # pairs: .7 ties .7, loses to .8; .8 beats .7, ties .8
    assert record.figures["top_1"] is None


def test_accuracy_of_a_state_task(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    [record] = run_all(run_on(registry, four_persons, "next_occ"), workshop)
    assert record.figures["top_1"] == pytest.approx(1 / 4)  # clerk is the likeliest, and comes once
    assert record.figures["top_5"] == 1


def test_an_identical_run_is_reused(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    [first] = run_all(run_on(registry, four_persons), workshop)
    before = Frequencies.fits
    [again] = run_all(run_on(registry, four_persons), workshop)
    assert Frequencies.fits == before
    assert again == first
    [forced] = run_all(run_on(registry, four_persons), replace(workshop, reuse="never"))
    assert Frequencies.fits == before + 1
    assert (forced.id, forced.figures) == (first.id, first.figures)


def test_a_further_task_loads_the_fit(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    run_all(run_on(registry, four_persons, "next_occ"), workshop)
    before = Frequencies.fits
    [record] = run_all(run_on(registry, four_persons, "switch"), workshop)
    assert Frequencies.fits == before
    assert record.figures["log_likelihood"] == pytest.approx(EXPECTED["switch"], abs=1e-5)


class Wanders(Frequencies):
    """Fitted on a device, on the processor once it is loaded, and elsewhere where it is told so."""

    asked_on: ClassVar[list[str]] = []

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        super().fit(train, valid, context)
        self.device = context.device

    def load(self, folder: Path) -> None:
        super().load(folder)
        self.device = "cpu"

    def place(self, device: str) -> None:
        self.device = device

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        self.asked_on.append(self.device)
        return super().log_prob(panel, transitions, states)


def test_a_fit_is_scored_on_its_device(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    """When it is made, and when a further task loads it."""
    for task in ("next_occ", "switch"):
        Wanders.asked_on.clear()
        [record] = run_all(run_on(registry, four_persons, task, entry=entry_of(Wanders), device="cuda:1"), workshop)
        assert set(Wanders.asked_on) == {"cuda:1"}
        assert record.measured.device.startswith("cuda:1")


class WritesTimes(Frequencies):
    """Notes the unit of time that it is shown, as a model of text writes it out."""

    units: ClassVar[list[str]] = []

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        super().fit(train, valid, context)
        self.units.append(train.unit)

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        self.units.append(panel.unit)
        return super().log_prob(panel, transitions, states)


def test_a_model_is_asked_in_the_unit_that_it_was_fitted_in(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    quarters = replace(four_persons, source={"time_unit": "quarter"})
    run_all(run_on(registry, quarters, "next_occ", entry=entry_of(WritesTimes)), workshop)
    assert len(WritesTimes.units) > 1
    assert set(WritesTimes.units) == {"quarter"}


@pytest.mark.parametrize("damage", ["edited", "half removed"])
def test_a_damaged_fit_is_made_again(registry: Registry, workshop: Workshop, four_persons: Panel, damage: str) -> None:
    """It would be loaded without a word, and other numbers recorded."""
    run_all(run_on(registry, four_persons, "next_occ"), workshop)
    [kept] = workshop.cache.glob("fits/*/model/margin.json")
    if damage == "edited":
        kept.write_text("[0.97, 0.01, 0.01, 0.01]")
    else:
        kept.unlink()
    before = Frequencies.fits
    [record] = run_all(run_on(registry, four_persons, "switch"), workshop)
    assert Frequencies.fits == before + 1
    assert record.figures["log_likelihood"] == pytest.approx(EXPECTED["switch"], abs=1e-5)


def test_the_id_sees_what_was_asked(registry: Registry, four_persons: Panel) -> None:
    run = run_on(registry, four_persons)
    task, switch = registry.task("next_occ"), registry.task("switch")
    ids = {
        run.configuration(task).id(),
        run.configuration(switch).id(),
        run.configuration(task.with_entry(True)).id(),
        run.configuration(replace(task, version=2)).id(),
        replace(run, seed=1).configuration(task).id(),
        replace(run, params=Parameters(weight=2)).configuration(task).id(),
        replace(run, panel=four_persons.select(np.array([0, 2, 3]))).configuration(task).id(),
        replace(run, model=replace(run.model, version="2")).configuration(task).id(),
    }
    assert len(ids) == 8
    assert run.configuration(task).changed == {}
    assert replace(run, params=Parameters(weight=2)).configuration(task).changed == {"weight": 2}


def test_entry_records_are_scored_too(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    task = registry.task("next_occ").with_entry(True)
    [record] = run_all(replace(run_on(registry, four_persons), tasks=(task,)), workshop)
    assert record.configuration.task == "next_occ-entry"
    assert record.figures["log_likelihood"] == pytest.approx(EXPECTED["next_occ"] + log(0.3), abs=1e-5)


def test_an_empty_task_says_so(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    stayers = four_persons.select(np.array([0, 2, 3]))
    state = stayers.state.copy()
    state[-5:] = 1
    with pytest.raises(RequestError, match="'next_occ_switchers' is empty on 'four-persons'"):
        run_all(run_on(registry, replace(stayers, state=state), "next_occ_switchers"), workshop)


def test_a_stopped_fit_finds_its_scratch_again_unless_forced(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    found: list[list[str]] = []

    class Stopped(Frequencies):
        def fit(self, train: Panel, valid: Panel, context: Context) -> None:
            found.append([path.name for path in context.scratch.iterdir()])
            (context.scratch / "half").touch()
            if len(found) < 4:
                raise KeyboardInterrupt
            super().fit(train, valid, context)

    run = run_on(registry, four_persons, entry=entry_of(Stopped))
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_all(run, workshop)
    with pytest.raises(KeyboardInterrupt):
        run_all(run, replace(workshop, reuse="never"))
    [record] = run_all(run, workshop)
    assert found == [[], ["half"], [], ["half"]]
    assert not list((workshop.cache / "unfinished").iterdir())
    assert record.measured.fit_processor_seconds is None  # the attempt that was stopped took its own along


def test_finished_tasks_survive_a_later_crash(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    class DiesOnSecondTask(Frequencies):
        def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
            if states.shape[1] == 1 and (states[:, 0] == panel.origin(transitions)).all():  # switch asks for no more
                raise MemoryError
            return super().log_prob(panel, transitions, states)

    with pytest.raises(RunError, match="MemoryError"):
        run_all(run_on(registry, four_persons, "next_occ", "switch", entry=entry_of(DiesOnSecondTask)), workshop)
    assert [record.configuration.task for record in workshop.store.all()] == ["next_occ"]


class Coin(OutcomeModel):
    """P(switch) = 1/4, whoever asks."""

    def __init__(self, params: Parameters) -> None: ...

    def fit(self, train: Panel, valid: Panel, context: Context) -> None: ...

    def log_event(self, panel: Panel, transitions: IntArray) -> FloatArray:
        return np.full(len(transitions), log(0.25), dtype=np.float32)

    def save(self, folder: Path) -> None: ...

    def load(self, folder: Path) -> None: ...


def test_an_event_model_must_say_so_in_its_spec(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    with pytest.raises(RunError, match="says nothing but how likely an event is"):
        run_all(run_on(registry, four_persons, "next_occ", entry=entry_of(Coin)), workshop)
    assert not workshop.store.all()


def test_a_model_of_one_task_competes_there_alone(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    coin = entry_of(Coin, only_task="switch")
    [record] = run_all(run_on(registry, four_persons, "switch", entry=coin), workshop)
    assert record.figures["log_likelihood"] == pytest.approx(2 * log(0.25) + 2 * log(0.75), abs=1e-5)
    with pytest.raises(RequestError, match="predicts the outcome of task 'switch' alone"):
        run_all(run_on(registry, four_persons, "next_occ", entry=coin), workshop)


def test_observers_hear_of_a_run(workshop: Workshop, registry: Registry, four_persons: Panel) -> None:
    heard: list[str] = []

    class Observer:
        @hookimpl
        def harness_run_started(self, run: Run) -> None:
            heard.append(f"started {run.model.item.name}")

        @hookimpl
        def harness_run_finished(self, run: Run, record: Record) -> None:
            heard.append(f"finished {record.configuration.task}")

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(Observer(), name="observer")
    run_all(run_on(registry, four_persons, "next_occ", "switch"), replace(workshop, registry=collect(manager)))
    assert heard == ["started frequencies", "finished next_occ", "finished switch"]


def test_figures_are_recomputed_from_the_file_alone(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    for record in run_all(run_on(registry, four_persons, *EXPECTED), workshop):
        assert figures(workshop.store.read(workshop.store.path(record.configuration))) == record.figures
