"""``harness ablate``: arms are ordinary runs, and their differences are those of their records."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.toys import Frequencies, entry_of

from harness.errors import RequestError
from harness.model.contract import Ablation
from harness.panel.careers import Panel
from harness.records.kinds import survey_design_of
from harness.runs.ablations import WHOLE, AblationRequest, chosen, lines, run_arms
from harness.runs.execute import Workshop
from harness.runs.request import Panels, RunRequest
from harness.stats.inference import Resampled
from harness.system.progress import Silent

ARMS = (
    Ablation("heavy", "weight of 9", {"weight": "9"}),
    Ablation("same", "weight of 1", {"weight": "1"}),
    Ablation("pooled", "pooled with", pools=True),
)
SPEC = entry_of(Frequencies, multi_panel=True, ablations=ARMS).item


@pytest.fixture
def toys(workshop: Workshop) -> Workshop:
    """A workshop that knows the toy model whose arms are compared."""
    models = {**workshop.registry.models, "frequencies": entry_of(Frequencies, multi_panel=True, ablations=ARMS)}
    return replace(workshop, registry=replace(workshop.registry, models=models))


def request(toys: Workshop, panel: Panel, *also: Panel, **settings: str) -> AblationRequest:
    return AblationRequest(
        model="frequencies",
        request=RunRequest(models={"frequencies": settings}),
        task=toys.registry.task("next_occ"),
        panels=Panels(scored=panel, also=also),
    )


def test_every_arm_is_a_run_and_every_difference_its_records(toys: Workshop, four_persons: Panel) -> None:
    """Train: states 0 0 1 and 1 3 1, so counts 2 3 0 1; test d: 0 -> 0 -> 3 -> 3 -> 1."""
    persons = np.array(["e", "f", "g", "h"])
    other = replace(four_persons, name="other", persons=persons, year=four_persons.year + 100)
    asked = request(toys, four_persons, other)
    found = list(run_arms(asked, chosen(SPEC, [], pools=True), ["uniform"], toys))
    assert [name for name, _ in found] == ["as asked for", "weight of 9", "pooled with other", "uniform"]
    margins = {
        "as asked for": np.array([3, 4, 1, 2]) / 10,
        "weight of 9": np.array([11, 12, 9, 10]) / 42,
        "pooled with other": np.array([5, 7, 1, 3]) / 16,
        "uniform": np.full(4, 0.25),
    }
    seen = [0, 3, 3, 1]
    first = np.log(margins["as asked for"][seen]).mean()
    for line in lines(found):
        mean = np.log(margins[line.name][seen]).mean()
        assert line.perplexity.value == pytest.approx(np.exp(-mean), abs=1e-5)
        if line.difference is None:
            assert line.name == "as asked for"
        else:
            assert line.difference.value == pytest.approx(mean - first, abs=1e-5)
    assert json.loads(json.dumps([line.plain() for line in lines(found)]))[1]["record"] == found[1][1].id
    fits = Frequencies.fits
    again = list(run_arms(asked, chosen(SPEC, [], pools=True), ["uniform"], toys))
    assert [record.id for _, record in again] == [record.id for _, record in found]
    assert Frequencies.fits == fits  # read, not run again


def test_an_arm_changes_what_was_asked_for(toys: Workshop, four_persons: Panel) -> None:
    asked = request(toys, four_persons, weight="9")
    found = list(run_arms(asked, chosen(SPEC, ["heavy", "same"], pools=False), [], toys))
    assert [name for name, _ in found] == ["as asked for", "weight of 1"]  # the heavy one is what was asked for
    assert found[1][1].configuration.changed == {}


class Told(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_an_arm_that_cannot_be_had_does_not_cost_the_others(toys: Workshop, four_persons: Panel) -> None:
    arms = (Ablation("none", "weight of 0", {"weight": "0"}), Ablation("heavy", "weight of 9", {"weight": "9"}))
    told = Told()
    found = list(run_arms(request(toys, four_persons), (WHOLE, *arms), [], replace(toys, progress=told)))
    assert [name for name, _ in found] == ["as asked for", "weight of 9"]
    [note] = told.notes
    assert note.startswith("the arm 'none' is left out: frequencies.weight")
    with pytest.raises(RequestError, match="weight"):  # without what they are compared with there is nothing to show
        list(run_arms(request(toys, four_persons, weight="0"), (WHOLE, *arms), [], toys))


@pytest.mark.parametrize(
    ("spec", "names", "message"),
    [
        (SPEC, ["heavi"], "did you mean 'heavy'"),
        (SPEC, ["pooled"], "--train-also"),
        (replace(SPEC, ablations=()), [], "names no ablations"),
    ],
)
def test_what_cannot_be_asked_for(spec: Any, names: list[str], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        chosen(spec, names, pools=False)


def test_intervals_are_those_of_the_surveys_design(toys: Workshop, four_persons: Panel) -> None:
    """Eight persons of the test split in four units, which say more alike than persons of one do."""
    again = np.concatenate([np.arange(4), *([np.flatnonzero(four_persons.split == 2)[0]],) * 7])
    panel = replace(
        four_persons.select(again),
        persons=np.array([f"p{i}" for i in range(len(again))]),
        units=np.arange(len(again)) // 2,
    )
    found = list(run_arms(request(toys, panel), chosen(SPEC, ["heavy"], pools=False), ["uniform"], toys))
    records = [record for _, record in found]
    drawn = Resampled(
        np.column_stack([record.evidence.log_likelihood for record in records]).astype(np.float64),
        records[0].evidence.counted,
        survey_design_of(records[0]),
    )
    assert survey_design_of(records[0]) is not None
    made = lines(found)
    assert [line.perplexity for line in made] == drawn.perplexities()
    assert [line.difference for line in made[1:]] == drawn.differences(0)[1:]
