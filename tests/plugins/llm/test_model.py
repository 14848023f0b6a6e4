"""llm-lora through the contract: fit, save, load, seeds, bases of every origin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.panels import open_once
from helpers.progress import Told
from helpers.tiny_llm import saved_llm

from harness.errors import RequestError
from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.plugins.llm.params import LlmParams
from harness.plugins.llm.specs import build

TINY: dict[str, Any] = {
    "pool": "market",
    "base_layers": 1,
    "base_width": 32,
    "base_heads": 2,
    "base_tokens": 50_000,
    "base_symbols": 0,  # so small a base is better spent on the titles that there are
    "base_loss": "all",  # and so few titles teach it less than all that is written
    "base_batch_tokens": 256,
    "base_learning_rate": 1e-2,
    "batch_tokens": 256,
    "learning_rate": 5e-3,
    "rank": 4,
    "epochs": 4,
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The draws of a step depend on the number of its threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def context(cache: Path, tmp_path: Path, told: Told) -> Context:
    return Context(seed=3, scratch=tmp_path, cache=cache, progress=told, open_panel=open_once)


@pytest.fixture(scope="module")
def fitted(market_60: Panel, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    model = build(LlmParams(**TINY))
    model.fit(
        market_60.part("train"),
        market_60.part("valid"),
        Context(seed=3, scratch=tmp_path_factory.mktemp("s"), cache=cache, open_panel=open_once),
    )
    return model


@pytest.fixture(scope="module")
def gpt2_folder(market_60: Panel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy GPT-2 with random weights and a tokenizer of its own, as save_pretrained writes it."""
    from harness.plugins.llm.base.pretrain import train_tokenizer

    tokenizer = train_tokenizer(market_60, 400, 256)
    return saved_llm(tmp_path_factory.mktemp("gpt2"), "GPT2", tokenizer, context=256, scale=0.02)


def ask(model: Any, panel: Panel) -> np.ndarray:
    """ln P of the observed state, the next two in the list and the last, for 40 records, first ones included."""
    targets = np.arange(40)
    observed = panel.state[targets].astype(np.int64)
    last = np.full(40, panel.n_states - 1)
    states = np.stack([observed, (observed + 1) % panel.n_states, (observed + 2) % panel.n_states, last], axis=1)
    answer: np.ndarray = model.log_prob(panel, targets, states)
    assert answer.dtype == np.float32
    assert answer.shape == (40, 4)
    assert np.isfinite(answer).all()
    assert (answer <= 0).all()
    return answer


def perplexity(model: Any, panel: Panel) -> float:
    targets = panel.transitions
    observed = panel.state[targets].astype(np.int64)[:, None]
    return float(np.exp(-model.log_prob(panel, targets, observed).astype(np.float64).mean()))


def test_tuning_learns_and_says_what_it_started_from(fitted: Any, market_60: Panel) -> None:
    facts = fitted.facts()
    assert facts["base"].startswith("builtin: Llama 1 x 32, pre-trained on market (recipe ")
    assert facts["records_dropped"] == 0
    assert facts["parameters_trained"] > 0
    losses = facts["validation_loss"]
    assert len(losses) == facts["epochs"] + 1
    assert losses[facts["best_epoch"]] == min(losses) < losses[0] - 0.5
    watched = market_60.part("valid")
    assert np.log(perplexity(fitted, watched)) == pytest.approx(min(losses), abs=1e-4)  # the best one was kept
    assert perplexity(fitted, market_60.part("test")) < market_60.n_states


def test_what_is_saved_gives_the_same_answers(fitted: Any, market_60: Panel, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]
    loaded = build(LlmParams(**TINY))
    loaded.load(tmp_path)
    test = market_60.part("test")
    np.testing.assert_allclose(ask(loaded, test), ask(fitted, test), atol=1e-6)
    assert loaded.facts() == fitted.facts()
    again = tmp_path / "again"
    again.mkdir()
    loaded.save(again)
    third = build(LlmParams(**TINY))
    third.load(again)
    np.testing.assert_allclose(ask(third, test), ask(fitted, test), atol=1e-6)


def test_what_is_saved_opens_with_peft_and_transformers_alone(fitted: Any, market_60: Panel, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from harness.training.libraries import silence_libraries

    fitted.save(tmp_path)
    with silence_libraries():
        base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
        model = PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / "base")
    person = market_60.select(np.array([0]))
    year, title = person.year[0], person.occupations.titles[person.state[0]]
    from harness.plugins.llm.text.resume import resume_text

    text = resume_text(person)
    history = text.headers.strings[text.headers.index[0]] + text.full_heads.strings[text.full_heads.index[0]]
    assert str(year) in history
    prefix = [tokenizer.bos_token_id, *tokenizer(history, add_special_tokens=False)["input_ids"]]
    event = tokenizer(f" {title}", add_special_tokens=False)["input_ids"] + tokenizer("\n")["input_ids"]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prefix + event])).logits[0].double().log_softmax(-1)
    expected = sum(float(logits[len(prefix) - 1 + i, token]) for i, token in enumerate(event))
    got = fitted.log_prob(person, np.array([0]), person.state[:1].astype(np.int64)[:, None])
    assert float(got[0, 0]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_a_seed_repeats_and_another_differs(fitted: Any, market_60: Panel, context: Context, told: Told) -> None:
    train, valid, test = (market_60.part(split) for split in ("train", "valid", "test"))
    state = torch.random.get_rng_state()
    again = build(LlmParams(**TINY))
    again.fit(train, valid, context)
    np.testing.assert_array_equal(ask(again, test), ask(fitted, test))
    assert not any("pre-training" in bar for bar in told.bars)
    other = build(LlmParams(**TINY))
    other.fit(train, valid, replace(context, seed=4))
    assert np.abs(ask(other, test) - ask(fitted, test)).max() > 1e-3
    assert torch.equal(torch.random.get_rng_state(), state)  # nobody else's draws are moved


def test_the_target_and_what_follows_are_not_seen(fitted: Any, market_60: Panel) -> None:
    test = market_60.part("test")
    target = int(test.offsets[3]) + 5
    later = np.arange(target, test.offsets[4])
    state = test.state.copy()
    state[later] = (state[later] + 7) % test.n_states
    year = test.year.copy()
    year[later[1:]] += 2
    changed = replace(test, state=state, year=year)
    states = np.arange(12)[None]
    np.testing.assert_allclose(
        fitted.log_prob(changed, np.array([target]), states),
        fitted.log_prob(test, np.array([target]), states),
        atol=1e-5,
    )
    before = state.copy()
    before[target - 1] = (test.state[target - 1] + 7) % test.n_states
    moved = fitted.log_prob(replace(test, state=before), np.array([target]), states)
    assert np.abs(moved - fitted.log_prob(test, np.array([target]), states)).max() > 1e-3


def test_a_base_is_trained_once_a_recipe_and_whole(
    market_60: Panel,
    context: Context,
    told: Told,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train, valid = market_60.part("train"), market_60.part("valid")
    bars = told.bars
    params = LlmParams(**(TINY | {"base_tokens": 5_000, "epochs": 1}))

    class Interrupted(Told):
        def advance(self, amount: float = 1) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(params).fit(train, valid, replace(context, progress=Interrupted()))
    bases = context.cache / "llm-bases"
    finished = {path for path in bases.iterdir() if not path.name.startswith(".")}
    build(params).fit(train, valid, context)
    assert any(bar == "pre-training the base on market" for bar in bars)
    made = {path for path in bases.iterdir() if not path.name.startswith(".")} - finished
    assert len(made) == 1
    files = {path.name for path in made.pop().iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "recipe.json"} <= files
    assert not [path for path in bases.iterdir() if path.name.startswith(".")]
    bars.clear()
    build(params).fit(train, valid, replace(context, scratch=tmp_path_factory.mktemp("again")))
    assert not any("pre-training" in bar for bar in bars)
    assert any("validation perplexity" in bar for bar in bars)
    other = build(LlmParams(**(TINY | {"base_tokens": 5_001, "epochs": 1})))
    other.fit(train, valid, context)
    assert any("pre-training" in bar for bar in bars)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == ""


def test_any_folder_with_a_causal_language_model_will_do(
    gpt2_folder: Path, market_30: Panel, context: Context, tmp_path: Path
) -> None:
    small = {"epochs": 1, "rank": 4, "batch_tokens": 1024, "learning_rate": 2e-2}
    given = {"base": str(gpt2_folder), "precision": "float32", **small}  # the same on every processor
    model = build(LlmParams(**given))
    model.fit(market_30.part("train"), market_30.part("valid"), context)
    facts = model.facts()
    assert facts["base"] == str(gpt2_folder)
    assert facts["tokens_added"] == 0
    assert facts["parameters_trained"] < 0.2 * facts["parameters"]
    assert facts["validation_loss"][1] < facts["validation_loss"][0] - 0.5
    folder = tmp_path / "saved"
    folder.mkdir()
    model.save(folder)
    assert not (folder / "base").exists()  # its name brings it back
    loaded = build(LlmParams(**given))
    loaded.load(folder)
    np.testing.assert_allclose(ask(loaded, market_30.part("test")), ask(model, market_30.part("test")), atol=1e-6)
    again = build(LlmParams(**given))
    again.fit(market_30.part("train"), market_30.part("valid"), context)
    assert again.facts() == facts  # with the dropout of a GPT-2 too, a seed repeats


def test_a_foreign_base_learns_new_words_when_asked_to(
    gpt2_folder: Path, market_60: Panel, context: Context, tmp_path: Path
) -> None:
    given = {"base": str(gpt2_folder), "epochs": 1, "rank": 2, "extend_vocabulary": "words", "loss": "all"}
    occupations = replace(market_60.occupations, titles=(*market_60.occupations.titles[:-1], "Dodecahedron polishers"))
    panel = replace(market_60, occupations=occupations)
    model = build(LlmParams(**given))
    model.fit(panel.part("train"), panel.part("valid"), context)
    assert model.facts()["tokens_added"] >= 2
    model.save(tmp_path)
    loaded = build(LlmParams(**given))
    loaded.load(tmp_path)
    np.testing.assert_allclose(ask(loaded, panel.part("test")), ask(model, panel.part("test")), atol=1e-6)


def test_careers_longer_than_the_context_lose_their_oldest_records(market_60: Panel, context: Context) -> None:
    model = build(LlmParams(**(TINY | {"epochs": 1, "max_context": 60})))
    model.fit(market_60.part("train"), market_60.part("valid"), context)
    assert model.facts()["records_dropped"] > 100
    ask(model, market_60.part("test"))


def test_threads_are_given_back(market_30: Panel, context: Context) -> None:
    torch.set_num_threads(2)
    try:
        model = build(LlmParams(**(TINY | {"base_tokens": 2_000, "epochs": 1})))
        model.fit(market_30.part("train"), market_30.part("valid"), context)
        model.log_prob(market_30, np.arange(3), np.zeros((3, 1), np.int64))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_panels_without_transitions_or_covariates_are_fitted(market_60: Panel, context: Context) -> None:
    """The states of first records are learned without anything else that is known of them."""
    bare = replace(market_60, covariates={})
    one = replace(
        bare,
        persons=np.array([str(i) for i in range(bare.n_records)]),
        offsets=np.arange(bare.n_records + 1),
        split=np.zeros(bare.n_records, np.int8),
    )
    model = build(LlmParams(**(TINY | {"epochs": 1})))
    model.fit(one.select(np.arange(300)), one.select(np.arange(300, 340)), context)
    losses = model.facts()["validation_loss"]
    assert min(losses) < losses[0] - 0.1
    ask(model, one)


def test_what_is_known_of_a_person_matters(fitted: Any, market_60: Panel) -> None:
    test = market_60.part("test")
    assert np.abs(ask(fitted, replace(test, covariates={})) - ask(fitted, test)).max() > 0.01


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"base": "./no/such/folder"}, "no config.json"),
        ({"base": "no-such-owner/no-such-model"}, "no-such-owner/no-such-model' cannot be opened"),
        ({"base_width": 33}, "choose a multiple of 4"),
        ({"pool": "no-such-pool"}, "no-such-pool"),
    ],
)
def test_a_base_that_is_not_there_is_one_clear_line(
    given: dict[str, Any], message: str, market_60: Panel, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    model = build(LlmParams(**(TINY | given)))
    with pytest.raises(RequestError, match=message) as caught:
        model.fit(market_60.part("train"), market_60.part("valid"), context)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_refused(gpt2_folder: Path, market_60: Panel, context: Context, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file

    folder = tmp_path / "pickled"
    shutil.copytree(gpt2_folder, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    model = build(LlmParams(base=str(folder)))
    with pytest.raises(RequestError, match="safetensors"):
        model.fit(market_60.part("train"), market_60.part("valid"), context)
