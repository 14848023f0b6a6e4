"""``harness claims``: what each claim compares, the verdicts that differences give, and the same from records alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import run_all, run_on

from harness.claims.found import Page, from_records
from harness.claims.verdict import CONTRADICTED, SUPPORTED, UNCLEAR, UNTESTED, Found, judge
from harness.errors import RequestError
from harness.model.paper import Claim
from harness.panel.careers import Panel
from harness.plugins.labor_llm import CLAIMS, LABOR_LLM, LABOR_LLM_TOKENS, PRIOR
from harness.records.record import Record
from harness.registry import Registry
from harness.render.claims import files
from harness.runs.execute import Workshop

PERSONS = 400
BY_NAME = {claim.name: claim for claim in CLAIMS}


@pytest.fixture
def template(workshop: Workshop, registry: Registry, four_persons: Panel) -> Record:
    """A record like any other, for tests that write their own figures into it."""
    return run_all(run_on(registry, four_persons), workshop)[0]


def record(template: Record, gaps: Sequence[float], task: str = "next_occ", **changes: Any) -> Record:
    """A record of persons with one transition each, whose log-likelihoods are these less 5."""
    given = changes.pop("parameters", {})
    parameters = {"tuning": "lora", "titles": "words", "shots": 0, "base_layers": 2} | given
    facts = {"parameters": changes.pop("size", 1000)} | changes.pop("facts", {})
    asked = {"model": "llm-lora", "task": task, "parameters": parameters, "changed": given} | changes
    configuration = template.configuration.model_copy(update=asked)
    columns = {
        "ids": [str(i) for i in range(len(gaps))],
        "transitions": [1] * len(gaps),
        "log_likelihood": [gap - 5.0 for gap in gaps],
    }
    evidence = template.evidence.model_copy(update=columns)
    update = {"id": configuration.id(), "configuration": configuration, "evidence": evidence, "facts": facts}
    return template.model_copy(update=update)


def level(gap: float) -> list[float]:
    return [gap] * PERSONS


def noisy(mean: float, seed: int = 0) -> list[float]:
    """Of this mean, and a standard error of .05: half of 400 persons one above it, half one below."""
    signs = np.random.default_rng(seed).permutation(np.repeat([-1.0, 1.0], PERSONS // 2))
    return [float(value) for value in mean + signs]


def of(claim: str, template: Record, ours: Record | str, *others: Record | str) -> tuple[Claim, Found]:
    """A claim and what was found of its arms, in the order they are compared; the last stands for all further ones."""
    asked = BY_NAME[claim]
    rest = [*others, *[others[-1]] * (len(asked.against) - len(others))]
    arms = [asked.ours, *(other.arm for other in asked.against)]
    seeds = [one if isinstance(one, str) else (one,) for one in (ours, *rest)]
    return asked, {(arm.name, asked.task): found for arm, found in zip(arms, seeds, strict=True)}


def test_a_claim_on_all_needs_every_one(template: Record) -> None:
    ours, weak = record(template, level(0.1)), record(template, level(0.0), model="markov")
    verdict = judge(*of("next-occupation", template, ours, weak))
    assert verdict.verdict == SUPPORTED
    for comparison in verdict.comparisons:
        assert comparison.difference is not None
        assert comparison.difference.value == pytest.approx(0.1, abs=1e-12)
        assert comparison.outcome == "better"
    equal = record(template, noisy(0.1), model="mnl")
    verdict = judge(*of("next-occupation", template, ours, weak, equal, weak))
    assert verdict.verdict == UNCLEAR
    assert verdict.reason == "not better, by more than chance, than mnl"
    assert [c.outcome for c in verdict.comparisons][:3] == ["better", "not told apart", "better"]
    strong = record(template, level(0.3), model="career")
    verdict = judge(*of("next-occupation", template, ours, weak, equal, strong, weak))
    assert verdict.verdict == CONTRADICTED
    assert verdict.reason == "worse than career"
    assert verdict.comparisons[2].difference is not None
    assert verdict.comparisons[2].difference.value == pytest.approx(-0.2, abs=1e-12)


def test_one_slightly_worse_of_many_contradicts_nothing(template: Record) -> None:
    """z = 2.3 is below 0.05 alone (p = 0.02); the largest of nine such z, of independent noise, often is above it."""
    ours, ahead = record(template, level(0)), record(template, noisy(0.115), model="ahead")
    others = [record(template, noisy(0, seed), model="same") for seed in range(1, 9)]
    verdict = judge(*of("next-occupation", template, ours, ahead, *others))
    first = verdict.comparisons[0]
    assert first.outcome == "worse"
    assert first.difference is not None
    assert first.difference.p == pytest.approx(0.0214, abs=0.015)
    assert first.difference.p_adjusted is not None
    assert 0.1 < first.difference.p_adjusted < 0.3  # 1 - (1 - p)**9 is 0.18
    assert verdict.verdict == UNCLEAR
    alone = judge(*of("words", template, ours, ahead))
    assert alone.verdict == CONTRADICTED  # the only comparison of its claim


def test_what_harness_adds_decides_nothing(template: Record) -> None:
    ours, weak = record(template, level(0.1)), record(template, level(0.0), model="markov")
    claim, found = of("next-occupation", template, ours, weak)
    trees = record(template, level(0.5), model="gbm")
    verdict = judge(claim, {**found, ("gbm", "next_occ"): (trees,)})
    assert verdict.verdict == SUPPORTED
    [added] = [c for c in verdict.comparisons if not c.decides]
    assert (added.label, added.outcome) == ("gbm", "worse")


def test_a_missing_run_leaves_a_claim_untested_or_contradicted(template: Record) -> None:
    ours, weak = record(template, level(0.1)), record(template, level(0.0), model="markov")
    absent = "model 'mnl' needs statsmodels"
    verdict = judge(*of("next-occupation", template, ours, weak, absent, weak))
    assert verdict.verdict == UNTESTED
    assert absent in verdict.reason
    strong = record(template, level(0.3), model="career")
    assert judge(*of("next-occupation", template, ours, absent, strong)).verdict == CONTRADICTED
    verdict = judge(*of("next-occupation", template, "it failed", weak))
    assert (verdict.verdict, verdict.record) == (UNTESTED, None)
    assert "it failed" in verdict.reason
    assert {c.outcome for c in verdict.comparisons} == {"not run"}


def test_a_larger_base_must_be_larger(template: Record) -> None:
    ours = record(template, level(0.2), size=1000)
    tuned = record(template, level(0.1), size=1000)
    for size, expected in ((2000, SUPPORTED), (1000, UNTESTED), (None, UNTESTED)):
        larger = record(template, level(0.0), size=size)
        assert judge(*of("more-data", template, ours, larger, tuned)).verdict == expected


def test_data_for_size_says_little_where_size_gains_nothing(template: Record) -> None:
    ours, tuned = record(template, level(0.4)), record(template, level(0.2))
    better, worse = (record(template, level(gap), size=2000) for gap in (0.35, 0.1))
    assert "size gains nothing" not in judge(*of("more-data", template, ours, better, tuned)).reason
    verdict = judge(*of("more-data", template, ours, worse, tuned))
    assert verdict.verdict == SUPPORTED
    assert "size gains nothing here" in verdict.reason
    assert "-0.1000 ± 0.0000" in verdict.reason


def test_records_of_other_transitions_are_refused(template: Record) -> None:
    ours, other = record(template, level(0.1)), record(template, level(0.0)[1:])
    with pytest.raises(RequestError, match="do not count the same transitions"):
        judge(*of("words", template, ours, other))


OTHER: dict[str, Any] = {
    "name": "other",
    "fingerprint": "f" * 64,
    "persons": 1,
    "records": 2,
    "states": 3,
    "source": {},
}


def whole(template: Record) -> list[Record]:
    """Records of everything that the claims compare, the language model ahead of all but larger + codes."""
    tasks = ("next_occ", "switch", "lf_exit")
    further = (template.configuration.panel.model_copy(update=OTHER),)
    made = [record(template, level(0.2), task) for task in tasks]
    for arm in PRIOR:
        changes: dict[str, Any] = {
            "model": arm.model,
            "parameters": {},
            "pretrain": further[0] if arm.pretrained else None,
        }
        made += [record(template, level(0.0), task, **changes) for task in tasks if not arm.only or task in arm.only]
    arms: tuple[tuple[float, dict[str, Any]], ...] = (
        (-1.0, {"parameters": {"tuning": "none"}}),
        (-0.5, {"parameters": {"tuning": "none", "shots": 3}}),
        (0.3, {"parameters": {"titles": "codes"}}),
        (0.4, {"train_also": further}),
        (0.35, {"parameters": {"base_layers": 4}, "size": 2000}),
    )
    return made + [record(template, level(gap), **more) for gap, more in arms]


def found_on(page: Page) -> dict[str, str]:
    return {verdict.claim: verdict.verdict for verdict in page.verdicts}


def test_a_page_is_computed_from_records_alone_in_any_order(template: Record, tmp_path: Path) -> None:
    records = whole(template)
    [page] = from_records(records, LABOR_LLM)
    assert found_on(page) == {
        "next-occupation": SUPPORTED,
        "switching": SUPPORTED,
        "labor-force": SUPPORTED,
        "fine-tuning": SUPPORTED,
        "more-data": SUPPORTED,
        "words": CONTRADICTED,
    }
    gaps = {
        c.arm: c.difference.value for v in page.verdicts for c in v.comparisons if c.difference and v.task == "next_occ"
    }
    assert gaps["untuned"] == pytest.approx(1.2)
    assert gaps["shots"] == pytest.approx(0.7)
    assert gaps["larger"] == pytest.approx(0.05)
    assert gaps["tuned"] == pytest.approx(0.2)
    assert gaps["codes"] == pytest.approx(-0.1)
    written = files([page], tmp_path)
    assert set(written) == {tmp_path / "four-persons" / name for name in ("claims.md", "claims.tex", "claims.json")}
    assert files(from_records(records[::-1], LABOR_LLM), tmp_path) == written


def test_names_are_escaped_in_every_form(template: Record, tmp_path: Path) -> None:
    """A panel and a parameter may be called anything."""
    panel = template.configuration.panel.model_copy(update={"name": "a|b <img src=x> $x_1$"})
    asked: dict[str, Any] = {"panel": panel, "changed": {"base": "up/<b>|100%_"}}
    made = files(
        from_records(
            [record(template, level(0.1), **asked), record(template, level(0), model="mnl", panel=panel)], LABOR_LLM
        ),
        tmp_path,
    )
    texts = {path.suffix: text for path, text in made.items()}
    assert "<img" not in texts[".md"]
    assert "<b>" not in texts[".md"]
    assert all(line.count(" | ") in (0, 2, 6) for line in texts[".md"].splitlines())
    assert r"\$x\_1\$" in texts[".tex"]
    assert r"100\%\_" in texts[".tex"]
    assert json.loads(texts[".json"])["panel"]["name"] == panel.name


def test_what_differs_in_more_than_an_arm_does_is_no_arm(template: Record) -> None:
    """Codes with another history, a larger base tuned otherwise, another seed, panel or task: none tests the claim."""
    further = (template.configuration.panel.model_copy(update=OTHER),)
    strays = [
        record(template, level(9), parameters={"titles": "codes", "history": 3}),
        record(template, level(9), parameters={"titles": "codes"}, seed=1),
        record(template, level(9), parameters={"titles": "codes"}, panel=further[0]),
        record(template, level(9), parameters={"titles": "codes"}, task="switch"),
        record(template, level(9), parameters={"base_layers": 4, "rank": 8}, size=2000),
        record(template, level(9), parameters={"base_layers": 1}, size=500),
        record(template, level(9), parameters={"tuning": "none", "shots": 3, "history": 3}),
        record(template, level(9), parameters={"titles": "codes"}, train_also=further),
        record(template, level(9), parameters={"titles": "codes"}, train_persons=1),
        record(template, level(9), model="gbm", parameters={}, facts={"submitted": True}),
    ]
    tuned, prior = record(template, level(0.2)), record(template, level(0.0), model="mnl", parameters={})
    [page] = from_records([tuned, prior, *strays], LABOR_LLM)
    arms = {c.arm for v in page.verdicts for c in v.comparisons if c.outcome != "not run"}
    assert arms == {"mnl"}
    assert set(found_on(page).values()) == {UNTESTED}


def test_most_arms_then_the_newest_choose_the_model(template: Record) -> None:
    def at(hour: int, made: Record) -> Record:
        when = made.measured.finished.replace(year=2030, hour=hour)
        return made.model_copy(update={"measured": made.measured.model_copy(update={"finished": when})})

    def both(hour: int, rank: int) -> list[Record]:
        asked: dict[str, Any] = {"parameters": {"rank": rank}}
        codes: dict[str, Any] = {"parameters": {"rank": rank, "titles": "codes"}}
        return [at(hour, record(template, level(rank / 10), **asked)), at(hour, record(template, level(0.0), **codes))]

    old, new, alone = both(1, 1), both(2, 2), at(3, record(template, level(0.7), parameters={"rank": 7}))
    [page] = from_records([*new, alone, *old], LABOR_LLM)
    words = page.verdicts[-1]
    assert words.record == new[0].id
    assert words.comparisons[0].difference is not None
    assert words.comparisons[0].difference.value == pytest.approx(0.2)
    again = at(4, new[1].model_copy(update={"evidence": record(template, level(0.1)).evidence}))
    older = new[1].model_copy(update={"configuration": new[1].configuration.model_copy(update={"task_version": 0})})
    [page] = from_records(
        [again, *new, at(5, older)], LABOR_LLM
    )  # the newer record of the same request, on the same task
    gap = page.verdicts[-1].comparisons[0].difference
    assert gap is not None
    assert gap.value == pytest.approx(0.1)


def test_a_prior_model_is_the_one_with_its_defaults(template: Record) -> None:
    plain = record(template, level(0.0), model="mnl", parameters={})
    changed = record(template, level(0.1), model="mnl", parameters={"stages": "one"}, changed={"stages": "one"})
    tuned = record(template, level(0.2))
    for records in ([tuned, plain, changed], [changed, plain, tuned]):
        [page] = from_records(records, LABOR_LLM)
        assert [c.record for c in page.verdicts[0].comparisons if c.arm == "mnl"] == [plain.id]
    [page] = from_records([tuned, changed], LABOR_LLM)
    assert [c.record for c in page.verdicts[0].comparisons if c.arm == "mnl"] == [changed.id]


def test_a_panel_without_anything_to_compare_has_no_page(template: Record) -> None:
    assert from_records([], LABOR_LLM) == []
    assert from_records([record(template, level(0.0), model="mnl")], LABOR_LLM) == []
    assert from_records([record(template, level(0.0))], LABOR_LLM) == []


def test_titles_as_tokens_have_a_page_of_their_own(template: Record, tmp_path: Path) -> None:
    """Real weights and words ahead of random ones and of codes; records of the other model are no arms of it."""

    def tokens(gap: float, **parameters: str) -> Record:
        return record(template, level(gap), model="llm-titles", parameters={"weights": "trained"} | parameters)

    made = [tokens(0.2, start="words"), tokens(0.3, start="words", titles="codes")]
    made.append(tokens(0.1, start="random", weights="random"))
    made += [record(template, level(0.0), model=arm.model, parameters={}) for arm in PRIOR if not arm.pretrained]
    made.append(record(template, level(9.0), parameters={"titles": "codes"}))
    [page] = from_records(made, LABOR_LLM_TOKENS)
    assert found_on(page) == {
        "next-occupation": UNTESTED,  # nobody pre-trained CAREER
        "switching": UNTESTED,
        "labor-force": UNTESTED,
        "words": CONTRADICTED,
        "pre-training": SUPPORTED,
    }
    gaps = {c.arm: c.difference.value for v in page.verdicts for c in v.comparisons if c.difference is not None}
    assert (gaps["codes"], gaps["random"], gaps["mnl"]) == pytest.approx((-0.1, 0.1, 0.2))
    assert {path.stem for path in files([page], tmp_path)} == {"claims-tokens"}
