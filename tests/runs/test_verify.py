"""Two runs of one configuration, held against each other: verdicts that can be worked by hand."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import Frequencies, Parameters, entry_of, run_all, run_on

from harness import open_panel
from harness.errors import RequestError
from harness.panel.careers import Panel
from harness.records.record import Mass, Record, figures
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop, execute
from harness.runs.verify import contradictions, require_same, run_of, task_of, verify
from harness.system.cache import borrow


@pytest.fixture(scope="module")
def panel() -> Panel:
    return open_panel("market", {"persons": 120})


@pytest.fixture(scope="module")
def record(registry: Registry, panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("verify")
    [made] = run_all(
        run_on(registry, panel), Workshop(registry=registry, store=Store(folder / "r"), cache=folder / "c")
    )
    return made


def shifted(record: Record, by: np.ndarray | float) -> Record:
    """The record with another log-likelihood: so many nats per transition more of each person; figures follow."""
    n = np.array(record.evidence.transitions)
    sums = np.round(np.array(record.evidence.log_likelihood) + by * n, 6)
    evidence = record.evidence.model_copy(update={"log_likelihood": sums.tolist()})
    made = record.model_copy(update={"evidence": evidence})
    return made.model_copy(update={"figures": figures(made)})


def test_nothing_differs(record: Record) -> None:
    found = verify(record, record)
    assert (found.verdict, found.holds, found.figures, found.changed) == ("identical", True, {}, {})
    assert found.difference is not None
    assert found.difference.value == found.difference.low == found.difference.high == 0
    assert found.again == pytest.approx(found.perplexity.value)


def test_a_difference_that_every_transition_has_is_known_exactly(record: Record) -> None:
    """So the interval of the pair has no width, and how large it is decides alone."""
    level = verify(record, record)
    half = log(level.perplexity.high / level.perplexity.low) / 2
    assert level.negligible == pytest.approx(half / 10)
    below, above = (log(level.perplexity.value / end) for end in (level.perplexity.low, level.perplexity.high))
    assert below > 0 > above
    for by, verdict in (
        (0.99 * half / 10, "reproduces"),
        (-0.99 * half / 10, "reproduces"),
        (1.01 * half / 10, "within its interval"),
        (-1.01 * half / 10, "within its interval"),
        (below * 0.99, "within its interval"),
        (above * 0.99, "within its interval"),
        (below * 1.01, "does not reproduce"),
        (above * 1.01, "does not reproduce"),
    ):
        found = verify(record, shifted(record, by))
        assert (found.verdict, found.holds) == (verdict, verdict != "does not reproduce"), by
        assert found.difference is not None
        assert found.difference.value == pytest.approx(by, abs=1e-6)
        assert found.difference.high - found.difference.low < 1e-5
        assert found.again == pytest.approx(found.perplexity.value * exp(-by), rel=1e-5)
        assert set(found.figures) == {"log_likelihood", "perplexity"}


def test_what_persons_chance_can_explain_is_no_difference(record: Record) -> None:
    """One person in two gains what the other loses: a mean that is not negligible, an interval that holds zero."""
    n = np.array(record.evidence.transitions)
    half = verify(record, record).negligible * 10
    sign = np.where(np.arange(len(n)) % 2, 1.0, -1.0)
    mean = (sign * n).sum() / n.sum()
    by = 10 * half * sign + (0.5 * half - 10 * half * mean)
    found = verify(record, shifted(record, by))
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.5 * half, abs=1e-6)
    assert found.difference.low < 0 < found.difference.high
    assert found.difference.value > found.negligible
    assert found.verdict == "reproduces"


def test_other_transitions_do_not_compare(record: Record) -> None:
    transitions = list(record.evidence.transitions)
    transitions[0] += 1
    other = record.model_copy(update={"evidence": record.evidence.model_copy(update={"transitions": transitions})})
    found = verify(record, other)
    assert (found.verdict, found.difference) == ("does not reproduce", None)


def test_an_older_record_that_holds_less_can_be_identical(record: Record) -> None:
    less = record.evidence.model_copy(update={"top_5": None, "likeliest_cells": None})
    older = record.model_copy(update={"evidence": less, "slices": None, "figures": record.figures | {"top_5": None}})
    assert verify(older, record).verdict == "identical"
    assert verify(record, older).verdict == "reproduces"
    slices: dict[str, dict[str, object]] = {"gender": {}}
    assert verify(record.model_copy(update={"slices": slices}), record).verdict == "does not reproduce"


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("knows_truth", {"knows_truth": True}),
        ("sums_to_one", {"sums_to_one": False}),
        ("outcomes", {"outcomes": "other"}),
        ("facts.base", {"facts": {"base": "a better one"}}),
        ("mass", {"mass": Mass(mean=0.5, standard_error=0.1, transitions=9)}),
    ],
)
def test_what_the_record_says_of_the_run_is_compared(record: Record, field: str, change: dict[str, Any]) -> None:
    found = verify(record.model_copy(update=change), record)
    assert (found.verdict, set(found.said)) == ("does not reproduce", {field})


def test_hits_that_were_edited_alone(record: Record) -> None:
    """The probabilities are the same to the last digit: no noise made one more hit."""
    evidence = record.evidence.model_copy(update={"top_1": record.evidence.transitions})
    forged = record.model_copy(update={"evidence": evidence})
    found = verify(forged.model_copy(update={"figures": figures(forged)}), record)
    assert (found.verdict, set(found.said)) == ("does not reproduce", {"evidence.top_1"})
    moved = shifted(forged, 1e-5)  # where these differ too, the perplexity's interval decides
    assert verify(moved, record).verdict == "reproduces"


def test_what_is_other_than_it_was_is_named(record: Record) -> None:
    measured = record.measured.model_copy(
        update={"versions": {"python": "3.0", "torch": "1"}, "platform": "Plan 9", "device": "cuda", "cpu_count": 0}
    )
    asked = record.configuration.model_copy(update={"code": "tests 0"})
    found = verify(record.model_copy(update={"measured": measured, "configuration": asked}), record)
    now = record.measured
    assert found.verdict == "identical"
    assert found.changed == {
        "code": ("tests 0", record.configuration.code),
        "device": ("cuda", "cpu"),
        "platform": ("Plan 9", now.platform),
        "cpu_count": ("0", str(now.cpu_count)),
        "numpy": ("not said", now.versions["numpy"]),
        "python": ("3.0", now.versions["python"]),
        "torch": ("1", "not said"),
    }


def test_figures_must_be_those_of_the_evidence(record: Record) -> None:
    assert contradictions(record) == {}
    wrong = record.model_copy(update={"figures": record.figures | {"perplexity": 2.0, "of a plugin": 1.0}})
    assert contradictions(wrong) == {"perplexity": (2.0, record.figures["perplexity"])}


@pytest.fixture
def toy_registry(registry: Registry) -> Registry:
    return replace(registry, models={**registry.models, "frequencies": entry_of(Frequencies)})


def test_the_request_is_the_records(registry: Registry, toy_registry: Registry, panel: Panel, tmp_path: Path) -> None:
    """Seed, parameters, size of the training split, further panels and resumes: its id says all of it."""
    entry = entry_of(Frequencies, multi_panel=True, pretrainable=True)
    also, resumes = open_panel("market", {"persons": 40, "seed": 3}), open_panel("market-resumes", {"persons": 30})
    toy_registry.models["frequencies"] = entry
    asked = run_on(
        registry,
        panel,
        entry=entry,
        params=Parameters(weight=2.5),
        seed=7,
        train_also=(also,),
        resumes=resumes,
        train_persons=50,
        tasks=(registry.task("next_occ").with_entry(True),),
    )
    record = run_all(asked, Workshop(registry=registry, store=Store(tmp_path / "r"), cache=tmp_path / "c"))[0]
    run = run_of(record, toy_registry, panel, "cpu", (also, resumes))
    assert run == asked
    workshop = Workshop(registry=registry, store=Store(tmp_path / "s"), cache=tmp_path / "d", reuse="never")
    [again] = execute(run, workshop)
    assert (again.id, verify(record, again).verdict) == (record.id, "identical")


def test_what_this_code_does_not_know(registry: Registry, toy_registry: Registry, record: Record, panel: Panel) -> None:
    def changed(**how: object) -> Record:
        return record.model_copy(update={"configuration": record.configuration.model_copy(update=how)})

    with pytest.raises(RequestError, match="no model is called 'frequencies'"):
        run_of(record, registry, panel, "cpu")
    with pytest.raises(RequestError, match=r"are not those of 'frequencies' as it is here \(depth: "):
        run_of(changed(parameters={"depth": 3}), toy_registry, panel, "cpu")
    with pytest.raises(RequestError, match="the record is of version 0 of task 'next_occ', and this is version 1"):
        task_of(changed(task_version=0), registry)


def test_another_panel_is_told_by_what_it_has(record: Record, panel: Panel) -> None:
    facts = record.configuration.panel
    require_same(replace(panel, name="by another name"), facts, "--data x")
    fewer = panel.select(np.arange(100))
    with pytest.raises(RequestError) as refused:
        require_same(fewer, facts, "--data x")
    assert f"100 persons in place of 120, {fewer.n_records:,} records in place of {panel.n_records:,}" in str(
        refused.value
    )
    with pytest.raises(RequestError, match="as many persons, records and states, but other contents"):
        require_same(replace(panel, split=panel.split[::-1].copy()), facts, "--data x")


def test_bases_are_lent_and_nothing_else(tmp_path: Path) -> None:
    cache, scratch = tmp_path / "cache", tmp_path / "scratch"
    for name in ("fits/mnl-1", "probabilities", "unfinished/mnl-2", "llm-bases/abc", "llm-bases/.draft"):
        (cache / name).mkdir(parents=True)
    (cache / "llm-bases" / "abc" / "weights").write_text("1")
    (cache / "titles.npz").write_text("2")  # as versions before had them, beside the folders of runs
    borrow(cache, scratch)
    assert [path.name for path in scratch.iterdir()] == ["models"]
    lent = scratch / "models"
    assert sorted(path.name for path in lent.iterdir()) == ["llm-bases", "titles.npz"]
    assert [path.name for path in (lent / "llm-bases").iterdir()] == ["abc"]
    assert (lent / "llm-bases" / "abc" / "weights").read_text() == "1"
    (lent / "llm-bases" / "new").mkdir()
    assert not (cache / "models" / "llm-bases" / "new").exists()
    borrow(tmp_path / "nowhere", tmp_path / "empty")
    assert list((tmp_path / "empty" / "models").iterdir()) == []
