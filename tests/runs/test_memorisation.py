"""The probe of what a model knows by heart, on one that knows careers by heart and on one that does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import typed
from helpers.toys import Parameters, entry_of

from harness.errors import RequestError
from harness.model.contract import Context, Model, ModelSpec, take_states
from harness.panel.careers import Panel
from harness.registry import Registry
from harness.runs.memorisation import AlteredCareers, MemorisationProbe, memorisation
from harness.types import FloatArray, IntArray


class Parrot(Model):
    """Says again what it has read after the same beginning of a career, its years and titles included if asked."""

    def __init__(self, params: Parameters, years: bool = False, titles: bool = False) -> None:
        self.years, self.titles = years, titles

    def _beginnings(self, panel: Panel, transitions: IntArray) -> list[tuple[object, ...]]:
        found: list[tuple[object, ...]] = []
        for record in transitions.tolist():
            read = slice(int(panel.offsets[panel.person[record]]), record)
            years = panel.year[read].tolist() if self.years else []
            states = panel.state[read].tolist()
            titles = [panel.occupations.titles[state] for state in states] if self.titles else []
            found.append((*states, *years, *titles))
        return found

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        later = train.transitions
        self.read = dict(zip(self._beginnings(train, later), train.state[later].tolist(), strict=True))

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        rows = np.full((len(transitions), panel.n_states), 0.5 / panel.n_states)
        for i, beginning in enumerate(self._beginnings(panel, transitions)):
            rows[i, self.read.get(beginning, int(panel.origin(transitions[i : i + 1])[0]))] += 0.5
        return take_states(np.log(rows), states)

    def save(self, folder: Path) -> None:
        """Nothing is kept."""

    def load(self, folder: Path) -> None:
        """Nothing is read."""


class OfTheseTitles(Parrot):
    """As a model with a token for each title, which reads no others."""

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        if panel.occupations.titles[0].startswith("work as"):
            raise RequestError("no token stands for this title")
        return super().log_prob(panel, transitions, states)


def probed(registry: Registry, panel: Panel, model: Model, spec: ModelSpec | None = None) -> MemorisationProbe:
    model.fit(
        panel.part("train"),
        panel.part("valid"),
        Context(seed=0, scratch=Path(), cache=Path()),
    )
    found = memorisation(spec or entry_of(Parrot).item, model, registry.task("next_occ"), panel)
    assert found is not None
    return found


def lines(found: MemorisationProbe) -> dict[str, AlteredCareers]:
    return {one.name: one for one in found.lines}


def test_a_parrot_is_told_by_what_it_was_fitted_on(registry: Registry, market_300: Panel) -> None:
    found = probed(registry, market_300, Parrot(Parameters()))
    assert found.careers == 50
    assert set(lines(found)) == {"occupations exchanged"}
    assert [why.partition(":")[0] for why in found.left_out] == ["3 years earlier", "titles reworded"]
    exchange = lines(found)["occupations exchanged"]
    assert exchange.remembered
    assert exchange.excess.value > 0.5
    assert exchange.excess.value == pytest.approx(exchange.train.value - exchange.test.value)
    assert found.level.excess.value > 0.5


def test_years_and_titles_that_it_learned_are_told(registry: Registry, market_300: Panel) -> None:
    found = probed(registry, market_300, Parrot(Parameters(), years=True, titles=True))
    assert {name: line.remembered for name, line in lines(found).items()} == {
        "3 years earlier": True,
        "occupations exchanged": True,
        "titles reworded": True,
    }
    assert found.left_out == ()


def test_what_a_model_does_not_read_is_left_out(registry: Registry, market_300: Panel) -> None:
    found = probed(registry, market_300, OfTheseTitles(Parameters(), years=True))
    assert found.left_out == ("titles reworded: no token stands for this title",)


def test_who_knows_how_people_move_is_not_told(registry: Registry, market_300: Panel) -> None:
    spec = registry.model("oracle").item
    model = spec.build(spec.params())
    assert isinstance(model, Model)
    found = probed(registry, market_300, model, spec)
    assert not any(line.remembered for line in found.lines)
    assert lines(found)["occupations exchanged"].test.value > 0.05, "what is altered is less likely"


def test_of_few_careers_nothing_is_said(registry: Registry, market_300: Panel) -> None:
    few = market_300.select(np.flatnonzero(market_300.split == 2)[:9])
    assert memorisation(entry_of(Parrot).item, Parrot(Parameters()), registry.task("next_occ"), few) is None


def test_the_card_says_it_on_request(tmp_path: Path) -> None:
    small = ["--data", "market", "--set", "data.persons=300", "--records", "r"]
    done = typed(tmp_path, "run", "--task", "next_occ", "--model", "oracle", *small)
    assert done.returncode == 0, done.stderr
    [file] = (tmp_path / "r").rglob("*.json")
    run = json.loads(file.read_text())["id"]
    assert "Memorisation" not in typed(tmp_path, "card", run, "--records", "r").stdout
    done = typed(tmp_path, "card", run, "--records", "r", "--memorisation")
    assert done.returncode == 0, done.stderr
    part = done.stdout.split("## Memorisation")[1].split("## ")[0]
    assert "| careers | test | training | training less test |" in part
    assert "\n| occupations exchanged | " in part
    assert "No alteration costs training careers clearly more." in part
    assert "- Left out: titles reworded: " in part
    told = json.loads(typed(tmp_path, "card", run, "--records", "r", "--memorisation", "--json").stdout)
    assert [one["name"] for one in told["memorisation"]["lines"]][-1] == "occupations exchanged"
    assert told["memorisation"]["level"]["test"]["value"] < 0
    done = typed(tmp_path, "card", run, "--records", "r", "--data", "x")
    assert (done.returncode, "--data goes with --memorisation" in done.stderr) == (2, True)
    done = typed(tmp_path, "card", run, "--records", "r", "--memorisation", HARNESS_CACHE=str(tmp_path / "other"))
    assert (done.returncode, "is not in this machine's cache: run it again" in done.stderr) == (2, True)
