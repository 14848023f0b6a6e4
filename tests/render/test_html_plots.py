"""The plots of the page of boards: points, axes, ticks, names and tints stand for their figures."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import exp, log, nan

from helpers.pages import Page, board, estimate, row
from hypothesis import given
from hypothesis import strategies as st

from harness.render import html
from harness.render.html.forest import forest, near
from harness.render.html.scales import Scale, around, labelled, written
from harness.render.html.slices import tint
from harness.render.html.svg import apart, signed


def test_points_stand_where_their_figures_say() -> None:
    """Two models: the axis is logarithmic from the lowest bound to the highest, and 4% more at each end."""
    rows = (replace(row(0), perplexity=estimate(4.0, 0.5)), replace(row(1), perplexity=estimate(6.0, 1.0)))
    drawn = forest(replace(board(2), rows=rows), "a")
    assert drawn is not None
    low, high = log(3) - 0.04 * log(8 / 3), log(8) + 0.04 * log(8 / 3)
    expected = [f"{round(100 * (log(v) - low) / (high - low), 1):g}%" for v in (4.0, 6.0)]
    assert Page(drawn).of("cx")[:2] == expected
    ends = [f"{round(100 * (log(v) - low) / (high - low), 1):g}%" for v in (3.0, 5.0)]
    assert f'class="i" x1="{ends[0]}" x2="{ends[1]}"' in drawn


def test_models_far_behind_leave_the_scale_to_the_others() -> None:
    rows = [row(i) for i in range(8)]
    far = replace(row(8), perplexity=estimate(300.0, 1.0))
    assert near([*rows, far]) == rows
    drawn = forest(replace(board(9), rows=(*rows, far)), "a")
    assert drawn is not None
    assert "1 model is too far behind for the scale" in drawn
    assert "off the scale" in drawn
    assert near([row(0)]) == [row(0)]


def test_plotted_numbers_stand_in_tables_below() -> None:
    text = Page(html.render([board(4)])).text()
    for figure in ("8.08", "7.48", "8.68", "\u22120.0100"):  # model 1: 8 exp(.01), two errors of .3 each way, behind
        assert figure in text
    assert "100.50" in text  # seconds
    assert "0.0500" in text  # the first bin's prediction,
    assert "0.0300" in text  # and what happened
    assert f"{8 * (1 + 10 / 40):.2f}" in text  # the curve of model 0 at 1,600 persons
    assert f"{8 * exp(0.01) * 2:.2f}" in text  # model 1 on the second half of a slice


def test_tints_are_of_differences_that_are_told() -> None:
    assert tint(None) is None
    assert tint(estimate(-0.05, 0.03)) is None  # from -.11 to .01
    assert tint(estimate(-0.05, 0.01)) == "w2"
    assert tint(estimate(-0.009, 0.001)) is None
    assert tint(estimate(-0.3, 0.1)) == "w4"
    assert tint(estimate(0.1, 0.01)) == "u3"
    assert tint(estimate(0.02, 0.001)) == "u1"
    assert tint(estimate(nan, nan)) is None


numbers = st.floats(min_value=1e-3, max_value=1e6)


@given(st.lists(numbers, min_size=1, max_size=9), st.booleans(), st.integers(min_value=3, max_value=8))
def test_axes_hold_their_values_and_their_ticks(values: list[float], logarithmic: bool, most: int) -> None:
    scale = around(values, log=logarithmic)
    assert all(0 <= scale.at(v) <= 1 for v in values)
    ordered = [scale.at(v) for v in sorted(values)]
    assert ordered == sorted(ordered)
    ticks = scale.ticks(most)
    assert len(ticks) <= most + 1
    assert ticks == sorted(set(ticks))
    assert all(-1e-6 <= scale.at(tick) <= 1 + 1e-6 for tick in ticks)
    if max(values) > 1.02 * min(values):
        texts = [text for _, text in labelled(scale, most)]
        assert len(set(texts)) == len(texts)


def test_ticks_are_round() -> None:
    assert Scale(7.3, 11.8, log=True).ticks(5) == [8, 9, 10, 11]
    assert Scale(0.02, 300, log=True).ticks(6) == [0.1, 1, 10, 100]
    assert Scale(-0.31, 0.01).ticks(5) == [-0.3, -0.2, -0.1, 0]
    assert [written(t, 0.25) for t in (0.0, 0.25, 1.5)] == ["0", "0.25", "1.50"]
    assert written(1600) == "1,600"
    assert (signed(-0.00004, 3), signed(-0.5, 1), signed(0.25, 2)) == ("0.000", "\u22120.5", "+0.25")


@given(st.lists(st.floats(min_value=0, max_value=100), max_size=8))
def test_labels_do_not_lie_on_one_another(wanted: list[float]) -> None:
    placed = apart(wanted, 12, 0, 100)
    ordered = [placed[i] for i in sorted(range(len(wanted)), key=lambda i: (wanted[i], i))]
    assert all(b - a >= 12 - 1e-9 for a, b in pairwise(ordered))
    assert all(value <= 100 for value in placed)
    alone = [5.0, 50.0, 80.0]
    assert apart(alone, 12, 0, 100) == alone


def test_intervals_are_said_to_be_of_what_was_resampled() -> None:
    """Of a survey's sampling units where the panel has them."""
    of_persons, of_units = board(2), replace(board(2), source={"units": "county", "strata": "<state>"})
    assert "95% intervals, persons resampled. " in str(forest(of_persons, "b"))
    told = "sampling units (county) resampled within strata (&lt;state&gt;)"
    assert f"95% intervals, {told}. " in str(forest(of_units, "b"))
