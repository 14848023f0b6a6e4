"""Rows of several seeds: their means, their spread and their place, and records that are not averaged."""

from __future__ import annotations

import csv
import io
import json
from math import exp
from pathlib import Path
from statistics import fmean, stdev

import pytest
from helpers.toys import run_all, run_on

from harness import render
from harness.boards.board import boards
from harness.panel.careers import Panel
from harness.records.current import over_seeds
from harness.records.paired import Paired
from harness.records.record import Record, figures
from harness.runs.execute import Workshop

PERSONS = 30


@pytest.fixture
def template(workshop: Workshop, four_persons: Panel) -> Record:
    return run_all(run_on(workshop.registry, four_persons), workshop)[0]


def seeded(template: Record, seed: int, gap: float, **asked: object) -> Record:
    """A record of persons with one transition each, who are alike but for a rising part and this gap."""
    configuration = template.configuration.model_copy(update={"seed": seed, **asked})
    evidence = template.evidence.model_copy(
        update={
            "ids": [str(i) for i in range(PERSONS)],
            "transitions": [1] * PERSONS,
            "log_likelihood": [round(gap - 1 - i / PERSONS, 6) for i in range(PERSONS)],
            "top_1": [1 if i < 10 + seed else 0 for i in range(PERSONS)],
            **dict.fromkeys(("top_5", "brier", "likeliest_cells", "likeliest_right", "likeliest_wrong")),
        }
    )
    cost = template.measured.model_copy(update={"fit_seconds": 1.0 + seed, "fit_processor_seconds": 2.0 + seed})
    made = template.model_copy(
        update={"id": configuration.id(), "configuration": configuration, "evidence": evidence, "measured": cost}
    )
    made = made.model_copy(update={"slices": None})
    return made.model_copy(update={"figures": figures(made)})


def test_seeds_of_a_model_are_one_row(template: Record, workshop: Workshop) -> None:
    gaps = (0.0, 0.1, 0.05)
    fits = [seeded(template, seed, gap) for seed, gap in enumerate(gaps)]
    other = seeded(template, 0, -0.2, model="other")
    [board] = boards([fits[1], other, fits[2], fits[0]])
    assert [row.label for row in board.rows] == ["frequencies", "other"]
    row, single = board.rows
    level = -fmean(fmean(one.evidence.log_likelihood) for one in fits)
    assert row.perplexity.value == pytest.approx(exp(level), rel=1e-9)
    assert row.figures["perplexity"] == pytest.approx(row.perplexity.value, rel=1e-9)
    assert row.figures["top_1"] == pytest.approx(11 / 30)
    assert row.measured.fit_seconds == pytest.approx(2)
    assert row.measured.fit_processor_seconds == pytest.approx(3)
    assert row.records == tuple(one.id for one in fits)
    assert row.seeds == 3
    assert row.seed_spread == pytest.approx(stdev(exp(level + 0.05 - gap) for gap in gaps), rel=1e-9)
    [alone] = boards([fits[2]])[0].rows
    of_seeds = row.perplexity.value**2 * stdev(gaps) ** 2 / 3
    assert row.perplexity.standard_error**2 == pytest.approx(alone.perplexity.standard_error**2 + of_seeds, rel=1e-9)
    assert single.behind is not None
    assert single.behind.value == pytest.approx(-0.25, abs=1e-9)
    assert single.behind.standard_error == pytest.approx(stdev(gaps) / 3**0.5, rel=1e-9)  # all of it the seeds'
    assert Paired.over_seeds([fits]).log_likelihood[0, 0] == pytest.approx(-0.95)


def test_forms_say_seeds_where_there_are_several(template: Record, workshop: Workshop) -> None:
    fits = [seeded(template, seed, gap) for seed, gap in enumerate((0.0, 0.1))]
    [board], [alone] = boards([*fits, seeded(template, 0, -0.2, model="other")]), boards(fits[:1])
    [told, single] = json.loads(render.render(board, "json", workshop.registry))["rows"]
    assert (told["seeds"], told["records"]) == (2, [one.id for one in fits])
    assert not {"seeds", "records", "seed_spread"} & set(single)
    [line, _] = csv.DictReader(io.StringIO(render.render(board, "csv", workshop.registry)))
    assert (line["seeds"], line["records"]) == ("2", " ".join(one.id for one in fits))
    text = render.render(board, "md", workshop.registry)
    assert "| 2, sd 0.297 |" in text
    assert text.count("over persons and seeds together") == 1
    assert "seeds" not in render.render(alone, "md", workshop.registry)
    assert all(one.id in render.page([board]) for one in fits)


def test_records_of_other_code_or_size_are_not_averaged(template: Record, tmp_path: Path) -> None:
    first, second = (seeded(template, seed, 0.0) for seed in (3, 4))
    elsewhere = seeded(template, 5, 0.1, code="another 2 0123456789ab")
    assert over_seeds([second, elsewhere, first]) == [(first, second), (elsewhere,)]
    [board] = boards([first, second, elsewhere])
    assert [row.label for row in board.rows] == ["frequencies (seed=5)", "frequencies"]
    small = [seeded(template, seed, -0.1, train_persons=1) for seed in (3, 4)]
    [curve] = boards([first, second, *small])[0].views.curves
    assert [(curve.label, point.record) for point in curve.points] == [
        ("frequencies", small[0].id),
        ("frequencies", first.id),
    ]
