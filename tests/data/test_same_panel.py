"""Careers written and read again, in any unit of time and in any form, are the same panel."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
import pytest
import rdata
from helpers.openings import opened, table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.data.write import write_panel
from harness.panel import Panel


@pytest.mark.parametrize("kind", ["csv", "parquet", "career"])
@pytest.mark.parametrize("names", ["Jul.93..Sep.93", "2001q4..2002q2", "w1..w3", "a15..a17"])
def test_a_panel_in_any_unit_is_written_and_read_again(tmp_path: Path, kind: Any, names: str) -> None:
    first, last = names.split("..")
    path = table(tmp_path / "wide.csv", f"person,{first},{last}\n1,cook,nurse\n2,cook,cook\n3,nurse,cook")
    panel = opened(path, wide=names)
    write_panel(panel, tmp_path / "panel", kind)
    again = opened(tmp_path / "panel")
    assert again.unit == panel.unit
    assert again.n_records == panel.n_records
    if kind != "career":  # whose files number persons by their lines
        assert again.fingerprint() == panel.fingerprint()


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Careers of thirty persons in rows, some years missing, states of which none is like a number with zeros lost."""
    states = draw(
        st.lists(st.sampled_from(["10", "230", "cook", "Zürich", "a b"]), min_size=2, max_size=4, unique=True)
    )
    rows = []
    for person in range(30):
        years = sorted(draw(st.sets(st.integers(1990, 1996), min_size=1, max_size=4)))
        rows += [(person + 1, year, draw(st.sampled_from(states)), 1.5 * person) for year in years]
    return pd.DataFrame(rows, columns=["person", "year", "occupation", "score"])


def as_spells(long: pd.DataFrame) -> pd.DataFrame:
    """Each run of years in one state a row."""
    rows = []
    for person, part in long.groupby("person"):
        runs: list[list[Any]] = []
        for year, state, score in part[["year", "occupation", "score"]].itertuples(index=False):
            if runs and runs[-1][1] == year - 1 and runs[-1][2] == state:
                runs[-1][1] = year
            else:
                runs.append([year, year, state, score])
        rows += [[person, *run] for run in runs]
    return pd.DataFrame(rows, columns=["person", "b", "e", "occupation", "score"])


def as_wide(long: pd.DataFrame) -> pd.DataFrame:
    wide = long.pivot_table(index=["person", "score"], columns="year", values="occupation", aggfunc="first")
    return wide.rename(columns=lambda year: f"occ{year}").reset_index()


def _rds(long: pd.DataFrame, path: Path) -> None:
    rdata.write_rds(path, long.astype({"person": "int32", "year": "int32", "occupation": "category"}))


FORMS: dict[str, tuple[Callable[[pd.DataFrame, Path], Any], dict[str, Any]]] = {
    "long.dta": (pyreadstat.write_dta, {}),
    "long.sav": (pyreadstat.write_sav, {}),
    "long.rds": (_rds, {}),
    "spells.dta": (lambda t, p: pyreadstat.write_dta(as_spells(t), p), {"spells": {"begin": "b", "end": "e"}}),
    "wide.csv": (lambda t, p: as_wide(t).to_csv(p, index=False), {"wide": "FIRST..LAST"}),
}


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(long=tables())
@pytest.mark.parametrize("form", FORMS)
def test_a_panel_in_any_form_is_the_same_panel(form: str, long: pd.DataFrame) -> None:
    write, options = FORMS[form]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / form
        long.to_csv(Path(folder) / "plain.csv", index=False)
        plain = opened(Path(folder) / "plain.csv")
        write(long, path)
        if "wide" in options:
            years = sorted(long["year"].unique())
            if len(years) < 2:
                return
            options = {"wide": f"occ{years[0]}..occ{years[-1]}"}
        assert_same(opened(path, **options), plain)


def assert_same(panel: Panel, plain: Panel) -> None:
    assert panel.fingerprint() == plain.fingerprint()
    assert all((b - a) >= 1 for a, b in pairwise(panel.offsets.tolist()))
