"""``harness claims``: its runs are ordinary ones, and one that fails costs no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from helpers.panels import crowd
from helpers.toys import Frequencies, Parameters, entry_of
from pydantic import Field

from harness.claims.found import from_records, in_folder
from harness.claims.plan import ClaimsRequest, carry_out, chosen, gathered, require_arms, steps
from harness.claims.verdict import UNTESTED, Verdict, judge
from harness.errors import RequestError, RunError
from harness.model.contract import Context
from harness.model.params import Settings
from harness.panel.careers import Panel
from harness.plugins.labor_llm import LABOR_LLM, PRIOR
from harness.records.current import Folder
from harness.render.claims import files
from harness.runs.execute import Workshop
from harness.runs.request import Panels, RunRequest


class TalkerParams(Parameters):
    """The parameters of a language model that claims know, and a weight."""

    base: str = "builtin"
    base_layers: int = Field(default=1, ge=1)
    titles: Literal["words", "codes"] = "words"
    tuning: Literal["lora", "none"] = "lora"
    shots: int = 0


class Talker(Frequencies):
    """Frequencies; off the shelf and with codes it has seen less, with examples and more layers more."""

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        super().fit(train, valid, context)
        p = self.params
        assert isinstance(p, TalkerParams)
        flat = 0.9 * (p.tuning == "none") - 0.2 * (p.shots > 0) + 0.5 * (p.titles == "codes")
        self.margin = (1 - flat) * self.margin + flat / len(self.margin)

    def facts(self) -> dict[str, Any]:
        assert isinstance(self.params, TalkerParams)
        return {"parameters": 100 * self.params.base_layers}


class Broken(Frequencies):
    """A model whose fit fails, until it is told otherwise."""

    error: BaseException | None = None

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        if self.error is not None:
            raise self.error
        super().fit(train, valid, context)


@pytest.fixture
def toys(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A workshop whose models are toys under the names that the claims know: all fit at once."""
    models = {arm.model: entry_of(Frequencies, name=arm.model, pretrainable=arm.model == "career") for arm in PRIOR}
    models["career"] = entry_of(Broken, name="career", pretrainable=True)
    for event, task in (("gbm-switch", "switch"), ("gbm-lf-exit", "lf_exit")):
        models[event] = entry_of(Frequencies, name=event, only_task=task, needs=("no_such_library",), install="get it")
    models["llm-lora"] = entry_of(Talker, name="llm-lora", params=TalkerParams, multi_panel=True)
    monkeypatch.setattr(Broken, "error", None)
    return replace(workshop, registry=replace(workshop.registry, models=models))


def other_panel(four_persons: Panel) -> Panel:
    return replace(four_persons, name="other", persons=np.array(["e", "f", "g", "h"]), year=four_persons.year + 100)


def request(
    panel: Panel,
    *also: Panel,
    resumes: Panel | None = None,
    settings: dict[str, dict[str, str]] | None = None,
    larger: dict[str, str] | None = None,
    device: str = "cpu",
) -> ClaimsRequest:
    return ClaimsRequest(
        paper=LABOR_LLM,
        request=RunRequest(models=settings or {}, device=device),
        panels=Panels(scored=panel, also=also, resumes=resumes),
        larger=larger or {},
    )


def verdicts(asked: ClaimsRequest, workshop: Workshop, *names: str) -> dict[str, Verdict]:
    some = chosen(LABOR_LLM, names)
    found = gathered(carry_out(steps(some, asked, workshop), workshop))
    return {claim.name: judge(claim, found) for claim in some}


def test_runs_are_ordinary_and_verdicts_those_of_their_records(toys: Workshop, four_persons: Panel) -> None:
    """Test person d: 0 -> 0 -> 3 -> 3 -> 1. Margins: 3 4 1 2 of 10 tuned on a and b; 5 7 1 3 of 16 with the others."""
    asked = request(four_persons, other_panel(four_persons), resumes=other_panel(four_persons))
    made = verdicts(asked, toys)
    seen = [0, 3, 3, 1]
    tuned = np.array([3, 4, 1, 2]) / 10
    margins = {
        "untuned": 0.1 * tuned + 0.9 / 4,
        "shots": 0.3 * tuned + 0.7 / 4,
        "codes": 0.5 * tuned + 0.5 / 4,
    }
    for claim, arm in (("fine-tuning", "untuned"), ("fine-tuning", "shots"), ("words", "codes")):
        [comparison] = [c for c in made[claim].comparisons if c.arm == arm]
        expected = (np.log(tuned[seen]) - np.log(margins[arm][seen])).mean()
        assert comparison.difference is not None
        assert comparison.difference.value == pytest.approx(expected, abs=1e-5)
    pooled = np.array([5, 7, 1, 3]) / 16
    [larger, alone] = made["more-data"].comparisons
    assert larger.difference is not None
    assert alone.difference is not None
    expected = (np.log(pooled[seen]) - np.log(tuned[seen])).mean()
    assert larger.difference.value == pytest.approx(expected, abs=1e-5)
    assert alone.difference.value == larger.difference.value  # a larger toy is no better
    [page] = from_records(toys.store.all(), LABOR_LLM)
    assert in_folder(Folder(toys.store), LABOR_LLM) == [page]
    told = [(v.claim, v.verdict, [c.difference for c in v.comparisons]) for v in page.verdicts]
    assert told == [(v.claim, v.verdict, [c.difference for c in v.comparisons]) for v in made.values()]
    assert [s.known for s in steps(chosen(LABOR_LLM, []), asked, toys) if s.run is not None] == [True] * 15


class Restless(Talker):
    """A talker whose margin moves with the seed."""

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        super().fit(train, valid, context)
        self.margin = self.margin * np.random.default_rng(context.seed).uniform(0.8, 1.2, len(self.margin))
        self.margin /= self.margin.sum()


def test_claims_are_judged_over_seeds_and_persons_together(toys: Workshop, four_persons: Panel) -> None:
    models = dict(toys.registry.models) | {
        "llm-lora": entry_of(Restless, name="llm-lora", params=TalkerParams, multi_panel=True)
    }
    restless = replace(toys, registry=replace(toys.registry, models=models))
    asked = request(crowd(four_persons, 5))
    asked = replace(asked, request=asked.request.model_copy(update={"seeds": 3}))
    some = chosen(LABOR_LLM, ["next-occupation", "words"])
    plan = steps(some, asked, restless)
    assert not any(step.known for step in plan)
    found = gathered(carry_out(plan, restless, 3))
    tuned, markov = found["tuned", "next_occ"], found["markov", "next_occ"]
    assert [record.configuration.seed for record in tuned if not isinstance(record, str)] == [0, 1, 2]
    assert len(markov) == 2  # the second seed told that none changes anything
    assert all(step.known for step in steps(some, asked, restless) if step.run is not None)
    made = {claim.name: judge(claim, found) for claim in some}
    assert made["words"].seeds == made["words"].comparisons[0].seeds == 3
    [against] = [c for c in made["next-occupation"].comparisons if c.arm == "markov"]
    levels = [
        [np.log(r.figures["perplexity"] or 0) for r in records if not isinstance(r, str)] for records in (markov, tuned)
    ]
    assert against.difference is not None
    assert against.difference.value == pytest.approx(np.mean(levels[0]) - np.mean(levels[1]), abs=1e-5)
    [page] = in_folder(Folder(restless.store), LABOR_LLM)
    told = {verdict.claim: verdict for verdict in page.verdicts}
    assert told["words"] == made["words"]
    assert [c for c in told["next-occupation"].comparisons if c.arm == "markov"] == [against]
    texts = {path.name: text for path, text in files([page], Path("boards")).items()}
    assert "3 seeds from 0 on" in texts["claims.md"]
    assert "one seed was run" not in texts["claims.md"]
    assert json.loads(texts["claims.json"])["seeds"] == 3


def test_a_missing_library_is_told_and_costs_no_other(toys: Workshop, four_persons: Panel) -> None:
    made = verdicts(request(four_persons), toys, "switching", "words", "more-data")
    [event] = [c for c in made["switching"].comparisons if c.arm == "gbm-switch"]
    assert event.missing == "model 'gbm-switch' needs no_such_library, which is not installed: get it"
    assert made["more-data"].verdict == UNTESTED
    assert "--train-also" in made["more-data"].reason
    [resumes] = [c for c in made["switching"].comparisons if c.arm == "career-pretrained"]
    assert resumes.missing is not None
    assert "--pretrain" in resumes.missing
    assert made["words"].comparisons[0].outcome != "not run"


def test_a_run_that_fails_leaves_its_claims_untested(
    toys: Workshop, four_persons: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Broken, "error", RunError("out of memory"))
    made = verdicts(request(four_persons, resumes=other_panel(four_persons)), toys, "switching")
    comparisons = {c.arm: c for c in made["switching"].comparisons}
    assert comparisons["career"].missing is not None
    assert "out of memory" in comparisons["career"].missing
    assert comparisons["markov"].record is not None


def test_what_was_interrupted_goes_on(toys: Workshop, four_persons: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(four_persons, resumes=other_panel(four_persons))
    monkeypatch.setattr(Broken, "error", KeyboardInterrupt())
    monkeypatch.setattr(Frequencies, "fits", 0)
    with pytest.raises(KeyboardInterrupt):
        verdicts(asked, toys, "next-occupation")
    before = {record.id for record in toys.store.all()}
    assert len(before) == Frequencies.fits == 6  # the prior models before CAREER
    monkeypatch.setattr(Broken, "error", None)
    made = verdicts(asked, toys, "next-occupation")
    assert before < {record.id for record in toys.store.all()}
    assert Frequencies.fits == 7  # and the boosted trees after it; none was fitted twice
    assert {c.outcome for c in made["next-occupation"].comparisons if c.decides} == {"not told apart"}


def test_a_task_of_which_nobody_is_at_risk_is_not_tested(toys: Workshop, four_persons: Panel) -> None:
    never_at_work = replace(four_persons, state=np.where(np.arange(13) < 8, four_persons.state, 3))
    made = verdicts(request(never_at_work), toys, "next-occupation", "labor-force")
    assert made["labor-force"].verdict == UNTESTED
    assert "none of its test transitions is at risk" in made["labor-force"].reason
    assert {c.arm for c in made["next-occupation"].comparisons if c.outcome == "not run"} == {"career-pretrained"}


def test_the_larger_base_is_named_or_half_as_deep_again(toys: Workshop, four_persons: Panel) -> None:
    def larger(**changes: Any) -> Any:
        [step] = [
            s
            for s in steps(chosen(LABOR_LLM, ["more-data"]), request(four_persons, **changes), toys)
            if s.arm.name == "larger"
        ]
        return step

    assert larger().run.params.base_layers == 2
    assert larger(settings={"llm-lora": {"base_layers": "3"}}).run.params.base_layers == 5
    assert larger(larger={"base": "ORG/LARGE"}).run.params.base == "ORG/LARGE"
    named = larger(settings={"llm-lora": {"base": "ORG/SMALL"}})
    assert named.run is None
    assert "--larger" in named.why_not["next_occ"]


@pytest.mark.parametrize(
    ("settings", "larger", "message"),
    [
        ({"tuning": "none"}, {}, "claims compare the model with and without"),
        ({"titles": "codes"}, {}, "claims compare"),
        ({"shots": "2"}, {}, "claims compare"),
        ({}, {"weight": "2"}, "it changes the base"),
        ({"weihgt": "2"}, {}, "did you mean 'weight'"),
        ({}, {"base_layers": "0"}, "base_layers=0"),
    ],
)
def test_settings_that_unmake_the_arms_are_refused(
    toys: Workshop, settings: dict[str, str], larger: dict[str, str], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        require_arms(LABOR_LLM, Settings({"llm-lora": settings}), larger, toys.registry)


def test_settings_of_prior_models_and_tasks_are_checked_before_any_run(toys: Workshop) -> None:
    require_arms(LABOR_LLM, Settings({"mnl": {"weight": "2"}}), {}, toys.registry)
    with pytest.raises(RequestError, match="'mnl' has no parameter 'wait'"):
        require_arms(LABOR_LLM, Settings({"mnl": {"wait": "2"}}), {}, toys.registry)
    with pytest.raises(RequestError, match=r"task\.entry"):
        require_arms(LABOR_LLM, Settings(task={"entry": "true"}), {}, toys.registry)


def test_a_device_that_cannot_be_used_stops_all(toys: Workshop, four_persons: Panel) -> None:
    models = {**toys.registry.models, "mnl": entry_of(Frequencies, name="mnl", needs=("torch",))}
    elsewhere = replace(toys, registry=replace(toys.registry, models=models))
    with pytest.raises(RequestError, match="device 'cuda:99' cannot be used"):
        steps(chosen(LABOR_LLM, ["switching"]), request(four_persons, device="cuda:99"), elsewhere)


def test_a_claim_by_a_wrong_name() -> None:
    with pytest.raises(RequestError, match="did you mean 'words'"):
        chosen(LABOR_LLM, ["word"])
