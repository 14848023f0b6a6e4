"""Slices: what a record says of some transitions, worked by hand on four persons and true of any panel."""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import EXPECTED, MARGIN, run_all, run_on, run_with_valid
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.boards.mix import mix
from harness.cli import main
from harness.panel.careers import Covariate, Panel
from harness.records.evidence import add_up
from harness.records.slices import GROUPS, Slicing, groups
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.stats.figures import Scores


def test_every_slice_of_four_transitions(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    """d: nurse 2000, nurse 2001, out 2002, out 2004, clerk 2005; born 1981, male. Nobody in training left from out."""
    record = run_all(run_on(registry, four_persons), workshop)[0]
    assert record.slices is not None
    told: dict[tuple[str, str], Any] = {
        (dimension, level): (part.transitions, pytest.approx(sum(part.log_likelihood), abs=2e-3))
        for dimension, levels in record.slices.items()
        for level, part in levels.items()
    }
    p = [log(x) for x in MARGIN]
    whole = 4, EXPECTED["next_occ"]
    assert told == {
        ("gender", "male"): whole,
        ("age", "18 to 20"): (1, p[0]),
        ("age", "21 to 24"): (3, log(0.2 * 0.2 * 0.4)),
        ("decade", "2000s"): whole,
        ("origin status", "employed"): (2, log(0.3 * 0.2)),
        ("origin status", "out of the labor force"): (2, log(0.2 * 0.4)),
        ("origin group", "29"): (2, log(0.3 * 0.2)),
        ("origin group", "OUT"): (2, log(0.2 * 0.4)),
        ("transition", "stay"): (2, log(0.3 * 0.2)),
        ("transition", "move seen in training"): (1, p[1]),  # out -> clerk, as b went
        ("transition", "move not seen in training"): (1, p[3]),  # nurse -> out
    }
    assert all(part.persons == 1 for levels in record.slices.values() for part in levels.values())


def test_first_records_are_a_level_of_their_own(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    task = registry.task("next_occ").with_entry(True)
    record = run_all(replace(run_on(registry, four_persons), tasks=(task,)), workshop)[0]
    assert record.slices is not None
    assert record.slices["origin group"]["first record"].transitions == 1
    assert record.slices["transition"]["first record"].transitions == 1


def test_what_is_missing_is_told_and_rich_covariates_are_left_out(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    n = four_persons.n_records
    covariates = {
        "region": Covariate("categorical", np.where(np.arange(n) < 11, 0, -1), ("north",)),
        "city": Covariate("categorical", np.zeros(n, dtype=int), tuple(f"city {i}" for i in range(30))),
    }
    panel = replace(four_persons, covariates=covariates)
    slices = run_all(run_on(registry, panel), workshop)[0].slices
    assert slices is not None
    assert {level: part.transitions for level, part in slices["region"].items()} == {"north": 2, "not known": 2}
    assert "city" not in slices
    assert "age" not in slices


def test_weights_multiply_and_a_weight_of_zero_is_left_out(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    weight = np.ones(four_persons.n_records)
    weight[9:] = [2.0, 0.0, 1.0, 3.0]
    slices = run_all(run_on(registry, replace(four_persons, weight=weight)), workshop)[0].slices
    assert slices is not None
    stay, seen = slices["transition"]["stay"], slices["transition"]["move seen in training"]
    assert (stay.transitions, sum(stay.counted)) == (2, 3.0)
    assert sum(stay.log_likelihood) == pytest.approx(2 * log(0.3) + log(0.2), abs=2e-3)
    assert sum(seen.log_likelihood) == pytest.approx(3 * log(0.4), abs=2e-3)
    assert "move not seen in training" not in slices["transition"]


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), weighted=st.booleans())
def test_every_dimension_holds_all_transitions(market: Panel, seed: int, weighted: bool) -> None:
    draw = np.random.default_rng(seed)
    chosen = np.sort(draw.choice(market.n_persons, 60, replace=False))
    panel = market.select(chosen)
    test = panel.part("test")
    at_risk = test.transitions
    if not len(at_risk):
        return
    weight = draw.choice([0.0, 0.5, 2.0], len(at_risk)) if weighted else None
    log_prob = -draw.exponential(2.0, len(at_risk))
    scores = Scores(test.n_persons, log_prob, test.person[at_risk], weight=weight)
    counts = np.ones(len(at_risk)) if weight is None else weight
    for levels in Slicing.of(panel, test, at_risk).parts(scores).values():
        assert sum(part.transitions for part in levels.values()) == (counts > 0).sum()
        assert sum(sum(part.counted) for part in levels.values()) == pytest.approx(counts.sum())
        total = sum(sum(part.log_likelihood) for part in levels.values())
        assert total == pytest.approx((log_prob * counts).sum(), abs=0.0005 * GROUPS * len(levels))


def test_groups_are_of_one_size_and_split_no_unit(market: Panel) -> None:
    test = market.part("test")
    sizes = np.bincount(groups(test), minlength=GROUPS)
    assert sizes.max() - sizes.min() <= 1
    drawn = replace(test, units=np.arange(test.n_persons) // 5)
    assert all(len(set(groups(drawn)[drawn.units == unit])) == 1 for unit in range(20))
    assert (groups(test.select(np.arange(test.n_persons)[::-1])) == groups(test)[::-1]).all()


def test_a_mix_has_the_slices_of_its_parts(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    panel = replace(four_persons, split=np.array([0, 0, 1, 2]))
    records = [run_with_valid(run_on(registry, panel, seed=seed), workshop)[0] for seed in (0, 1)]
    made = mix(records, workshop.cache, of_board=True)
    assert made.slices is not None
    assert made.slices == records[0].slices  # of two runs that say the same
    assert add_up(made.slices, made.evidence)


def test_slices_that_do_not_add_up_are_found(
    registry: Registry,
    workshop: Workshop,
    four_persons: Panel,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = run_all(run_on(registry, four_persons), workshop)[0]
    assert record.slices is not None
    male = record.slices["gender"]["male"]
    worse = male.model_copy(update={"log_likelihood": [value - 1 for value in male.log_likelihood]})
    workshop.store.write(record.model_copy(update={"slices": record.slices | {"gender": {"male": worse}}}))
    line = ["harness", "leaderboard", "--check", "--records", str(workshop.store.folder), "--boards", str(tmp_path)]
    monkeypatch.setattr("sys.argv", line)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    assert f"slices are not those of their evidence: {record.id}" in capsys.readouterr().err
