"""Strata and sampling units: what intervals resample, from the command line to the board."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.toys import InProcess, run_all, run_on

from harness.boards.board import boards
from harness.errors import RequestError
from harness.panel.careers import Covariate, Panel
from harness.panel.survey_design import designed
from harness.registry import Registry
from harness.runs.execute import Workshop


@pytest.fixture
def county(market: Panel) -> Panel:
    """A part of the market, whose persons were drawn in 40 counties of 4 states; each state numbers its own."""
    panel = market.select(np.arange(800))
    of_person = np.random.default_rng(0).integers(0, 40, panel.n_persons)
    state, number = of_person // 10, of_person % 10
    columns = {
        "state": Covariate("categorical", state[panel.person], ("a", "b", "c", "d"), fixed=True),
        "county": Covariate("numeric", number[panel.person].astype(float), fixed=True),
    }
    return replace(panel, covariates={**panel.covariates, **columns})


def test_a_unit_is_another_one_in_each_stratum(county: Panel) -> None:
    drawn = designed(county, "state", "county")
    assert drawn.units is not None
    assert drawn.strata is not None
    assert len(np.unique(drawn.units)) == 40
    assert len(np.unique(drawn.strata)) == 4
    assert all(len(np.unique(drawn.strata[drawn.units == unit])) == 1 for unit in range(40))
    assert len(np.unique(designed(county, units="county").units)) == 10  # type: ignore[arg-type]
    assert {"state", "county"}.isdisjoint(drawn.covariates)  # no model sees how persons were drawn
    assert designed(county) is county
    assert len({p.fingerprint() for p in (county, drawn, designed(county, "state"))}) == 3


def test_intervals_resample_units_and_figures_do_not_change(
    registry: Registry, workshop: Workshop, county: Panel
) -> None:
    """Persons of one county are given one career: there are then only as many careers as counties to learn from."""
    test = np.flatnonzero(county.split == 2)
    drawn = designed(county, "state", "county")
    assert drawn.units is not None
    like = county.units if county.units is not None else drawn.units
    first = {unit: test[like[test] == unit][0] for unit in np.unique(like[test])}
    order = np.array([first[like[person]] for person in test])
    same = replace(county.select(order), persons=county.persons[test])
    train = county.part("train")
    whole = _joined(train, same)
    plain = run_all(run_on(registry, whole), workshop)[0]
    clustered = run_all(run_on(registry, designed(whole, "state", "county")), workshop)[0]
    assert clustered.figures == plain.figures
    assert clustered.evidence.units is not None
    alone, together = (board.rows[0].perplexity for board in boards([plain, clustered]))
    assert together.value == pytest.approx(alone.value, rel=1e-12)
    assert together.standard_error > 1.5 * alone.standard_error
    notes = {board.panel: board for board in boards([plain, clustered])}
    assert "market, stratified by state, clustered by county" in notes


def _joined(one: Panel, other: Panel) -> Panel:
    """Both panels' persons, one after the other."""
    return replace(
        one,
        persons=np.concatenate([one.persons, other.persons]),
        offsets=np.concatenate([one.offsets, one.offsets[-1] + other.offsets[1:]]),
        year=np.concatenate([one.year, other.year]),
        state=np.concatenate([one.state, other.state]),
        split=np.concatenate([one.split, other.split]),
        covariates={
            name: replace(c, values=np.concatenate([c.values, other.covariates[name].values]))
            for name, c in one.covariates.items()
        },
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", "person .*, year .* has no value; every person was drawn in one"),
        ("moved", "has another value than in the years before"),
        ("absent", "has no such column; did you mean 'county'"),
        ("one", "all persons of the test split are of one unit"),
    ],
)
def test_a_column_that_says_no_design_is_refused(county: Panel, change: str, message: str) -> None:
    values = county.covariates["county"].values.copy()
    if change == "missing":
        values[3] = np.nan
    elif change == "moved":
        values[1] += 1
    elif change == "one":
        values[:] = 1
    panel = replace(county, covariates={**county.covariates, "county": Covariate("numeric", values)})
    with pytest.raises(RequestError, match=message):
        designed(panel, units="countyy" if change == "absent" else "county")


def test_run_with_strata_and_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The board says what was resampled; the record says how persons were drawn, in numbers of its own."""
    lines = ["person,year,occupation,stratum,psu"]
    draw = np.random.default_rng(1)
    for person in range(120):
        stratum, psu = person % 3, person % 12
        for year in range(2000, 2005):
            lines.append(f"p{person},{year},{draw.integers(0, 3)},s{stratum},{psu}")
    (tmp_path / "panel").mkdir()
    (tmp_path / "panel" / "careers.csv").write_text("\n".join(lines) + "\n")
    table = "code,title,group,status\n0,Clerks,a,employed\n1,Nurses,b,employed\n2,At home,c,out of the labor force\n"
    (tmp_path / "panel" / "occupations.csv").write_text(table)
    run = InProcess("run", monkeypatch, capsys)
    line = [
        "--task",
        "switch",
        "--model",
        "marginal",
        "--data",
        str(tmp_path / "panel"),
        "--records",
        str(tmp_path / "r"),
    ]
    status, out, err = run(*line, "--strata", "stratum", "--units", "psu")
    assert status == 0, err
    assert "sampling units (`psu`) resampled within strata (`stratum`)" in " ".join(out.split())
    record = json.loads(next((tmp_path / "r").glob("*/*.json")).read_text())
    assert record["configuration"]["panel"]["source"]["units"] == "psu"
    assert set(record["evidence"]["strata"]) == {0, 1, 2}
    assert max(record["evidence"]["units"]) < 12
    again = InProcess("explain", monkeypatch, capsys)(record["id"], "--records", str(tmp_path / "r"))
    assert again[0] == 2
