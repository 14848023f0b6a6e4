"""The parts of a career that the model reads, the parts of it that are trained, and the tokenizers that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.panels import open_once
from helpers.tiny_llm import fast_tokenizer, saved_llm
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM

from harness.errors import RequestError
from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.plugins.llm.base.pretrain import train_tokenizer
from harness.plugins.llm.params import LlmParams
from harness.plugins.llm.specs import build
from harness.plugins.llm.text.pieces import PieceEncoder, encode, encode_titles
from harness.plugins.llm.text.resume import TextOptions, resume_text
from harness.plugins.llm.text.tokenizer_audit import audit
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning.loss import examples

TINY: dict[str, Any] = {
    "pool": "market",
    "base_layers": 1,
    "base_width": 32,
    "base_heads": 2,
    "base_tokens": 30_000,
    "base_batch_tokens": 256,
    "base_learning_rate": 1e-2,
    "rank": 4,
    "epochs": 1,
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def context(cache: Path, tmp_path: Path) -> Context:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Context(seed=3, scratch=scratch, cache=cache, open_panel=open_once)


@pytest.fixture(scope="module")
def tokenizer(market_40: Panel) -> Any:
    return train_tokenizer(market_40, 700, 512)


def resumes(panel: Panel, tokenizer: Any, options: TextOptions, context: int = 512) -> Resumes:
    return Resumes(panel, PieceEncoder(tokenizer), context, options)


def ask(model: Any, panel: Panel) -> Any:
    chosen = panel.transitions[:25]
    return model.log_prob(panel, chosen, panel.state[chosen].astype(np.int64)[:, None])


def test_what_is_left_out_is_not_written(four_persons: Panel) -> None:
    said = {
        name: resume_text(four_persons, options).headers.strings
        for name, options in {
            "all": TextOptions(),
            "no birth year": TextOptions(birth_year=False),
            "no demographics": TextOptions(demographics=False),
            "neither": TextOptions(demographics=False, birth_year=False),
        }.items()
    }
    assert "gender: female; birth year: 1980\n" in said["all"]
    assert set(said["no birth year"]) == {"gender: female\n", "gender: male\n"}
    assert "birth year: 1980\n" in said["no demographics"]
    assert all("gender" not in text for text in said["no demographics"])
    assert set(said["neither"]) == {""}


def test_codes_stand_in_the_place_of_titles(four_persons: Panel, tokenizer: Any) -> None:
    options = TextOptions(titles="codes")
    r = resumes(four_persons, tokenizer, options)
    last = four_persons.offsets[1:] - 1
    windows = r.windows(last)
    assert "2000: 29-1141\n2001: 29-1141\n2002: 43-9061\n" in tokenizer.decode(windows.tokens[0])
    assert "nurses" not in tokenizer.decode(windows.tokens.ids)


@pytest.mark.parametrize("history", [1, 2, 3])
def test_a_target_sees_so_many_records_and_no_more(four_persons: Panel, tokenizer: Any, history: int) -> None:
    r = resumes(four_persons, tokenizer, TextOptions(history=history))
    targets = np.arange(four_persons.n_records)
    windows = r.windows(targets)
    for target, window, at in zip(targets, windows.window, windows.at, strict=True):
        text = tokenizer.decode(windows.tokens[window][: at + 1])
        first = int(four_persons.offsets[four_persons.person[target]])
        seen = range(max(first, int(target) - history), int(target) + 1)
        assert [line[:4] for line in text.splitlines()[-len(seen) :]] == [str(four_persons.year[i]) for i in seen]
        assert text.count(":") == len(seen) + 2  # two more in the header
    counted = examples(r, "titles").counts.sum()
    assert counted == r.events.lengths[four_persons.state].sum()  # every record is a target once
    assert r.records_dropped() == 0  # what the option leaves out is not for want of context


def test_a_short_history_forgets_what_came_before_it(market_40: Panel, context: Context) -> None:
    model = build(LlmParams(**(TINY | {"history": 1})))
    model.fit(market_40.part("train"), market_40.part("valid"), context)
    test = market_40.part("test")
    person = int(np.argmax(np.diff(test.offsets)))
    one = test.select(np.array([person]))
    last = np.array([one.n_records - 1])
    states = np.arange(one.n_states)[None, :8]
    changed = one.state.copy()
    changed[: one.n_records - 2] = (changed[: one.n_records - 2] + 1) % one.n_states
    from dataclasses import replace

    other = replace(one, state=changed)
    np.testing.assert_allclose(model.log_prob(one, last, states), model.log_prob(other, last, states), atol=1e-5)


@pytest.mark.parametrize("tuning", ["full", "none"])
def test_every_weight_or_none(market_40: Panel, context: Context, tmp_path: Path, tuning: str) -> None:
    given = TINY | {"tuning": tuning}
    model = build(LlmParams(**given))
    model.fit(market_40.part("train"), market_40.part("valid"), context)
    facts = model.facts()
    if tuning == "full":
        assert facts["parameters_trained"] == facts["parameters"]
        assert facts["validation_loss"][1] < facts["validation_loss"][0]
    else:
        assert facts["parameters_trained"] == 0
        assert facts["epochs"] == 0
        assert len(facts["validation_loss"]) == 1
    folder = tmp_path / "saved"
    folder.mkdir()
    model.save(folder)
    assert not (folder / "adapter").exists()
    AutoModelForCausalLM.from_pretrained(folder / "base", use_safetensors=True)  # plain transformers opens it
    loaded = build(LlmParams(**given))
    loaded.load(folder)
    np.testing.assert_allclose(ask(loaded, market_40.part("test")), ask(model, market_40.part("test")), atol=1e-6)


def test_a_published_checkpoint_in_a_subfolder(market_40: Panel, context: Context, tmp_path: Path) -> None:
    """As LABOR-LLM's are: the shape of Llama 2, with its kind of tokenizer, in a folder of a repository."""
    tokenizer = llama_2_tokenizer(market_40)
    saved_llm(tmp_path / "repository" / "checkpoints" / "next", "Llama", tokenizer, scale=0.02)
    given = {"base": str(tmp_path / "repository"), "subfolder": "checkpoints/next", "tuning": "none"}
    model = build(LlmParams(**given))
    model.fit(market_40.part("train"), market_40.part("valid"), context)
    assert model.facts()["base"].endswith("repository/checkpoints/next")
    saved = tmp_path / "saved"
    saved.mkdir()
    model.save(saved)
    assert [path.name for path in saved.iterdir()] == ["llm.json"]  # its name brings it back
    loaded = build(LlmParams(**given))
    loaded.load(saved)
    np.testing.assert_array_equal(ask(loaded, market_40.part("test")), ask(model, market_40.part("test")))
    wrong = build(LlmParams(**(given | {"subfolder": "checkpoints/last"})))
    with pytest.raises(RequestError, match=r"repository/checkpoints/last' is not a folder with a language model"):
        wrong.fit(market_40.part("train"), market_40.part("valid"), context)


def llama_2_tokenizer(panel: Panel) -> Any:
    """BPE behind a blank that is put before every text, unknown characters as bytes."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokens = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=tokens, show_progress=False)
    text = resume_text(panel)
    lines = [*text.headers.strings, *text.full_heads.strings, *text.titles]
    tokenizer.train_from_iterator([line.replace("\n", "") for line in lines], trainer)
    return fast_tokenizer(tokenizer, bos_token="<s>", unk_token="<unk>")


def test_a_tokenizer_that_puts_blanks_before_texts_writes_none_twice(market_40: Panel) -> None:
    tokenizer = llama_2_tokenizer(market_40)
    [head, title] = encode(tokenizer, ["1999:", " Actors"])
    said = tokenizer.decode([*head, *title])
    assert said.strip() == "1999: Actors"
    audit(tokenizer, resume_text(market_40))


def test_a_tokenizer_without_a_word_for_a_title_is_refused(market_40: Panel) -> None:
    words = {"<unk>": 0, "\n": 1} | {word: i + 2 for i, word in enumerate(map(str, range(1960, 2030)))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    made = fast_tokenizer(tokenizer, unk_token="<unk>")
    with pytest.raises(RequestError, match=r"has no token for a part of"):
        audit(made, resume_text(market_40))


def test_a_tokenizer_that_folds_case_is_refused(market_40: Panel) -> None:
    from tokenizers import normalizers

    made = train_tokenizer(market_40, 700, 512)
    made.backend_tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(RequestError, match="does not give back what it was given"):
        audit(made, resume_text(market_40))


def test_codes_need_no_title_to_be_told_apart(four_persons: Panel, tokenizer: Any) -> None:
    from dataclasses import replace

    twins = replace(four_persons.occupations, titles=("Clerks", "Clerks ", "Unemployed", "Out"))
    with pytest.raises(RequestError, match="cannot tell the states '29-1141' and '43-9061' apart"):
        encode_titles(tokenizer, twins)
    assert len(encode_titles(tokenizer, twins, TextOptions(titles="codes"))) == 4
