"""The same data give every model the same number, however they are written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import run_all, run_on

from harness import open_panel
from harness.panel import Panel
from harness.panel.weights import weighted
from harness.registry import Registry
from harness.runs.execute import Workshop

SMALL: dict[str, dict[str, Any]] = {
    "uniform": {},
    "marginal": {},
    "markov": {},
    "mnl": {"iterations": 15, "penalties": (10.0,), "standard_errors": False},
    "softmax": {"iterations": 15, "penalties": (16.0,), "threads": 1},
    "gbm": {"rounds": 6, "min_data": 3, "threads": 1},
    "career": {"epochs": 1, "fewest_steps": 4, "warmup": 0, "average": 0.5, "layers": 1, "width": 32, "inner": 32},
}
MODELS = sorted(SMALL)
CODES = ("a1", "a2", "b1", "b2", "c1")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One person-year of the file."""

    person: str
    year: int
    code: str
    group: str
    income: float
    weight: float
    split: str


def careers(first: int = 0, persons: int = 70, weight: float = 1.0) -> list[Row]:
    """Persons who mostly stay, the richer of them more often."""
    draw = np.random.default_rng(first)
    rows = []
    for p in range(first, first + persons):
        state, income, group = int(draw.integers(5)), float(draw.lognormal()), str(draw.choice(["x", "y", "z"]))
        for year in range(2000, 2005):
            if draw.random() > 1 / (1 + np.exp(-income)):
                state = int(draw.integers(5))
            income *= float(draw.lognormal(0, 0.1))
            split = "train" if p % 5 < 3 else "valid" if p % 5 == 3 else "test"
            row = Row(
                person=f"p{p}", year=year, code=CODES[state], group=group, income=income, weight=weight, split=split
            )
            rows.append(row)
    return rows


def by_person(rows: Iterable[Row]) -> list[list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.person, []).append(row)
    return list(found.values())


def in_another_order(rows: list[Row]) -> list[Row]:
    """Persons in another order, and their rows between one another's."""
    draw = np.random.default_rng(1)
    waiting = by_person(rows)
    mixed = []
    while waiting:
        i = int(draw.integers(len(waiting)))
        mixed.append(waiting[i].pop(0))
        if not waiting[i]:
            waiting.pop(i)
    return mixed


def in_another_unit(rows: list[Row]) -> list[Row]:
    return [replace(row, income=row.income * 1e-12) for row in rows]


def with_other_codes(rows: list[Row]) -> list[Row]:
    """Codes of other letters, in the same order."""
    return [replace(row, code=f"x{CODES.index(row.code)}{row.code}") for row in rows]


def written_otherwise(rows: list[Row]) -> list[Row]:
    return in_another_order(in_another_unit(with_other_codes(rows)))


def with_strangers_of_weight_zero(rows: list[Row]) -> list[Row]:
    """Others between them who count for nothing; they are richer than anybody."""
    others = [replace(row, income=row.income * 50) for row in careers(1000, 30, weight=0.0)]
    return in_another_order(rows + others)


def held_out_twice_at_half_the_weight(rows: list[Row]) -> list[Row]:
    halves = [replace(row, weight=0.5) if row.split != "train" else row for row in rows]
    return halves + [replace(row, person=f"{row.person}-again") for row in halves if row.split != "train"]


def panel_of(rows: list[Row], folder: Path, weights: bool) -> Panel:
    lines = [f"{r.person},{r.year},{r.code},{r.group},{r.income!r},{r.weight},{r.split}" for r in rows]
    path = folder / "mine.csv"
    path.write_text("\n".join(["person,year,occupation,grp,inc,wt,split", *lines]))
    panel = weighted(open_panel(path), "wt")
    return panel if weights else replace(panel, weight=None)


def perplexity(name: str, panel: Panel, registry: Registry, workshop: Workshop) -> float:
    entry = registry.model(name)
    run = run_on(registry, panel, entry=entry, params=entry.item.params(**SMALL[name]))
    [record] = run_all(run, workshop)
    found = record.figures["perplexity"]
    assert found is not None
    return found


@pytest.fixture(scope="module")
def plain(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], float]:
    """The perplexity of a model on the file as it is, computed once."""
    from harness.records.store import Store

    known: dict[str, float] = {}

    def of(name: str) -> float:
        if name not in known:
            folder = tmp_path_factory.mktemp("plain")
            workshop = Workshop(registry=registry, store=Store(folder / "results"), cache=folder / "cache")
            known[name] = perplexity(name, panel_of(careers(), folder, weights=False), registry, workshop)
        return known[name]

    return of


WAYS: dict[str, tuple[Callable[[list[Row]], list[Row]], bool]] = {
    "rows, unit and codes": (written_otherwise, False),
    "weight zero": (with_strangers_of_weight_zero, True),
    "half the weight": (held_out_twice_at_half_the_weight, True),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_a_file_written_otherwise_gives_the_same_number(
    name: str, way: str, plain: Callable[[str], float], registry: Registry, workshop: Workshop, tmp_path: Path
) -> None:
    pytest.importorskip({"mnl": "statsmodels", "gbm": "lightgbm", "career": "torch"}.get(name, "numpy"))
    change, weights = WAYS[way]
    panel = panel_of(change(careers()), tmp_path, weights)
    assert perplexity(name, panel, registry, workshop) == pytest.approx(plain(name), rel=1e-6)


def test_the_numbers_are_not_the_same_for_want_of_anything_to_learn(plain: Callable[[str], float]) -> None:
    assert len({round(plain(name), 4) for name in MODELS}) == len(MODELS)


def test_another_order_of_the_same_rows_is_the_same_panel(tmp_path: Path) -> None:
    panels = [panel_of(rows, tmp_path, weights=True) for rows in (careers(), in_another_order(careers()))]
    assert panels[0].fingerprint() == panels[1].fingerprint()
    assert panels[0].persons.tolist() == [f"p{i}" for i in range(70)]  # p2 before p10
