"""Probabilities made elsewhere: that they are scored as a model's are, and refused where they say what cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest
from helpers.submissions import CODES, YEARS, Rows, Scorer, long_file, long_rows, written
from helpers.toys import EXPECTED, MARGIN, Frequencies, entry_of, run_all, run_on
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import open_panel
from harness.errors import HarnessError
from harness.model.answers import Inquiry, checked_log_prob, whole_rows
from harness.panel.careers import Panel
from harness.records.predictions import covers_valid, load
from harness.records.record import figures
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop, fitted
from harness.submission import Submission, submitted
from harness.submission import rows as rows_of_files
from harness.system.progress import Silent


@pytest.fixture
def score(registry: Registry, workshop: Workshop, four_persons: Panel) -> Scorer:
    return Scorer(registry, workshop, four_persons)


def as_r_writes(path: Path, rows: Rows) -> Path:
    """write.csv: names of rows, quotes around text, and numbers as 3e-01."""
    lines = [f'"{i}","{p}",{y},"{s}",{v:.0e}' for i, (p, y, s, v) in enumerate(rows, start=1)]
    path.write_text("\r\n".join(['"","person","year","state","probability"', *lines, ""]))
    return path


FORMS: dict[str, Callable[[Path], tuple[Path, dict[str, object]]]] = {
    "long csv": lambda folder: (long_file(folder), {}),
    "long csv.gz": lambda folder: (long_file(folder, name="p.csv.gz"), {}),
    "long csv, as R writes it": lambda folder: (
        as_r_writes(folder / "p.csv", long_rows()),
        {},
    ),
    "long csv, as Stata writes it": lambda folder: (
        written(
            folder / "p.csv", ["person", "year", "state", "probability"], [[*r[:3], str(r[3])[1:]] for r in long_rows()]
        ),
        {},
    ),
    "long parquet": lambda folder: (long_file(folder, name="p.parquet"), {}),
    "long csv, by other names": lambda folder: (
        written(folder / "p.csv", ["ID", "t", "to", "p"], long_rows()),
        {"person": "ID", "year": "t", "state": "to", "probability": "p"},
    ),
    "long csv, logarithms": lambda folder: (
        written(folder / "p.csv", ["person", "year", "state", "log_probability"], long_rows(np.log(MARGIN).tolist())),
        {},
    ),
    "wide csv": lambda folder: (
        written(folder / "p.csv", ["person", "year", "origin", *CODES], [["d", y, "?", *MARGIN] for y in YEARS]),
        {},
    ),
    "wide parquet, logarithms, other order": lambda folder: (
        written(
            folder / "p.parquet",
            [*CODES[::-1], "year", "person"],
            [[*np.log(MARGIN[::-1]).tolist(), float(y), "d"] for y in YEARS],
        ),
        {"log": True},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_whole_rows_of_any_form_answer_every_task(score: Scorer, tmp_path: Path, form: str) -> None:
    file, how = FORMS[form](tmp_path)
    made = score(file, *EXPECTED, **how)  # type: ignore[arg-type]
    for task, expected in EXPECTED.items():
        assert made[task].figures["log_likelihood"] == pytest.approx(expected, abs=1e-6)
    assert made["next_occ"].configuration.parameters["format"] == form.partition(",")[0]


def test_the_record_is_the_models_own_but_for_provenance(
    score: Scorer, tmp_path: Path, registry: Registry, four_persons: Panel
) -> None:
    own = {r.configuration.task: r for r in run_all(run_on(registry, four_persons, *EXPECTED), score.workshop)}
    made = score(long_file(tmp_path), *EXPECTED)
    for task, record in made.items():
        assert (record.evidence, record.slices) == (own[task].evidence, own[task].slices)
        assert record.figures == own[task].figures == figures(record)
        assert (record.outcomes, record.mass, record.sums_to_one) == (own[task].outcomes, None, True)
        assert record.configuration.panel == own[task].configuration.panel
    record = made["switch"]
    assert (record.configuration.model, record.configuration.code) == ("mine", "submitted")
    assert record.facts["submitted"] is True
    assert record.measured.fit_seconds == 0
    assert len(record.configuration.parameters["file_sha256"]) == 64
    assert Store(score.workshop.store.folder).read(score.workshop.store.path(record.configuration)) == record
    assert score(long_file(tmp_path), "switch")["switch"].id == record.id
    assert score(long_file(tmp_path, long_rows([0.25] * 4)), "switch")["switch"].id != record.id


def test_of_an_event_its_probability_is_enough(score: Scorer, tmp_path: Path) -> None:
    names = ["person", "year", "probability"]
    switch = written(tmp_path / "s.csv", names, [["d", y, p] for y, p in zip(YEARS, [0.7, 0.7, 0.8, 0.8], strict=True)])
    assert score(switch, "switch")["switch"].figures["log_likelihood"] == pytest.approx(EXPECTED["switch"], abs=1e-6)
    # d leaves the labor force in 2002, is asked about then and the year before, and never again.
    leaving = written(tmp_path / "l.csv", names, [["d", 2001, 0.2], ["d", 2002, 0.2]])
    [record] = score(leaving, "lf_exit").values()
    assert record.figures["log_likelihood"] == pytest.approx(EXPECTED["lf_exit"], abs=1e-6)
    assert record.figures["brier"] == pytest.approx((0.2**2 + 0.8**2) / 2, abs=1e-6)
    assert record.configuration.parameters["format"] == "event csv"
    for tasks in (("next_occ",), ("switch", "lf_exit")):
        assert f"so it is of one binary task's event; asked for: {', '.join(tasks)}" in score.refusal(switch, *tasks)
    for certain, how in ((1, {}), (0, {}), (0.0, {"log": True})):
        rows: Rows = [["d", 2001, certain], ["d", 2002, 0.2 if not how else -1.0]]
        said = score.refusal(written(tmp_path / "c.csv", names, rows), "lf_exit", **how)
        assert "1 of 2 probabilities leave no room, first that of person 'd', year 2001, which is" in said


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_rows_come_in_any_order_and_in_any_number_of_batches(
    score: Scorer, tmp_path: Path, data: st.DataObject
) -> None:
    weights = data.draw(st.lists(st.lists(st.floats(0.01, 1), min_size=4, max_size=4), min_size=4, max_size=4))
    rows = np.array(weights) / np.sum(weights, axis=1, keepdims=True)
    table: Rows = [["d", y, c, float(rows[i, k])] for i, y in enumerate(YEARS) for k, c in enumerate(CODES)]
    table += [["a", 2001, "OUT", 7.0], ["c", 2001, "OUT", 0.5], ["d", 2000, "OUT", 0.5]]  # not asked about
    order = data.draw(st.permutations(table))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_of_files, "BLOCK", data.draw(st.integers(64, 400)))
        patch.setattr(rows_of_files, "BATCH", data.draw(st.integers(1, 20)))
        file = long_file(tmp_path, list(order), data.draw(st.sampled_from(["p.csv", "p.csv.gz", "p.parquet"])))
        [record] = score(file).values()
    expected = np.log(rows[[0, 1, 2, 3], [0, 3, 3, 1]]).sum()
    assert record.figures["log_likelihood"] == pytest.approx(expected, abs=1e-5)


def test_a_floor_is_mixed_in_in_the_open(score: Scorer, tmp_path: Path) -> None:
    file = long_file(tmp_path, long_rows([0.5, 0.25005, 0.0, 0.25]))
    [record] = score(file, floor=0.1).values()
    shares = [0.9 * p / 1.00005 + 0.1 / 4 for p in (0.5, 0.25, 0.25, 0.25005)]
    assert record.figures["log_likelihood"] == pytest.approx(np.log(shares).sum(), abs=1e-6)
    assert record.configuration.parameters["floor"] == record.configuration.changed["floor"] == 0.1
    logs = written(
        tmp_path / "l.csv",
        ["person", "year", "state", "log_probability"],
        [["d", y, c, p] for y in YEARS for c, p in zip(CODES, [log(0.5), log(0.5), "-Inf", "-inf"], strict=True)],
    )
    assert "8 of 16 probabilities leave no room" in score.refusal(logs)
    [record] = score(logs, floor=0.1).values()
    assert record.figures["log_likelihood"] == pytest.approx(2 * log(0.475) + 2 * log(0.025), abs=1e-6)
    event = written(
        tmp_path / "e.csv",
        ["person", "year", "probability"],
        [["d", y, p] for y, p in zip(YEARS, [0, 1, 0, 1], strict=True)],
    )
    [record] = score(event, "switch", floor=0.1).values()
    assert record.figures["log_likelihood"] == pytest.approx(4 * log(0.95), abs=1e-6)


def test_however_small_a_probability_is_it_is_one(score: Scorer, tmp_path: Path) -> None:
    rows = long_rows([1 - 3e-300, 1e-300, 1e-300, 1e-300])
    [record] = score(long_file(tmp_path, rows)).values()
    assert record.figures["log_likelihood"] == pytest.approx(3 * log(1e-300), rel=1e-6)


class Heard:
    """The lines of a run while it goes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def bar(self, text: str, total: float | None) -> object:
        return Silent().bar(text, total)


def test_what_is_not_asked_about_is_left_aside_and_counted(score: Scorer, tmp_path: Path) -> None:
    heard = Heard()
    score.workshop = replace(score.workshop, progress=heard)  # type: ignore[arg-type]
    beside: Rows = [["a", 1900, "OUT", "9"], ["a", 2001, "OUT", "9"], ["d", 2000, "OUT", 0.4], ["c", 2001, "OUT", 0.2]]
    [record] = score(long_file(tmp_path, [*long_rows(), *beside])).values()
    assert record.figures["log_likelihood"] == pytest.approx(EXPECTED["next_occ"], abs=1e-6)
    assert heard.notes == [
        "p.csv: not used: 2 rows of the training split",
        "p.csv: not used: 1 row of first records, which no transition ends in",
        "p.csv: not used: rows of the validation split, since not all of it is there",
    ]
    assert list(load(score.workshop.cache, record)) == ["test"]
    assert not covers_valid(score.workshop.cache, record)


def test_the_validation_split_is_kept_where_it_is_there(score: Scorer, tmp_path: Path) -> None:
    valid: Rows = [["c", 2001, code, 0.25] for code in CODES]
    [record] = score(long_file(tmp_path, [*valid, *long_rows()])).values()
    said = load(score.workshop.cache, record)
    assert said["valid"].log_prob == pytest.approx([log(0.25)])
    assert said["test"].log_prob == pytest.approx(np.log([0.3, 0.2, 0.2, 0.4]))
    assert covers_valid(score.workshop.cache, record)
    valid[2][3] = 0.3
    assert "person 'c', year 2001 sum to 1.05" in score.refusal(long_file(tmp_path, [*valid, *long_rows()]))


def test_first_records_are_needed_where_the_task_asks_about_them(
    score: Scorer, tmp_path: Path, registry: Registry
) -> None:
    task = registry.task("next_occ").with_entry(True)
    first: Rows = [["d", 2000, code, p] for code, p in zip(CODES, MARGIN, strict=True)]
    mine = Submission("mine", long_file(tmp_path, [*first, *long_rows()]), {})
    [record] = submitted(mine, [task], score.panel, score.workshop)
    assert record.figures["log_likelihood"] == pytest.approx(EXPECTED["next_occ"] + log(0.3), abs=1e-6)
    without = Submission("mine", long_file(tmp_path), {})
    with pytest.raises(HarnessError, match="nothing is said of person 'd', year 2000"):
        list(submitted(without, [task], score.panel, score.workshop))


def test_weights_count_as_they_do_for_models(score: Scorer, tmp_path: Path) -> None:
    weight = np.ones(13)
    weight[9:] = [2.0, 0.5, 0.0, 1.5]
    score.panel = replace(score.panel, weight=weight)
    [record] = score(long_file(tmp_path)).values()
    expected = 2 * log(0.3) + 0.5 * log(0.2) + 1.5 * log(0.4)
    assert record.figures["log_likelihood"] == pytest.approx(expected, abs=1e-6)


def test_a_models_probabilities_come_back_as_its_own_figures(registry: Registry, tmp_path: Path) -> None:
    """Of a market: from float32 through the text of a csv file to the same figures, to the last digit."""
    panel = open_panel("market", {"persons": 80})
    workshop = Workshop(registry=registry, store=Store(tmp_path / "results"), cache=tmp_path / "cache")
    run = run_on(registry, panel, *EXPECTED, entry=entry_of(Frequencies))
    own = {r.configuration.task: r for r in run_all(run, workshop)}
    test = panel.part("test")
    spec, model = run.model.item, fitted(run, workshop).model
    log_prob = checked_log_prob(spec, model, Inquiry.of(test, test.transitions), whole_rows(test, test.transitions))
    ids, years = test.persons[test.person[test.transitions]], test.year[test.transitions]
    rows: Rows = [[i, y, *p] for i, y, p in zip(ids, years, np.exp(log_prob.astype(float)).tolist(), strict=True)]
    file = written(tmp_path / "w.csv", ["person", "year", *panel.occupations.codes], rows)
    for task, record in Scorer(registry, workshop, panel)(file, *EXPECTED).items():
        assert record.figures == own[task].figures
        assert record.evidence == own[task].evidence


@pytest.mark.slow
@pytest.mark.survey
def test_fifteen_million_rows(registry: Registry, nlsy97: Path, tmp_path: Path) -> None:
    """Every state of every test transition of the survey: the figures of the model that said so, in bounded memory."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    panel = open_panel(nlsy97)
    workshop = Workshop(registry=registry, store=Store(tmp_path / "results"), cache=tmp_path / "cache")
    run = run_on(registry, panel, *EXPECTED, entry=entry_of(Frequencies))
    own = {r.configuration.task: r for r in run_all(run, workshop)}
    test, k = panel.part("test"), panel.n_states
    transitions = test.transitions
    rows = checked_log_prob(
        run.model.item,
        fitted(run, workshop).model,
        Inquiry.of(test, transitions),
        whole_rows(test, transitions),
    )
    table = pa.table(
        {
            "person": pa.array(test.persons.tolist()).take(pa.array(np.repeat(test.person[transitions], k))),
            "year": np.repeat(test.year[transitions], k),
            "state": pa.array(panel.occupations.codes).take(pa.array(np.tile(np.arange(k), len(transitions)))),
            "probability": np.exp(rows.astype(np.float64)).reshape(-1),
        }
    )
    assert table.num_rows == 30_592 * 484
    parquet.write_table(table, tmp_path / "p.parquet")
    arrow_csv.write_csv(table, tmp_path / "p.csv")
    del table, rows
    for file in ("p.parquet", "p.csv"):
        for task, record in Scorer(registry, workshop, panel)(tmp_path / file, *EXPECTED).items():
            assert record.figures == own[task].figures
            assert record.measured.score_seconds < 120
            assert record.measured.peak_memory_mb < 3_000
