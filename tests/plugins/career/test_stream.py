"""Pre-training on a corpus: every career once a pass, a window in memory, going on after a kill, nobody held out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import typed
from helpers.toys import run_on

from harness.data.formats.corpus import read_corpus
from harness.data.write import write_panel
from harness.data.write_corpus import parts_of, write_corpus
from harness.errors import RequestError
from harness.features.encoding import Encoding
from harness.model import Context
from harness.panel import Corpus, Covariate, Panel
from harness.plugins.career import stream as streams
from harness.plugins.career.stream import Stream, sample_of
from harness.registry import Registry
from harness.runs.execute import Workshop, execute
from harness.runs.isolation import sandbox

SMALL = {
    "epochs": 1,
    "fewest_steps": 1,
    "layers": 1,
    "width": 8,
    "heads": 1,
    "inner": 8,
    "batch_tokens": 256,
    "pretrain_epochs": 2,
    "checkpoint_seconds": 0,
}


@pytest.fixture(scope="module")
def few(resumes: Panel) -> Panel:
    return resumes.select(np.arange(160))


@pytest.fixture(scope="module")
def corpora(few: Panel, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Corpus]:
    """The corpus of some resumes in so many shards."""
    place = tmp_path_factory.mktemp("corpora")

    def in_shards(shards: int) -> Corpus:
        folder = place / str(shards)
        return read_corpus(folder) if folder.exists() else write_corpus(parts_of(few, shards), shards, folder)

    return in_shards


def fitted(registry: Registry, panel: Panel, resumes: Panel | Corpus, folder: Path) -> dict[str, Any]:
    """The facts of a fit that is pre-trained on these."""
    spec = registry.model("career").item
    model = spec.build(spec.params.model_validate(SMALL))
    (folder / "scratch").mkdir(parents=True, exist_ok=True)
    context = Context(seed=3, scratch=folder / "scratch", cache=folder / "cache", resumes=resumes)
    model.fit(panel.part("train"), panel.part("valid"), context)
    return dict(model.facts())


def counting(corpus: Corpus) -> tuple[Corpus, list[int]]:
    """The corpus, and the numbers of the shards that are read of it, as they are."""
    numbers: list[int] = []

    def read(number: int) -> Panel:
        numbers.append(number)
        return corpus.read(number)

    return replace(corpus, read=read), numbers


def test_a_pass_reads_every_training_career_once(
    few: Panel, corpora: Callable[[int], Corpus], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "WINDOW", 300)
    corpus = corpora(16)
    counted, read = counting(corpus)
    stream = Stream(counted, Encoding([]), seed=0)
    assert stream.windows == 8
    passes = []
    for first in (0, stream.windows):
        seen: list[str] = []
        for number in range(first, first + stream.windows):
            panel = stream.careers(number)
            stream.read_ahead(number + 1)
            assert len(stream.shards_of(number)) == 2
            assert panel.n_records < 2 * 300
            seen += panel.persons.tolist()
        passes.append(seen)
    stream.close()
    assert sorted(passes[0]) == sorted(passes[1]) == sorted(few.part("train").persons.tolist())
    assert passes[0] != passes[1]
    assert sorted(read[:16]) == list(range(16))


def test_a_corpus_of_one_shard_teaches_what_the_panel_does(
    registry: Registry, market_30: Panel, few: Panel, corpora: Callable[[int], Corpus], tmp_path: Path
) -> None:
    of_panel = fitted(registry, market_30, few, tmp_path / "panel")
    of_corpus = fitted(registry, market_30, corpora(1), tmp_path / "corpus")
    for fact in ("pretraining_loss", "validation_loss", "states_matched", "parameters_trained"):
        assert of_corpus[fact] == of_panel[fact], fact


def test_a_pass_that_was_killed_goes_on_to_the_same_base(
    registry: Registry,
    market_30: Panel,
    corpora: Callable[[int], Corpus],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Several windows a pass: a window is validated, and the base's curve has the ends of the passes."""
    monkeypatch.setattr(streams, "WINDOW", 600)
    corpus = corpora(8)
    whole = fitted(registry, market_30, corpus, tmp_path / "whole")
    assert len(whole["pretraining_loss"]) == 3
    assert whole["pretraining_loss"][-1] < whole["pretraining_loss"][0]
    reads = 0

    def killed(number: int) -> Panel:
        nonlocal reads
        reads += 1
        if reads == 8 + 5:  # the sample, then shards of the third window
            raise KeyboardInterrupt
        return corpus.read(number)

    with pytest.raises(KeyboardInterrupt):
        fitted(registry, market_30, replace(corpus, read=killed), tmp_path / "killed")
    assert any((tmp_path / "killed").rglob("*.safetensors")), "a checkpoint is left"
    again = fitted(registry, market_30, corpus, tmp_path / "killed")
    assert again["pretraining_loss"] == whole["pretraining_loss"]
    assert again["validation_loss"] == whole["validation_loss"]


def test_a_sample_is_of_shards_from_all_over(corpora: Callable[[int], Corpus], monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = corpora(16)
    monkeypatch.setattr(streams, "SAMPLE", corpus.n_records // 4)
    counted, read = counting(corpus)
    monkeypatch.setattr(streams, "WATCHED", 40)
    careers, watched = sample_of(counted, Context(seed=0, scratch=Path(), cache=Path()))
    assert read == [0, 5, 10, 15]
    assert 0 < careers.n_records < corpus.n_records / 3
    assert len(watched.transitions) <= 40
    assert set(careers.split) | set(watched.split) == {0, 1}


def test_careers_that_are_held_out_are_refused_in_the_shard_that_has_them(
    registry: Registry, workshop: Workshop, market_30: Panel, few: Panel, tmp_path: Path
) -> None:
    test = market_30.part("test").select(np.arange(1))
    plain = {name: market_30.covariates[name] for name in few.covariates}
    leaked = replace(test, covariates={name: test.covariates[name] for name in plain}, split=np.zeros(1, dtype=np.int8))
    corpus = write_corpus([few, leaked].__getitem__, 2, tmp_path / "leaking")
    entry = registry.model("career")
    run = run_on(registry, market_30, entry=entry, params=entry.item.params.model_validate(SMALL), resumes=corpus)
    with pytest.raises(RequestError, match=f"--pretrain: 'leaking' trains on person {test.persons[0]}"):
        list(execute(run, workshop))


def test_a_record_names_the_corpus(
    registry: Registry, workshop: Workshop, market_30: Panel, corpora: Callable[[int], Corpus]
) -> None:
    corpus = corpora(8)
    entry = registry.model("career")
    run = run_on(registry, market_30, entry=entry, params=entry.item.params.model_validate(SMALL), resumes=corpus)
    [record] = list(execute(run, workshop))
    told = record.configuration.pretrain
    assert told is not None
    assert (told.name, told.fingerprint, told.persons, told.records) == (
        "8",
        corpus.fingerprint(),
        corpus.n_persons,
        corpus.n_records,
    )


@pytest.mark.slow
@pytest.mark.parametrize("weights", [None, "pull"])
def test_an_isolated_model_is_sent_the_shards(
    weights: str | None, market_30: Panel, few: Panel, tmp_path: Path
) -> None:
    """The same record as in this process: it learned from the same windows, with the same weights."""
    if not sandbox.is_known():
        pytest.skip("needs a kernel with Landlock")
    write_panel(pulled(market_30), tmp_path / "panel")
    write_corpus(parts_of(pulled(few), 3), 3, tmp_path / "corpus")
    line = ["run", "--task", "switch", "--model", "markov-regression", "--data", "panel", "--pretrain", "corpus"]
    line += ["--json", *(["--weights", weights] if weights else [])]
    for name in ("epochs", "fewest_steps", "pretrain_epochs"):
        line += ["--set", f"{name}=1"]
    found = []
    for further in (["--records", "one"], ["--records", "two", "--isolated"]):
        done = typed(tmp_path, *line, *further, HARNESS_CACHE=str(tmp_path / further[1]))
        assert done.returncode == 0, done.stderr
        [record] = json.loads(done.stdout)
        found.append((record["figures"], record["facts"]["pretraining"], record["facts"]["pretraining_loss"]))
    assert found[0] == found[1]


def pulled(panel: Panel) -> Panel:
    """With a column of what records may count for."""
    pull = Covariate("numeric", 1.0 + panel.year % 3)
    return replace(panel, covariates={**panel.covariates, "pull": pull})
