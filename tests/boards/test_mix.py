"""The ensemble of finished runs: what it may be made of, what it is worth, and what a board says of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import log
from pathlib import Path

import numpy as np
import pytest
from helpers.toys import Frequencies, Parameters, entry_of, run_on, run_with_valid

from harness.boards.board import boards
from harness.boards.mix import mix
from harness.errors import RequestError
from harness.model.contract import OutcomeModel
from harness.panel.careers import Panel
from harness.panel.weights import weighted
from harness.records.predictions import path_of
from harness.records.record import Record, figures
from harness.registry import Registry
from harness.render.boards.markdown import render
from harness.runs.execute import Workshop
from harness.types import FloatArray, IntArray


class Coin(OutcomeModel):
    """P(switch) = 1/4, whoever asks."""

    def __init__(self, params: Parameters) -> None: ...

    def fit(self, *_: object) -> None: ...

    def log_event(self, panel: Panel, transitions: IntArray) -> FloatArray:
        return np.full(len(transitions), log(0.25), dtype=np.float32)

    def save(self, folder: Path) -> None: ...

    def load(self, folder: Path) -> None: ...


def made_by(registry: Registry, workshop: Workshop, panel: Panel, task: str = "switch") -> list[Record]:
    coin = replace(entry_of(Coin, only_task="switch", name="coin"))
    runs = [run_on(registry, panel, task, entry=entry) for entry in ((coin, None) if task == "switch" else (None,))]
    runs.append(run_on(registry, panel, task, params=Parameters(weight=50)))
    return [record for run in runs for record in run_with_valid(run, workshop)]


def test_a_model_of_the_event_mixes_with_models_of_states(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    coin, counts, _ = made_by(registry, workshop, four_persons)
    made = mix([counts, coin], workshop.cache, of_board=False)
    # c switches: counts say 0.9 of it, the coin 0.25, so all weight is on counts
    assert made.facts["weights"] == pytest.approx({counts.id: 1.0, coin.id: 0.0}, abs=1e-6)
    stayed = replace(four_persons, state=np.where(np.arange(13) == 7, 2, four_persons.state))
    coin, counts, _ = made_by(registry, workshop, stayed)
    # c stays: counts say 0.1 of it, the coin 0.75
    made = mix([counts, coin], workshop.cache, of_board=False)
    assert made.facts["weights"] == pytest.approx({counts.id: 0.0, coin.id: 1.0}, abs=1e-6)
    assert figures(made)["log_likelihood"] == pytest.approx(2 * log(0.25) + 2 * log(0.75), abs=1e-5)


def test_survey_weights_decide_what_the_mix_is_worth(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    # c and d validate: c switches and d mostly does; the weights say whose outcome counts.
    panel = replace(four_persons, split=np.array([0, 2, 1, 1]))
    found = []
    for heavy in (7, 9):  # c's switch, or d's first stay
        weight = np.full(13, 1e-3)
        weight[3:6], weight[heavy] = 1.0, 100.0
        coin, counts, _ = made_by(registry, workshop, replace(panel, weight=weight))
        made = mix([coin, counts], workshop.cache, of_board=True)
        assert made.evidence.weight == coin.evidence.weight == [2.0]
        found.append(made.facts["weights"][coin.id])
    assert found == pytest.approx([0, 1], abs=1e-6)


def test_a_part_that_leaves_probability_outside_is_said_to(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    one, other = made_by(registry, workshop, four_persons, "next_occ")
    leaky = other.model_copy(update={"sums_to_one": False})
    made = mix([one, leaky], workshop.cache, of_board=True)
    assert (made.sums_to_one, made.mass) == (False, None)
    [board] = boards([one, other, made.model_copy(update={"figures": figures(made)})])
    assert "- mix: of what its parts said, some of which may leave probability outside the choice set." in render(board)


def test_a_board_says_which_parts_are_superseded(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    one, other = made_by(registry, workshop, four_persons, "next_occ")
    made = mix([one, other], workshop.cache, of_board=True)
    made = made.model_copy(update={"figures": figures(made)})
    later = one.measured.model_copy(update={"finished": one.measured.finished + timedelta(hours=1)})
    asked = one.configuration.model_copy(update={"code": "tests 2"})
    newer = one.model_copy(update={"configuration": asked, "id": asked.id(), "measured": later})
    [board] = boards([one, other, made, newer])
    [row] = [row for row in board.rows if row.model == "mix"]
    assert (row.mix_superseded, row.mix_without) == (1, "frequencies")
    assert "- mix: 1 part has a newer record by now; 'harness mix' makes it again." in render(board)
    assert "mix_superseded" not in render(boards([one, other, made])[0])


def test_runs_that_saw_other_transitions_are_refused(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    one, other = made_by(registry, workshop, four_persons, "next_occ")
    path = path_of(workshop.cache, other.id)
    with np.load(path) as file:
        content = {name: file[name] for name in file.files}
    np.savez(path, **(content | {"valid.year": content["valid.year"] + 1}))
    with pytest.raises(RequestError, match="are not of the same valid transitions"):
        mix([one, other], workshop.cache, of_board=True)


def test_nobody_to_choose_the_weights_on(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    one, other = made_by(registry, workshop, four_persons.select(np.array([0, 1, 3])), "next_occ")
    with pytest.raises(RequestError, match="nobody in the validation split of 'four-persons' is at risk of 'next_occ'"):
        mix([one, other], workshop.cache, of_board=True)


def test_the_order_of_runs_does_not_matter(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    records = made_by(registry, workshop, four_persons)
    one, other = (mix(order, workshop.cache, of_board=False) for order in (records, records[::-1]))
    assert (one.id, one.evidence, one.facts) == (other.id, other.evidence, other.facts)


def test_weighted_boards_are_mixed_too(registry: Registry, workshop: Workshop, market: Panel) -> None:
    small = market.select(np.arange(100))
    ages = replace(small.covariates["birth_year"], values=small.covariates["birth_year"].values - 1900.0)
    panel = weighted(replace(small, covariates={**small.covariates, "w": ages}), "w")
    records = [
        record
        for entry in (None, entry_of(Frequencies, name="other"))
        for record in run_with_valid(run_on(registry, panel, entry=entry), workshop)
    ]
    made = mix(records, workshop.cache, of_board=True)
    assert made.evidence.weight == records[0].evidence.weight
    assert made.evidence.log_likelihood == pytest.approx(records[0].evidence.log_likelihood, abs=1e-5)
