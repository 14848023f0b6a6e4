"""The card of a run: figures against closed forms, its place on a board, for whom it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from math import exp, sqrt
from pathlib import Path

import numpy as np
import pytest
from helpers.cards import card, of_model, section, stocked
from helpers.toys import run_all, run_on

from harness.boards.board import boards
from harness.boards.card import intervals
from harness.boards.compare import slice_differences
from harness.model.contract import NoParams
from harness.panel.careers import Panel
from harness.registry import Registry
from harness.render.card.page import plain, render
from harness.runs.execute import Workshop
from harness.stats import inference


@pytest.fixture(scope="module")
def shelf(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return stocked(registry, tmp_path_factory.mktemp("card") / "results")


@pytest.fixture
def written(shelf: Workshop) -> Iterator[list[Path]]:
    """Further record files, removed after the test."""
    paths: list[Path] = []
    yield paths
    for path in paths:
        path.unlink()


def test_means_have_the_errors_of_ratios(shelf: Workshop) -> None:
    """Persons here have eleven transitions each, so a ratio's error is that of a mean over persons."""
    record = of_model(shelf, "markov")
    found, evidence = intervals(record), record.arrays()
    assert set(found) == {"perplexity", "top_1", "top_5"}
    of_persons = np.asarray(evidence.top_1) / evidence.transitions
    error = of_persons.std() / sqrt(len(of_persons))
    assert found["top_1"].value == pytest.approx(of_persons.mean())
    assert found["top_1"].standard_error == pytest.approx(error, rel=0.05)
    assert found["top_1"].low == pytest.approx(of_persons.mean() - 1.96 * error, abs=0.15 * error)
    alone = inference.perplexity(np.array(record.evidence.log_likelihood), record.evidence.counted)
    assert (found["perplexity"].low, found["perplexity"].high) == pytest.approx((alone.low, alone.high))


def test_log_loss_and_its_ends_are_logarithms_of_perplexity(shelf: Workshop) -> None:
    found = intervals(of_model(shelf, "markov", "switch"))
    assert set(found) == {"perplexity", "log_loss", "brier"}
    loss, level = found["log_loss"], found["perplexity"]
    assert (exp(loss.value), exp(loss.low), exp(loss.high)) == pytest.approx(
        (level.value, level.low, level.high), rel=1e-3
    )


def test_one_person_has_no_interval(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    [record] = run_all(run_on(registry, four_persons, entry=registry.model("uniform"), params=NoParams()), workshop)
    made = card(workshop, record)
    assert made.intervals == {}
    text = render(made)
    assert "**Perplexity 4.0000**, the only model on its board." in text
    assert "- All transitions are of one person: there are no intervals." in text


def test_few_persons_are_said_to_be_few(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    panel = replace(four_persons, split=np.array([0, 2, 2, 2]))
    [record] = run_all(run_on(registry, panel, entry=registry.model("uniform"), params=NoParams()), workshop)
    assert "- Only 3 persons have a transition at risk: intervals from so few are too narrow." in render(
        card(workshop, record)
    )


def test_the_place_is_the_boards(shelf: Workshop) -> None:
    [board] = [b for b in boards(shelf.store.all()) if b.task == "next_occ"]
    rows = {row.record: row for row in board.rows}
    for name in ("uniform", "marginal", "markov", "mix"):
        made = card(shelf, of_model(shelf, name))
        assert made.place.row == rows[made.record.id]
        assert made.place.behind == rows[made.record.id].behind
        assert (made.place.of, made.place.best, made.place.confidence_set) == (3, "markov", ("markov",))
    assert "the best of 3 models; at 95%, all others can be told from it." in render(
        card(shelf, of_model(shelf, "markov"))
    )
    assert "rank 2 of 3; at 95% it can be told from the best." in render(card(shelf, of_model(shelf, "marginal")))
    mixed = render(card(shelf, of_model(shelf, "mix")))
    assert "Beside the ranking" in mixed
    assert "- What its parts took is theirs; scores " in mixed


def test_a_point_of_a_learning_curve_has_no_row(shelf: Workshop) -> None:
    small, whole = of_model(shelf, "markov", train_persons=100), of_model(shelf, "markov")
    made = card(shelf, small)
    assert made.place.row is None
    assert made.place.behind is not None
    gap = sum(small.evidence.log_likelihood) - sum(whole.evidence.log_likelihood)
    assert made.place.behind.value == pytest.approx(gap / sum(whole.evidence.transitions))
    text = render(made)
    assert "Not on the board: it was fitted on some of the training persons" in text
    assert "- Fitted on 100 persons, some of the training split." in text
    curve = section(text, "Learning curve").splitlines()
    assert [line.split("|")[1].strip() for line in curve[2:4]] == [
        "100 (this run)",
        f"{whole.facts['train_persons']:,}",
    ]
    assert "100 |" in section(render(card(shelf, whole)), "Learning curve")
    assert "## Learning curve" not in render(card(shelf, of_model(shelf, "marginal")))


def test_an_older_record_says_that_a_newer_one_stands(shelf: Workshop, written: list[Path]) -> None:
    record = of_model(shelf, "markov")
    code = record.configuration.model_copy(update={"code": "labor-harness 0 000000000000"})
    earlier = record.measured.model_copy(update={"finished": record.measured.finished - timedelta(days=1)})
    old = record.model_copy(update={"id": code.id(), "configuration": code, "measured": earlier})
    written.append(shelf.store.write(old))
    made = card(shelf, old)
    assert (made.place.row, made.code_is_here, card(shelf, record).code_is_here) == (None, False, True)
    text = render(made)
    assert "Not on the board: a newer record answers the same question." in text
    assert "which is not the code here" in text
    assert [other.task for other in made.related] == [], "other code is another fit"


def test_the_same_fit_on_other_tasks(shelf: Workshop) -> None:
    record, other = of_model(shelf, "marginal"), of_model(shelf, "marginal", "switch")
    [found] = card(shelf, record).related
    assert (found.record, found.task, found.label, found.of) == (other.id, "switch", "marginal", 3)
    assert found.perplexity.value == pytest.approx(other.figures["perplexity"])
    assert found.row is not None
    assert f"| switch | marginal | {other.id} |" in section(render(card(shelf, record)), "The same fit elsewhere")
    assert card(shelf, of_model(shelf, "mix")).related == ()


def test_for_whom_is_what_a_comparison_says(shelf: Workshop) -> None:
    best, record = of_model(shelf, "markov"), of_model(shelf, "marginal")
    made = card(shelf, record)
    assert made.behind == slice_differences(best, record)
    assert card(shelf, best).behind == ()
    [female] = [line for line in section(render(made), "For whom").splitlines() if line.startswith("| gender | female")]
    gap = next(level.difference for level in made.behind if level.level == "female")
    assert gap is not None
    assert f"| {gap.value:.4f} ± {gap.standard_error:.4f} |" in female
    slices = {level.name: level for part in made.slices for level in part.levels}
    perplexity = slices["female"].perplexity[0]
    assert perplexity is not None
    assert f"{perplexity.value:.2f} ± {perplexity.standard_error:.2f}" in female


def test_regret_by_level_where_the_truth_is_known(shelf: Workshop, written: list[Path]) -> None:
    """markov plays the truth: then marginal's regret is how far it is behind, with the other sign."""
    best, record = of_model(shelf, "markov"), of_model(shelf, "marginal")
    path = shelf.store.path(best.configuration)
    text = path.read_text()
    shelf.store.write(best.model_copy(update={"knows_truth": True}))
    try:
        made = card(shelf, record)
        told = card(shelf, best.model_copy(update={"knows_truth": True}))
    finally:
        path.write_text(text)
    assert made.place.best == "marginal"
    assert made.behind == ()
    assert made.regret == slice_differences(best, record)
    gap = next(level.difference for level in made.regret if level.level == "female")
    assert gap is not None
    assert f"| {-gap.value:.4f} ± {gap.standard_error:.4f} |" in section(render(made), "For whom")
    assert "regret to the truth, nats" in render(made)
    [told_of] = [level for level in plain(made)["regret"] if level["level"] == "female"]
    assert (told_of["difference"]["value"], told_of["difference"]["low"]) == (-gap.value, -gap.high)
    assert told.regret == ()
    assert "It is told the true probabilities" in render(told)


def test_calibration_is_the_records(shelf: Workshop) -> None:
    record = of_model(shelf, "markov", "switch")
    text = section(render(card(shelf, record)), "Calibration")
    assert f"slope {record.figures['calibration_slope']:.3f} " in text
    rows = [line.split("|")[1:4] for line in text.splitlines() if line.startswith("| 0")]
    counted = [float(row[2].replace(",", "")) for row in rows]
    assert sum(counted) == sum(record.evidence.transitions)
    happened = sum(float(row[1]) * n for row, n in zip(rows, counted, strict=True))
    assert happened == pytest.approx(sum(record.evidence.event_counts or []), abs=0.01 * len(rows) + 1)
