"""The probabilities of a run: they are kept, whole, with the record, and believed only where it adds up."""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import EXPECTED, MARGIN, Frequencies, entry_of, run_all, run_on, run_with_valid

from harness.errors import RequestError, RunError
from harness.model.task import LOG_SMALLEST_REST
from harness.panel.careers import Panel
from harness.records.predictions import Predictions, covers_valid, load, path_of
from harness.records.record import Record
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.runs.validation import Validation
from harness.stats.figures import Scores
from harness.types import FloatArray, IntArray


@pytest.fixture
def record(registry: Registry, workshop: Workshop, four_persons: Panel) -> Record:
    [made] = run_with_valid(run_on(registry, four_persons), workshop)
    return made


def changed(workshop: Workshop, record: Record, **arrays: object) -> None:
    """The record's file with other arrays in it; None takes one out."""
    path = path_of(workshop.cache, record.id)
    with np.load(path) as file:
        content = {name: file[name] for name in file.files} | arrays
    kept: dict[str, Any] = {name: np.asarray(values) for name, values in content.items() if values is not None}
    np.savez(path, **kept)


def test_every_transition_of_both_splits(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    by_task = {r.configuration.task: r for r in run_with_valid(run_on(registry, four_persons, *EXPECTED), workshop)}
    said = load(workshop.cache, by_task["next_occ"])
    # d: nurse, nurse 2001, out 2002, out 2004, clerk 2005; c: unemployed, clerk 2001
    assert said["test"].ids[said["test"].person].tolist() == ["d"] * 4
    assert said["test"].year.tolist() == [2001, 2002, 2004, 2005]
    assert said["test"].log_prob == pytest.approx(np.log([MARGIN[0], MARGIN[3], MARGIN[3], MARGIN[1]]))
    assert said["test"].happened is None
    assert (said["valid"].ids.tolist(), said["valid"].year.tolist()) == (["c"], [2001])
    assert said["valid"].log_prob == pytest.approx([log(MARGIN[1])])
    switch = load(workshop.cache, by_task["switch"])["test"]
    assert switch.happened is not None
    assert switch.happened.tolist() == [False, True, False, True]
    assert switch.log_event == pytest.approx(np.log([0.7, 0.7, 0.8, 0.8]))
    assert switch.log_prob == pytest.approx(np.log([0.3, 0.7, 0.2, 0.8]))
    given_switch = load(workshop.cache, by_task["next_occ_switchers"])
    assert given_switch["test"].log_prob == pytest.approx(np.log([0.2 / 0.7, 0.4 / 0.8]))
    assert given_switch["valid"].log_prob == pytest.approx([log(0.4 / 0.9)])
    for task, record in by_task.items():
        assert load(workshop.cache, record)["test"].log_prob.sum() == pytest.approx(EXPECTED[task], abs=1e-5)


def test_nothing_of_a_person_lies_beside_the_records(workshop: Workshop, record: Record) -> None:
    assert path_of(workshop.cache, record.id).is_file()
    assert [path.name for path in workshop.store.folder.rglob("*") if path.is_file()] == [
        workshop.store.path(record.configuration).name
    ]


def test_weights_are_kept_beside_what_was_said(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    weight = np.ones(13)
    weight[9:] = [2.0, 0.5, 0.0, 1.5]
    [record] = run_all(run_on(registry, replace(four_persons, weight=weight)), workshop)
    said = load(workshop.cache, record)["test"]
    assert said.weight is not None
    assert said.weight.tolist() == [2.0, 0.5, 0.0, 1.5]
    assert said.log_prob == pytest.approx(np.log([0.3, 0.2, 0.2, 0.4]))
    assert said.evidence().log_likelihood == record.evidence.log_likelihood
    assert said.counts().sum() == 4


def test_first_records_where_the_task_asks_for_them(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    task = registry.task("next_occ").with_entry(True)
    [record] = run_with_valid(replace(run_on(registry, four_persons), tasks=(task,)), workshop)
    assert load(workshop.cache, record)["valid"].year.tolist() == [2000, 2001]


def test_a_validation_split_where_nobody_is_at_risk(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    state = four_persons.state.copy()
    state[6:8] = 3  # c is out of the labor force throughout
    for panel in (replace(four_persons, state=state), four_persons.select(np.array([0, 1, 3]))):
        [record] = run_with_valid(run_on(registry, panel, "lf_exit"), workshop)
        said = load(workshop.cache, record)
        assert len(said["valid"].person) == len(said["valid"].log_prob) == 0
        assert len(said["test"].person) == 2


def test_the_validation_split_is_asked_for_what_happened_alone(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    asked: list[tuple[str, int]] = []

    class Listening(Frequencies):
        def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
            asked.append((str(panel.persons[0]), states.shape[1]))
            return super().log_prob(panel, transitions, states)

    run_with_valid(run_on(registry, four_persons, entry=entry_of(Listening)), workshop)
    assert [one for one in asked if one[0] == "d"] == [("d", 4)]
    assert asked[-1] == ("c", 1)


def test_a_run_does_not_score_the_validation_split(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    asked: list[str] = []

    class Listening(Frequencies):
        def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
            asked.append(str(panel.persons[0]))
            return super().log_prob(panel, transitions, states)

    [record] = run_all(run_on(registry, four_persons, entry=entry_of(Listening)), workshop)
    assert asked.count("d") == 1  # elsewhere under other names, in the masked samples
    assert asked.count("c") == 2  # before and after the fit was saved, a few questions alone
    assert not covers_valid(workshop.cache, record)
    assert set(load(workshop.cache, record)) == {"test"}


def test_the_validation_split_is_scored_by_the_records_fit_alone(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    entry = registry.model("marginal")
    [record] = run_all(run_on(registry, four_persons, entry=entry, params=entry.item.params()), workshop)
    validation = Validation(workshop, lambda _: four_persons)
    asked = record.configuration.model_copy(update={"code": "labor-harness 0 000"})
    with pytest.raises(RequestError, match="is not in this machine's cache"):  # the fit of other code is another fit
        validation.ensure(record.model_copy(update={"configuration": asked}))
    assert not covers_valid(workshop.cache, record)
    validation.ensure(record)
    assert covers_valid(workshop.cache, record)


def test_a_record_is_not_written_before_what_it_rests_on(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    (workshop.cache).mkdir()
    (workshop.cache / "probabilities").touch()  # a file where the folder should be
    with pytest.raises(RunError, match=r"cannot be written .*HARNESS_CACHE names another folder"):
        run_all(run_on(registry, four_persons), workshop)
    assert workshop.store.all() == []


def test_a_record_without_probabilities_is_scored_again_from_its_fit(
    registry: Registry, workshop: Workshop, four_persons: Panel, record: Record
) -> None:
    path, fits = path_of(workshop.cache, record.id), Frequencies.fits
    path.unlink()
    [again] = run_all(run_on(registry, four_persons), workshop)
    assert path.exists()
    assert Frequencies.fits == fits
    assert (again.id, again.evidence) == (record.id, record.evidence)
    told = path.stat().st_mtime_ns
    run_all(run_on(registry, four_persons), workshop)
    assert path.stat().st_mtime_ns == told  # and is there now, so that the record is read


def test_a_record_without_its_fit_is_read_where_any_will_do(
    registry: Registry, workshop: Workshop, four_persons: Panel, record: Record, tmp_path: Path
) -> None:
    elsewhere = replace(workshop, cache=tmp_path / "empty")
    fits = Frequencies.fits
    assert run_all(run_on(registry, four_persons), replace(elsewhere, reuse="any")) == [record]
    assert Frequencies.fits == fits
    run_all(run_on(registry, four_persons), elsewhere)
    assert Frequencies.fits == fits + 1


def test_what_is_not_here_or_damaged_is_refused(workshop: Workshop, record: Record, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=f"what run {record.id} said of each transition is not on this machine"):
        load(tmp_path, record)
    path = path_of(workshop.cache, record.id)
    whole = path.read_bytes()
    np.save(tmp_path / "one.npy", np.zeros(3))
    for content in (b"", b"nonsense", whole[: len(whole) // 2], (tmp_path / "one.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(RequestError, match=r"damaged .*remove it and run it again"):
            load(workshop.cache, record)


def test_whatever_byte_is_damaged(workshop: Workshop, record: Record) -> None:
    """Sizes, methods, names, checksums: refused in a line, or a byte that says nothing of the content."""
    path = path_of(workshop.cache, record.id)
    whole, sound = path.read_bytes(), load(workshop.cache, record)["test"].log_prob
    refused = 0
    for place in range(0, len(whole), 17):
        damaged = bytearray(whole)
        damaged[place] ^= 0x41
        path.write_bytes(damaged)
        try:
            found = load(workshop.cache, record)["test"].log_prob
        except RequestError:
            refused += 1
        else:
            np.testing.assert_array_equal(found, sound)
    assert refused > len(whole) / 17 / 2


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"about": None}, "damaged"),
        ({"about": "[]"}, "says it is of"),
        ({"test.log_prob": None}, "no log_prob of the test split"),
        ({"valid.year": np.zeros(3)}, "columns of the valid split do not fit one another"),
        ({"test.person": np.array([0, 0, 0, 1])}, "columns of the test split do not fit one another"),
        ({"valid.log_prob": np.array([np.nan])}, "log-probability of the valid split is not finite"),
        ({"test.log_prob": np.log([0.3, 0.2, 0.2, 0.5])}, "do not add up to the evidence"),
        ({"test.ids": np.array(["e"])}, "do not add up to the evidence"),
        ({"test.log_prob": np.array([{}])}, "damaged"),  # a pickle
    ],
)
def test_what_is_not_the_records_is_refused(
    workshop: Workshop, record: Record, arrays: dict[str, object], message: str
) -> None:
    changed(workshop, record, **arrays)
    with pytest.raises(RequestError, match=message):
        load(workshop.cache, record)


def test_another_runs_file_is_refused(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    one, other = run_all(run_on(registry, four_persons, "switch", "lf_exit"), workshop)
    path_of(workshop.cache, one.id).write_bytes(path_of(workshop.cache, other.id).read_bytes())
    with pytest.raises(RequestError, match=f"says it is of .*{other.id}.*, not of .*{one.id}"):
        load(workshop.cache, one)


def test_a_rule_that_looks_at_other_careers_is_refused(registry: Registry, four_persons: Panel) -> None:
    task = registry.task("next_occ")
    panel = four_persons.part("test")
    scores = replace(
        Predictions.of(task, panel, _scores(4)).scores(), log_prob=np.zeros(3), person=np.zeros(3, dtype=int)
    )
    with pytest.raises(RunError, match="'next_occ' puts other transitions at risk"):
        Predictions.of(task, panel, scores)


def _scores(n: int) -> Scores:
    return Scores(1, np.full(n, LOG_SMALLEST_REST), np.zeros(n, dtype=np.int64))


def test_the_store_reads_what_it_wrote_after_all(workshop: Workshop, record: Record) -> None:
    assert load(workshop.cache, Store(workshop.store.folder).all()[0])["test"].evidence().ids == ["d"]
