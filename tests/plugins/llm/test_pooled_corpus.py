"""``--train-also CORPUS`` with llm-lora: windows of shards, and how much of them is in memory."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.commands import typed
from helpers.panels import open_once
from helpers.toys import SMALLEST

from harness.data.write import write_panel
from harness.data.write_corpus import parts_of, write_corpus
from harness.model.contract import Context
from harness.panel import Corpus, Panel
from harness.panel.pooling import pool
from harness.plugins.llm.params import LlmParams
from harness.plugins.llm.specs import build
from harness.plugins.llm.text.loader import load_tokenizer
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning import streamed
from harness.plugins.llm.tuning.loss import Examples
from harness.plugins.llm.tuning.streamed import CorpusResumes, StreamedResumes
from harness.runs.isolation import sandbox
from harness.system.progress import Silent
from harness.training import loop, step
from harness.training.exchange import Exchange

TINY: dict[str, Any] = SMALLEST | {"epochs": 2, "min_gain": 0.0}


@pytest.fixture(scope="module")
def far(market_60: Panel) -> Panel:
    return replace(market_60, name="far", persons=np.char.add("far-", market_60.persons)).in_order()


@pytest.fixture(scope="module")
def corpus(far: Panel, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Far, in three shards."""
    return write_corpus(parts_of(far, 3), 3, tmp_path_factory.mktemp("corpora") / "far")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def windows(far: Panel, monkeypatch: pytest.MonkeyPatch) -> int:
    """The most training records of a window. There are as many as shards."""
    monkeypatch.setattr(streamed, "WINDOW", 1)
    return max(part.part("train").n_records for part in map(parts_of(far, 3), range(3)))


def fit(
    market: Panel, also: Panel | Corpus, cache: Path, scratch: Path, **changes: Any
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """(facts, weights by name) of a fit that pools."""
    scratch.mkdir(exist_ok=True)
    model: Any = build(LlmParams(**(TINY | changes)))
    context = Context(seed=3, scratch=scratch, cache=cache, open_panel=open_once, also=pool(market, [also]))
    model.fit(market.part("train"), market.part("valid"), context)
    return model.facts(), {name: p.detach().clone() for name, p in model._model.named_parameters()}


@pytest.fixture(scope="module")
def of_panel(
    market_30: Panel, far: Panel, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The fit that pools far as a panel; the base is in the cache from then on."""
    return fit(market_30, far, cache, tmp_path_factory.mktemp("panel"))


def test_a_corpus_of_one_window_teaches_what_its_panel_does(
    market_30: Panel,
    far: Panel,
    corpus: Corpus,
    of_panel: tuple[dict[str, Any], dict[str, torch.Tensor]],
    cache: Path,
    tmp_path: Path,
) -> None:
    of_corpus = fit(market_30, corpus, cache, tmp_path / "corpus")
    assert of_corpus[0] == of_panel[0]
    assert of_corpus[0]["persons_pooled"] == far.part("train").n_persons
    assert all(torch.equal(value, of_panel[1][name]) for name, value in of_corpus[1].items())


@pytest.mark.slow
def test_windows_teach_the_same_and_a_kill_within_one_changes_nothing(
    market_30: Panel,
    corpus: Corpus,
    of_panel: tuple[dict[str, Any], dict[str, torch.Tensor]],
    cache: Path,
    tmp_path: Path,
    windows: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain, taken = step.take_step, 0

    def fitted(folder: str, stop: int | None = None) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        nonlocal taken
        taken = 0

        def counted(*given: Any, **named: Any) -> float:
            nonlocal taken
            if taken == stop:
                raise KeyboardInterrupt
            taken += 1
            return plain(*given, **named)

        monkeypatch.setattr(loop, "take_step", counted)
        return fit(market_30, corpus, cache, tmp_path / folder)

    whole = fitted("whole")
    steps = taken
    assert steps >= 2 * 3 * 2  # two epochs of three windows of two batches
    stops = (1, steps // 3, steps // 3)  # within windows of both epochs
    for stop in stops:
        with pytest.raises(KeyboardInterrupt):
            fitted("killed", stop)
    again = fitted("killed")
    assert taken == steps - sum(stops)
    assert again[0] == whole[0]
    assert all(torch.equal(value, whole[1][name]) for name, value in again[1].items())
    of_order = ("validation_loss", "best_epoch")  # other batches, of the same careers
    assert {k: v for k, v in whole[0].items() if k not in of_order} == {
        k: v for k, v in of_panel[0].items() if k not in of_order
    }
    assert whole[0]["validation_loss"] != of_panel[0]["validation_loss"]
    np.testing.assert_allclose(whole[0]["validation_loss"], of_panel[0]["validation_loss"], rtol=0.02)
    assert whole[0]["validation_loss"][-1] < whole[0]["validation_loss"][0]


def test_no_more_than_a_window_is_made_at_a_time(
    market_30: Panel, far: Panel, corpus: Corpus, cache: Path, tmp_path: Path, windows: int, live: Callable[[], int]
) -> None:
    """Records of the resumes that are alive: those of a shard, or of the survey, and those held out."""
    survey, held_out = market_30.part("train"), market_30.part("valid")
    fit(market_30, corpus, cache, tmp_path / "fit", epochs=1)
    assert live() <= max(windows, survey.n_records) + held_out.n_records
    assert live() < far.part("train").n_records


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """The most records of resumes that were alive at one time; no window of examples is made beside another."""
    now = most = beside = 0
    plain, plain_epoch = Resumes.__init__, StreamedResumes.epoch

    def freed(records: int, windows: int = 0) -> None:
        nonlocal now, beside
        now, beside = now - records, beside - windows

    def counted(self: Resumes, panel: Panel, *given: Any, **named: Any) -> None:
        nonlocal now, most
        plain(self, panel, *given, **named)
        now += panel.n_records
        most = max(most, now)
        weakref.finalize(self, freed, panel.n_records)

    def epoch(self: StreamedResumes, number: int, strength: float) -> Examples:
        nonlocal beside
        assert beside == 0
        made, beside = plain_epoch(self, number, strength), 1
        weakref.finalize(made, freed, 0, 1)
        return made

    monkeypatch.setattr(Resumes, "__init__", counted)
    monkeypatch.setattr(StreamedResumes, "epoch", epoch)
    return lambda: most


@pytest.mark.parametrize("shares", [(0.0, 0.0), (0.5, 0.2)])
def test_windows_are_every_career_once(
    shares: tuple[float, float], market_30: Panel, corpus: Corpus, toy_llama: Path, windows: int
) -> None:
    """In another order in every epoch, and the same whenever they are asked for."""
    pieces, made = PieceEncoder(load_tokenizer(toy_llama)), []

    def make(panel: Panel) -> Resumes:
        made.append(panel.persons.tolist())
        return Resumes(panel, pieces, 2048)

    [also] = pool(market_30, [corpus])
    assert isinstance(also, Corpus)
    survey = market_30.part("train")
    of = CorpusResumes(sources=(survey, also), make=make, progress=Silent()).exchanged("titles", Exchange(*shares, 4))
    assert of.windows == 3
    epochs = []
    for epoch in range(2):
        made.clear()
        examples = [of.epoch(number, 1.0) for number in range(3 * epoch, 3 * epoch + 3)]
        persons = [person for panel in made for person in panel]
        assert sorted(persons) == sorted([*survey.persons.tolist(), *also.whole().persons.tolist()])
        assert [len(panel) for panel in made[::2]] == pytest.approx([survey.n_persons / 3] * 3, abs=1)
        np.testing.assert_array_equal(of.epoch(3 * epoch + 1, 1.0).tokens.ids, examples[1].tokens.ids)
        epochs.append(persons)
    assert epochs[0] != epochs[1]
    of.close()


@pytest.mark.slow
def test_an_isolated_model_is_sent_the_shards(market_30: Panel, far: Panel, tmp_path: Path) -> None:
    """The same record as in this process."""
    if not sandbox.is_known():
        pytest.skip("needs a kernel with Landlock")
    write_panel(market_30, tmp_path / "panel")
    write_corpus(parts_of(far, 3), 3, tmp_path / "corpus")
    given = TINY | {"pool": "market-resumes", "epochs": 1}
    line = ["run", "--task", "switch", "--model", "llm-lora", "--data", "panel", "--train-also", "corpus", "--json"]
    line += [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    found = []
    for further in (["--records", "one"], ["--records", "two", "--isolated"]):
        done = typed(tmp_path, *line, *further, HARNESS_CACHE=str(tmp_path / further[1]))
        assert done.returncode == 0, done.stderr
        [record] = json.loads(done.stdout)
        found.append((record["figures"], record["facts"]))
    assert found[0] == found[1]
    assert found[0][1]["persons_pooled"] == far.part("train").n_persons
