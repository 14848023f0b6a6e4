"""Careers at the edges: titles that nobody had, more records than the context holds, gaps, and a single record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.model.contract import Context
from harness.model.scoring import score, unseen
from harness.panel.careers import Panel
from harness.plugins.llm import harness_models
from harness.plugins.llm.params import LlmParams
from harness.plugins.llm.specs import build
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.resume import written_resume
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning.loss import examples
from harness.records.store import Store
from harness.registry import load_registry
from harness.runs.execute import Workshop, execute
from harness.runs.run import Run


class Plain:
    """The same base, asked for the plain chain rule over a text that is tokenised at once."""

    def __init__(self, folder: Path) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder).train(False)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def log_prob(self, history: str, title: str) -> float:
        before, event = [self.tokenizer.bos_token_id, *self.ids(history)], self.ids(f" {title}\n")
        with torch.no_grad():
            said = self.model(input_ids=torch.tensor([before + event])).logits[0].double().log_softmax(-1)
        return sum(float(said[len(before) - 1 + i, token]) for i, token in enumerate(event))


@pytest.fixture(scope="module")
def plain(toy_llama: Path) -> Plain:
    return Plain(toy_llama)


def untuned(toy_llama: Path, panel: Panel, scratch: Path, **given: Any) -> Any:
    model = build(LlmParams(base=str(toy_llama), tuning="none", **given))
    model.fit(panel.part("train"), panel.part("valid"), Context(seed=0, scratch=scratch, cache=scratch))
    return model


def observed(model: Any, panel: Panel, targets: np.ndarray) -> np.ndarray:
    return np.asarray(model.log_prob(panel, targets, panel.state[targets].astype(np.int64)[:, None])[:, 0])


def test_a_title_seen_in_no_career_is_possible(
    toy_llama: Path, plain: Plain, four_persons: Panel, tmp_path: Path
) -> None:
    """In words, in an alphabet and in an emoji that neither a career nor the base's tokenizer knows."""
    for title in ("Lighthouse keepers", "Смотритель маяка", "🏮 keepers"):
        occupations = replace(four_persons.occupations, titles=(*four_persons.occupations.titles[:2], title, "Out"))
        panel = replace(
            four_persons, occupations=occupations, state=np.where(four_persons.state == 2, 1, four_persons.state)
        )
        assert not (panel.state == 2).any()
        test = panel.part("test")
        said = untuned(toy_llama, panel, tmp_path).log_prob(test, np.array([1]), np.array([[2]]))
        history = "".join(written_resume(test, 0).splitlines(keepends=True)[:2]) + "2001:"
        assert said[0, 0] == pytest.approx(plain.log_prob(history, title), abs=1e-4)
        assert np.exp(said[0, 0].astype(np.float64)) > 0


def test_a_year_without_a_record_has_no_line(
    toy_llama: Path, plain: Plain, four_persons: Panel, tmp_path: Path
) -> None:
    test = four_persons.part("test")
    history = (
        "gender: male; birth year: 1981\n2000: Registered nurses\n2001: Registered nurses\n"
        "2002: Out of the labor force\n2004:"
    )
    said = observed(untuned(toy_llama, four_persons, tmp_path), test, np.array([3]))
    assert said[0] == pytest.approx(plain.log_prob(history, "Out of the labor force"), abs=1e-4)
    filled = history.replace("2004:", "2003: Out of the labor force\n2004:")
    assert abs(said[0] - plain.log_prob(filled, "Out of the labor force")) > 1e-3


def test_the_oldest_records_go_first_and_are_counted(
    toy_llama: Path, plain: Plain, four_persons: Panel, tmp_path: Path
) -> None:
    """A context that holds d's header and the last two records before the last transition, and no token more."""
    panel = replace(four_persons, split=np.array([0, 2, 1, 2]))
    test = panel.part("test")
    header, *lines = written_resume(test, 1).splitlines(keepends=True)
    kept = header + "".join(lines[2:4]) + "2005:"
    longest = max(len(plain.ids(f" {title}\n")) for title in panel.occupations.titles)
    context = 1 + len(plain.ids(kept)) + longest
    model = untuned(toy_llama, panel, tmp_path, max_context=context)
    last = test.n_records - 1
    assert observed(model, test, np.array([last]))[0] == pytest.approx(plain.log_prob(kept, "Office clerks"), abs=1e-4)
    missing = [oldest_kept(plain, test, target, context - longest) for target in test.transitions.tolist()]
    assert missing[-1] == 2
    assert 0 in missing
    assert model.unseen(test, test.transitions).tolist() == missing
    spec = harness_models()[0]
    assert unseen(spec, model, load_registry().task("next_occ"), test) == {
        "records_unseen": max(missing[:2]) + max(missing[2:]),
        "transitions_cut_short": sum(n > 0 for n in missing),
    }


def oldest_kept(plain: Plain, panel: Panel, target: int, room: int) -> int:
    """The number of lines that must go, so that the rest, the header and the target's line head have room."""
    person = int(panel.person[target])
    header, *lines = written_resume(panel, person).splitlines(keepends=True)
    end = target - int(panel.offsets[person])
    head = lines[end][: len("2005:")]
    needs = [1 + len(plain.ids(header + "".join(lines[first:end]) + head)) for first in range(end + 1)]
    return next(first for first, need in enumerate(needs) if need <= room)


def test_a_record_of_a_run_says_what_was_not_seen(toy_llama: Path, four_persons: Panel, tmp_path: Path) -> None:
    registry = load_registry()
    workshop = Workshop(registry=registry, store=Store(tmp_path / "results"), cache=tmp_path / "cache")
    facts = {}
    for context in (40, None):
        params = LlmParams(base=str(toy_llama), tuning="none", max_context=context, demographics=False)
        run = Run(
            model=registry.model("llm-lora"), params=params, tasks=(registry.task("next_occ"),), panel=four_persons
        )
        [record] = execute(run, workshop)
        facts[context] = record.facts
    assert facts[40]["records_unseen"] > 0
    assert facts[40]["transitions_cut_short"] > 0
    assert facts[None]["records_unseen"] == facts[None]["transitions_cut_short"] == 0
    short = LlmParams(base=str(toy_llama), tuning="none", history=1)
    [record] = execute(replace(run, params=short), workshop)
    assert record.facts["records_unseen"] == 0  # left out at the user's wish


def test_a_single_record_is_trained_on_and_scored_as_entry(
    toy_llama: Path, plain: Plain, four_persons: Panel, tmp_path: Path
) -> None:
    """a, b and c as they are, d's first record alone, and e's (train), which no other career has."""
    career = np.array([*range(8), 8, 12])
    panel = replace(
        four_persons,
        persons=np.array(["a", "b", "c", "d", "e"]),
        offsets=np.array([0, 3, 6, 8, 9, 10]),
        year=four_persons.year[career],
        state=np.array([0, 0, 1, 1, 3, 1, 2, 1, 0, 2]),
        split=np.array([0, 0, 1, 2, 0]),
        covariates={},
    )
    train = panel.part("train")
    of = examples(Resumes(train, PieceEncoder(plain.tokenizer), 1024), "titles")
    assert len(of) == 3
    start, stop = of.tokens.offsets[2:]
    assert plain.tokenizer.decode(of.tokens.ids[start:stop]) == "<s>2005: Unemployed\n"
    assert plain.tokenizer.decode(of.tokens.ids[start:stop][of.counts[start:stop]]) == " Unemployed\n"
    model, test = untuned(toy_llama, panel, tmp_path), panel.part("test")
    spec = harness_models()[0]
    task = load_registry().task("next_occ")
    assert len(task.transitions(test)) == 0
    scores = score(spec, model, task.with_entry(True), test)
    assert scores.log_prob.tolist() == [pytest.approx(plain.log_prob("2000:", "Registered nurses"), abs=1e-4)]
