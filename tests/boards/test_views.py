"""Views of a board beside its ranking: jackknife, calibration, learning curves, cost."""

from __future__ import annotations

import re
from dataclasses import replace
from math import exp, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import InProcess
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.boards.board import Board, boards, boards_in
from harness.boards.views import FEW, frontier_of
from harness.cli.rebuild import boards_and_tables
from harness.errors import RequestError
from harness.panel.careers import Panel
from harness.records.current import Folder
from harness.records.record import Record
from harness.registry import Registry
from harness.render import files, page, render
from harness.render.boards import latex as board_latex
from harness.render.boards.notes import notes
from harness.render.boards.sections import sections
from harness.runs.execute import Workshop
from harness.runs.run import Run
from harness.stats.calibration import expected_error, reliability
from harness.stats.jackknife import jackknifed


def test_a_jackknife_of_groups_of_one_is_the_usual_standard_error() -> None:
    """Equal counts: leaving one of n out in turn gives s / sqrt(n) of the mean, and Student's t with n - 1."""
    values = np.random.default_rng(0).normal(-2.0, 0.5, 30)
    levels, gaps = jackknifed(np.stack([values, values + np.linspace(0.1, 0.3, 30)]), np.full(30, 1.0))
    error = values.std(ddof=1) / sqrt(30)
    width = stats.t.ppf(0.975, 29) * error
    assert levels[0].value == pytest.approx(exp(-values.mean()))
    assert levels[0].standard_error == pytest.approx(levels[0].value * error)
    assert levels[0].low == pytest.approx(exp(-values.mean() - width))
    assert (gaps[0].value, gaps[0].standard_error, gaps[0].p) == (0.0, 0.0, 1.0)
    difference = np.linspace(0.1, 0.3, 30)
    assert gaps[1].standard_error == pytest.approx(difference.std(ddof=1) / sqrt(30))
    assert gaps[1].p == pytest.approx(stats.ttest_1samp(difference, 0.0).pvalue)


def test_a_group_without_transitions_is_not_one() -> None:
    sums, counted = np.array([[-4.0, -9.0, 0.0, -2.0]]), np.array([2.0, 3.0, 0.0, 1.0])
    some = jackknifed(sums, counted)[0][0]
    assert some == jackknifed(sums[:, counted > 0], counted[counted > 0])[0][0]
    left = np.array([-11 / 4, -6 / 3, -13 / 5]) + 15 / 6
    assert some.standard_error == pytest.approx(exp(15 / 6) * sqrt(2 / 3 * (left**2).sum()))


def test_bins_of_equal_mass_by_hand() -> None:
    """Four probabilities, two bins: the first two with 10 transitions, the others with 10."""
    prob, events, others = np.array([0.1, 0.2, 0.6, 0.9]), np.array([1, 1, 2, 5]), np.array([4, 4, 2, 1])
    counted, predicted, observed = reliability(prob, events, others, bins=2)
    assert counted.tolist() == [10, 10]
    assert predicted == pytest.approx([0.15, 0.78])
    assert observed == pytest.approx([0.2, 0.7])
    by_ten = abs(0.2 - 0.1) * 5 + abs(0.2 - 0.2) * 5 + abs(0.5 - 0.6) * 4 + abs(5 / 6 - 0.9) * 6
    assert expected_error(prob, events, others) == pytest.approx(by_ten / 20)


@settings(max_examples=50)
@given(
    counts=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=40).filter(
        lambda counts: sum(map(sum, counts)) > 0
    ),
    bins=st.integers(1, 12),
)
def test_bins_hold_all_that_is_counted(counts: list[tuple[int, int]], bins: int) -> None:
    events, others = np.array(counts).T
    prob = np.linspace(0.01, 0.99, len(counts))
    counted, predicted, observed = reliability(prob, events, others, bins)
    assert len(counted) <= bins
    assert counted.sum() == events.sum() + others.sum()
    assert (counted * observed).sum() == pytest.approx(events.sum())
    assert (counted * predicted).sum() == pytest.approx((prob * (events + others)).sum())
    assert (np.diff(predicted) > 0).all()
    assert 0 <= expected_error(prob, events, others) <= 1


def test_a_cell_is_in_the_bin_of_its_middle() -> None:
    """One transition at 0.2 and three at 0.8, in two bins: the three reach from a quarter to the end."""
    counted, predicted, observed = reliability(np.array([0.2, 0.8]), np.array([0, 3]), np.array([1, 0]), bins=2)
    assert (counted.tolist(), predicted.tolist(), observed.tolist()) == ([1, 3], [0.2, pytest.approx(0.8)], [0, 1])


def test_runs_on_fewer_persons_are_points_and_no_rows(board: Board) -> None:
    assert [row.label for row in board.rows] == ["oracle", "markov", "marginal"]
    curve = board.views.curves[0]
    assert (curve.label, [point.train_persons for point in curve.points][:2]) == ("markov", [50, 150])
    assert len(curve.points) == 3
    assert curve.points[-1].record == board.rows[1].record
    assert curve.points[-1].perplexity.value == board.rows[1].perplexity.value
    levels = [point.perplexity.value for point in curve.points]
    assert levels == sorted(levels, reverse=True)  # more careers, better


def test_points_of_a_curve_resample_what_rows_do(made: tuple[list[Record], Workshop]) -> None:
    """Of a survey's design its sampling units: here as many as three persons each."""
    records = [record for record in made[0] if record.configuration.task == "next_occ"]
    units = [i // 3 for i in range(len(records[0].evidence.ids))]
    [alone], [drawn] = (
        boards([r.model_copy(update={"evidence": r.evidence.model_copy(update=design)}) for r in records])
        for design in ({}, {"units": units})
    )
    error = drawn.views.curves[0].points[-1].perplexity.standard_error
    assert error == pytest.approx(drawn.rows[1].perplexity.standard_error)
    assert error != pytest.approx(alone.rows[1].perplexity.standard_error)


def test_fewer_training_persons_are_part_of_more(registry: Registry, market: Panel) -> None:
    entry = registry.model("markov")
    run = Run(model=entry, params=entry.item.params(), tasks=(registry.task("switch"),), panel=market)
    small, large = (replace(run, train_persons=n).learned("train").persons for n in (100, 400))
    assert set(small) < set(large) < set(market.part("train").persons)
    assert (len(small), len(large)) == (100, 400)
    valid = replace(run, train_persons=400).learned("valid").n_persons
    assert valid == round(400 / market.part("train").n_persons * market.part("valid").n_persons)
    names = {replace(run, train_persons=n).fit_name for n in (None, 100, 400)}
    assert len(names) == 3
    for wrong in (0, market.part("train").n_persons):
        with pytest.raises(RequestError, match="ask for fewer"):
            replace(run, train_persons=wrong)


def test_the_truth_is_no_rival(board: Board) -> None:
    oracle, markov, marginal = board.rows
    assert (oracle.rank, oracle.tied, oracle.in_confidence_set) == (None, None, False)
    assert (markov.tied, markov.in_confidence_set, markov.behind) == ((1, 1), True, None)
    assert (marginal.tied, marginal.in_confidence_set) == ((2, 2), False)
    assert marginal.behind is not None
    assert marginal.behind.high < 0
    assert oracle.behind is not None
    assert oracle.behind.low > 0
    assert markov.regret is not None
    assert markov.regret.value == pytest.approx(oracle.behind.value)


def test_a_slice_is_compared_with_the_best_model(board: Board) -> None:
    levels = {(part.dimension, level.name): level for part in board.views.slices for level in part.levels}
    oracle, markov, marginal = levels["transition", "stay"].perplexity
    assert oracle is not None
    assert markov is not None
    assert marginal is not None
    assert oracle.value < markov.value < marginal.value
    behind = levels["transition", "stay"].behind
    assert behind[1] is None
    assert behind[2] is not None
    assert behind[2].value == pytest.approx(np.log(markov.value / marginal.value))
    for level in levels.values():
        assert (level.perplexity[0] is None) == (level.persons < FEW)


def test_slices_compare_with_the_best_record_that_has_them(
    made: tuple[list[Record], Workshop],
) -> None:
    """And say so: a difference from one model must not stand under the name of another."""
    whole = [r for r in made[0] if r.configuration.task == "next_occ" and r.configuration.train_persons is None]
    older = [r.model_copy(update={"slices": None}) if r.configuration.model == "markov" else r for r in whole]
    [board] = boards(older)
    assert [row.model for row in board.rows] == ["oracle", "markov", "marginal"]
    assert board.views.reference == 2
    for level in (level for part in board.views.slices for level in part.levels):
        assert level.perplexity[1] is level.behind[1] is level.behind[2] is None
    [told] = [section for section in sections(board) if section.title == "For whom"]
    assert told.headings[4:] == ("marginal: perplexity",)
    assert "less that of marginal," in told.notes[0]
    assert told.notes[1] == "Older than slices: markov."
    assert "against <bdi>marginal</bdi>" in re.sub(r"\s+", " ", page([board]))


def test_where_no_model_competes_none_is_ranked(made: tuple[list[Record], Workshop]) -> None:
    """A board of the truth alone says what it is, and not that it beats all others."""
    [board] = boards([r for r in made[0] if r.configuration.task == "next_occ" and r.knows_truth])
    [row] = board.rows
    assert (row.rank, row.tied, row.in_confidence_set, row.behind) == (None, None, False, None)
    assert "first" not in " ".join(notes(board))
    assert "Nothing here is a model that others are ranked against" in page([board])


def test_the_frontier_is_of_what_was_fitted_here(board: Board) -> None:
    took = board.views.seconds
    assert took[0] is None  # the truth costs nothing, and cannot be had
    cheaper = took[2] is not None and took[1] is not None and took[2] < took[1]
    assert board.views.frontier == ((2, 1) if cheaper else (1,))
    assert [row.on_frontier for row in board.rows] == [i in board.views.frontier for i in range(3)]


def test_a_worse_model_as_slow_is_not_on_the_frontier(made: tuple[list[Record], Workshop]) -> None:
    models = {r.configuration.model: r for r in made[0] if r.configuration.train_persons is None}
    slow, quick = (models["marginal"].measured.model_copy(update={"fit_processor_seconds": s}) for s in (9.0, 1.0))
    best, worse = models["markov"], models["marginal"]
    for of_best, of_worse, expected in ((slow, slow, (0,)), (slow, quick, (1, 0)), (quick, slow, (0,))):
        rows = [record.model_copy(update={"measured": m}) for record, m in ((best, of_best), (worse, of_worse))]
        assert frontier_of([(row,) for row in rows]) == expected


def test_cost_is_compared_in_processor_seconds(made: tuple[list[Record], Workshop], registry: Registry) -> None:
    """A busy machine's clock ranks nobody; older records and a GPU's have no other, and the board names them."""
    models = {
        r.configuration.model: r
        for r in made[0]
        if r.configuration.task == "next_occ" and r.configuration.train_persons is None and not r.knows_truth
    }

    def board_of(**costs: dict[str, Any]) -> Board:
        records = [
            models[name].model_copy(update={"measured": models[name].measured.model_copy(update=cost)})
            for name, cost in costs.items()
        ]
        [made_of] = boards(records)
        return made_of

    def told(fit: float, processors: float | None, device: str = "cpu") -> dict[str, Any]:
        used = {"fit_processor_seconds": processors, "score_processor_seconds": processors and 0.5}
        return {"fit_seconds": fit, "score_seconds": 1.0, "device": device, **used}

    busy = board_of(markov=told(900.0, 2.0), marginal=told(5.0, 4.0))
    assert busy.views.seconds == (2.5, 4.5)
    assert (busy.views.frontier, busy.views.by_clock) == ((0,), ())
    text = render(busy, "md", registry)
    assert "| fit, s | score, s | fit CPU, s | score CPU, s |" in text
    assert "| 900.0 | 1.0 | 2.0 | 0.5 |" in text
    assert "- fit CPU: processor seconds of a run and of all processes that it started" in text
    assert "fit CPU" not in board_latex.render(busy)  # nor its note: a paper's ranking has no column of it
    assert "| model | perplexity | processor seconds |" in text
    assert "processor seconds to fit and score" in page([busy])

    of_a_gpu = board_of(markov=told(900.0, 2.0, "cuda"), marginal=told(5.0, 4.0))
    assert of_a_gpu.views.seconds == (901.0, 4.5)
    assert of_a_gpu.views.by_clock == (0,)
    assert "By the clock, since their records are older or a GPU did the work: markov." in render(
        of_a_gpu, "md", registry
    )

    older = board_of(markov=told(900.0, None), marginal=told(5.0, None))
    assert older.views.seconds == (901.0, 6.0)
    text, plain = (render(older, form, registry) for form in ("md", "json"))
    assert "processor" not in text + plain
    assert "by_clock" not in plain
    assert "| model | perplexity | seconds |" in text


def test_heads_make_the_boards_that_whole_records_make(made: tuple[list[Record], Workshop]) -> None:
    records, workshop = made
    assert boards_in(workshop.store) == boards(records)


def test_learning_curves_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = InProcess("run", monkeypatch, capsys)
    line = ["--task", "switch", "--model", "markov", "--set", "data.persons=200", "--records", str(tmp_path / "r")]
    status, out, err = run(*line, "--train-persons", "0", "--train-persons", "30")
    assert status == 0, err
    assert "Learning curves" in out
    assert out.count("markov") == 2
    record = next((tmp_path / "r").glob("*/*.json"))
    assert len(list(record.parent.iterdir())) == 2
    status, _, err = run(*line, "--train-persons", "100000")
    assert status == 2
    assert "training persons; ask for fewer than that" in err


def test_many_records_are_read_by_several_processes_to_the_same_bytes(
    made: tuple[list[Record], Workshop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, registry = made[1].store, made[1].registry
    alone = boards_and_tables(Folder(store), tmp_path, registry)
    monkeypatch.setattr("harness.cli.rebuild.MANY_RECORDS", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert boards_and_tables(Folder(store), tmp_path, registry) == alone
    assert alone.tables == files(boards_in(store), tmp_path, registry)
