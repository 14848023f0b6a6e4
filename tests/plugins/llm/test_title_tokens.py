"""llm-titles: careers in whole pieces, what a piece starts as, whole rows, and what the model keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.panels import open_once
from helpers.toys import Homebody, entry_of

from harness.errors import RequestError
from harness.model import Context
from harness.network.titles import title_vectors
from harness.panel import Panel
from harness.plugins.llm.specs import build_titles
from harness.plugins.llm.text.loader import load_causal_lm, load_tokenizer
from harness.plugins.llm.text.resume import TextOptions
from harness.plugins.llm.title_tokens.layout import ABSENT, PieceCareers
from harness.plugins.llm.title_tokens.network import TitleTokenNetwork, random_like
from harness.plugins.llm.title_tokens.params import TitleTokenParams

SHORT = {
    "epochs": 2,
    "fewest_steps": 60,
    "warmup": 5,
    "rank": 2,
    "learning_rate": 2e-3,
    "average": 0.9,
    "head_epochs": 0,
}


def params(base: Path, **given: Any) -> TitleTokenParams:
    return TitleTokenParams(**(SHORT | {"base": str(base)} | given))


def fit(panel: Panel, folder: Path, asked: TitleTokenParams) -> Any:
    model: Any = build_titles(asked)
    folder.mkdir(parents=True, exist_ok=True)
    context = Context(seed=1, scratch=folder, cache=folder, open_panel=open_once)
    model.fit(panel.part("train"), panel.part("valid"), context)
    return model


def reloaded(model: Any, asked: TitleTokenParams, folder: Path) -> Any:
    """Saved, and loaded into a new one."""
    folder.mkdir()
    model.save(folder)
    loaded: Any = build_titles(asked)
    loaded.load(folder)
    return loaded


def whole(model: Any, panel: Panel, targets: np.ndarray | None = None) -> np.ndarray:
    targets = np.arange(panel.n_records) if targets is None else targets
    rows: np.ndarray = model.log_prob(panel, targets, np.tile(np.arange(panel.n_states), (len(targets), 1)))
    return rows


@pytest.fixture(scope="module")
def fitted(market_40: Panel, toy_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fit(market_40, tmp_path_factory.mktemp("fit"), params(toy_llama))


def test_rows_sum_to_one_and_beat_shares_of_states(fitted: Any, market_40: Panel) -> None:
    test = market_40.part("test")
    rows = whole(fitted, test).astype(np.float64)
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1.0, atol=1e-5)
    at, train = test.transitions, market_40.part("train")
    shares = (np.bincount(train.state, minlength=test.n_states) + 0.1) / (train.n_records + 0.1 * test.n_states)
    assert rows[at, test.state[at]].mean() > np.log(shares)[test.state[at]].mean() + 1.0
    losses = fitted.facts()["validation_loss"]
    assert min(losses) < losses[0]


@pytest.mark.parametrize("head_epochs", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_head_and_language_model_learn_from_a_teacher(
    market_40: Panel, toy_llama: Path, tmp_path: Path, head_epochs: int
) -> None:
    """Whatever the outcomes say, and nobody is held out to say that the outcomes are right."""
    train, said = market_40.part("train"), []
    for teacher in ("", "homebody"):
        alone = {"exchange": 0.0, "exchange_across": 0.0, "teacher": teacher, "teacher_share": 1.0}
        brief = {"epochs": 1, "fewest_steps": 30, "learning_rate": 4e-3, "head_epochs": head_epochs}
        asked = params(toy_llama, **alone, **brief)
        model: Any = build_titles(asked)
        folder = tmp_path / f"fit {teacher}"
        folder.mkdir()
        nobody = train.select(np.array([], dtype=np.int64))
        model.fit(train, nobody, Context(seed=1, scratch=folder, cache=folder, teacher=entry_of(Homebody).item))
        said.append(np.exp(whole(model, train, train.transitions)[:, 3]).mean())
    assert said[0] < 0.05
    assert said[1] > 3 * said[0]
    assert said[1] > 0.2


def test_tuning_begins_where_the_head_by_itself_has_ended(
    market_40: Panel, toy_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself it reads no language model; killed and asked for again, it ends with the same answers."""
    asked = params(toy_llama, epochs=1, fewest_steps=30, head_epochs=1, batch_tokens=128)
    read: list[bool] = []
    hidden = TitleTokenNetwork._hidden

    def stopped(network: TitleTokenNetwork, *given: Any) -> torch.Tensor:
        read.append(bool(hidden(network, *given).any()))
        if len(read) == 40:
            raise KeyboardInterrupt
        return hidden(network, *given)

    monkeypatch.setattr(TitleTokenNetwork, "_hidden", stopped)
    with pytest.raises(KeyboardInterrupt):
        fit(market_40, tmp_path / "stopped", asked.model_copy(update={"checkpoint_seconds": 0.0}))
    monkeypatch.undo()
    assert not any(read)
    model = fit(market_40, tmp_path / "stopped", asked)
    facts = model.facts()
    alone, tuned = facts["validation_loss_of_head"], facts["validation_loss"]
    assert min(alone) < alone[0] - 0.3
    assert tuned[0] == pytest.approx(min(alone), abs=1e-5)
    whole_model = fit(market_40, tmp_path / "whole", asked)
    np.testing.assert_array_equal(whole(model, market_40.part("test")), whole(whole_model, market_40.part("test")))


def test_the_mean_of_members_of_seeds_of_their_own(market_40: Panel, toy_llama: Path, tmp_path: Path) -> None:
    """The first is the fit alone; what is loaded says the same."""
    brief = {"epochs": 1, "fewest_steps": 1, "head_epochs": 1}
    asked = params(toy_llama, members=2, **brief)
    both, test = fit(market_40, tmp_path / "both", asked), market_40.part("test")
    one, other = (np.exp(whole(member, test).astype(np.float64)) for member in both.members)
    np.testing.assert_allclose(np.exp(whole(both, test)), (one + other) / 2, rtol=1e-5)
    assert np.abs(np.log(one / other)).max() > 0.01
    alone = fit(market_40, tmp_path / "alone", params(toy_llama, **brief))
    np.testing.assert_array_equal(whole(both.members[0], test), whole(alone, test))
    np.testing.assert_array_equal(whole(reloaded(both, asked, tmp_path / "saved"), test), whole(both, test))
    assert [len(losses) for losses in both.facts()["validation_loss_of_head"]] == [
        len(alone.facts()["validation_loss_of_head"])
    ] * 2


def test_a_piece_starts_as_the_mean_of_its_words(market_40: Panel, toy_llama: Path, tmp_path: Path) -> None:
    """A learning rate of nothing leaves what the base knows; a title's vector is read off its tokens by hand."""
    model = fit(market_40, tmp_path, params(toy_llama, epochs=1, fewest_steps=1, learning_rate=1e-12))
    base, tokenizer = load_causal_lm(toy_llama), load_tokenizer(toy_llama)
    title = market_40.occupations.titles[3]
    ids = tokenizer.encode(f" {title}", add_special_tokens=False)
    mean = base.get_input_embeddings().weight[torch.tensor(ids)].mean(dim=0)
    network = model._network
    torch.testing.assert_close(network.table(network.pieces)[1 + 3], mean, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("tokens", "width"), [(1, 1), (2, 2), (3, 3)])
def test_careers_in_so_many_tokens_a_record(tokens: int, width: int, four_persons: Panel) -> None:
    """Person by person: start and header, then so many positions a record, and the title stands behind its year."""
    careers = PieceCareers(four_persons, tokens, 512, TextOptions())
    found = careers.sequences(np.arange(four_persons.n_records, dtype=np.int64))
    header = careers.header.shape[1]
    lengths = np.diff(four_persons.offsets)
    assert np.diff(found.offsets).tolist() == (header + width * lengths).tolist()
    first = found.pieces[: int(found.offsets[1])]
    said = [[careers.strings[piece] for piece in row if piece != ABSENT] for row in first[header:].tolist()]
    titles = [f" {four_persons.occupations.titles[k]}" for k in four_persons.state[: lengths[0]]]
    years = [str(year) for year in four_persons.year[: lengths[0]]]
    assert [row[0] for row in said[::width]] == years
    before = [row[-1] for row in said] if tokens == 1 else [row[0] for row in said[1::width]]
    assert before == (["\n", *titles[:-1]] if tokens == 1 else titles)
    assert (found.at[: lengths[0]] == header + width * np.arange(lengths[0])).all()


def test_the_target_and_what_follows_are_not_seen(fitted: Any, market_40: Panel) -> None:
    test = market_40.part("test")
    target = int(test.offsets[2]) + 4
    later = np.arange(target, test.offsets[3])
    state = test.state.copy()
    state[later] = (state[later] + 1) % test.n_states
    np.testing.assert_allclose(
        whole(fitted, test, np.array([target])),
        whole(fitted, replace(test, state=state), np.array([target])),
        atol=1e-5,
    )
    state[target - 1] = (state[target - 1] + 1) % test.n_states
    assert (
        np.abs(
            whole(fitted, replace(test, state=state), np.array([target])) - whole(fitted, test, np.array([target]))
        ).max()
        > 0.1
    )


def test_what_is_saved_gives_the_same_answers(fitted: Any, market_40: Panel, toy_llama: Path, tmp_path: Path) -> None:
    loaded = reloaded(fitted, params(toy_llama), tmp_path / "saved")
    test = market_40.part("test")
    np.testing.assert_allclose(whole(loaded, test), whole(fitted, test), atol=1e-5)
    assert loaded.facts() == fitted.facts()
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]


def test_years_that_training_never_saw_are_read_by_their_words(fitted: Any, market_40: Panel) -> None:
    test = market_40.part("test")
    rows = whole(fitted, replace(test, year=test.year + 60))
    assert np.isfinite(rows).all()
    assert np.abs(rows - whole(fitted, test)).max() > 1e-4


def test_long_careers_are_read_in_overlapping_parts(market_40: Panel, toy_llama: Path, tmp_path: Path) -> None:
    learned = params(toy_llama, max_context=24, fewest_steps=1, epochs=1, history="learned", recall="learned")
    model = fit(market_40, tmp_path, learned)
    test = market_40.part("test")
    dropped = model.unseen(test, test.transitions)
    assert dropped.max() > 0
    assert model.facts()["records_dropped"] > 0
    for target in test.transitions[dropped > 0][::7].tolist():
        [missing] = model.unseen(test, np.array([target]))
        entry = test.entries[test.person[target]]
        state = test.state.copy()
        state[entry : entry + missing] = state[entry + missing]  # as if it had lasted from the beginning
        other = replace(test, state=state)
        # What lies before what is seen changes nothing where tenure and recall are learned from it.
        np.testing.assert_allclose(
            whole(model, other, np.array([target])), whole(model, test, np.array([target])), atol=1e-5
        )


def test_random_weights_are_drawn_again_when_loaded(market_40: Panel, toy_llama: Path, tmp_path: Path) -> None:
    given = {"weights": "random", "start": "random", "precision": "float32", "epochs": 1, "fewest_steps": 4}
    asked = params(toy_llama, **given)
    model = fit(market_40, tmp_path / "fit", asked)
    assert model.facts()["base"] == f"{toy_llama}, random weights"
    loaded = reloaded(model, asked, tmp_path / "saved")
    test = market_40.part("test")
    np.testing.assert_allclose(whole(loaded, test), whole(model, test), atol=1e-5)


def test_a_random_vector_is_that_of_its_string_whatever_else_is_read() -> None:
    """A person who is asked about alone has other pieces than all persons together."""
    words = torch.randn(3, 32, generator=torch.Generator().manual_seed(0)) * torch.tensor([[1.0], [2.0], [4.0]])
    together = random_like(words, ["Cooks", "Nurses", "1999"], 7)
    for i, string in enumerate(["Cooks", "Nurses", "1999"]):
        assert torch.equal(random_like(words[i : i + 1], [string], 7)[0], together[i])
        assert together[i].std() == pytest.approx(float(words[i].std()), rel=0.4)
    assert not torch.equal(random_like(words, ["Cooks", "Nurses", "1999"], 8), together)


def test_activations_made_again_change_nothing(market_40: Panel, toy_llama: Path, tmp_path: Path) -> None:
    kept, again = (
        fit(
            market_40,
            tmp_path / str(again),
            params(toy_llama, gradient_checkpointing=again, epochs=1, fewest_steps=4),
        )
        for again in (False, True)
    )
    test = market_40.part("test")
    np.testing.assert_allclose(whole(again, test), whole(kept, test), atol=1e-3)


def test_a_batch_that_no_memory_holds_is_refused(market_40: Panel, toy_llama: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"batch_tokens=1000000000000 would take about .* GiB .*: set batch_tokens="):
        fit(market_40, tmp_path, params(toy_llama, batch_tokens=10**12))


def test_shares_of_exchanges_are_of_one_whole() -> None:
    with pytest.raises(ValueError, match="sum to at most 1"):
        TitleTokenParams(exchange=0.7, exchange_across=0.6)


def test_frozen_weights_are_as_they_were_after_tuning_in_bfloat16(
    market_40: Panel, toy_llama: Path, tmp_path: Path
) -> None:
    model = fit(market_40, tmp_path, params(toy_llama, precision="bfloat16", epochs=1, fewest_steps=4))
    base = load_causal_lm(toy_llama)
    ours = dict(model._network.model.get_base_model().named_parameters())
    layer = "model.layers.0.mlp.up_proj"
    assert ours[f"{layer}.base_layer.weight"].dtype == torch.float32
    assert torch.equal(ours[f"{layer}.base_layer.weight"], dict(base.named_parameters())[f"{layer}.weight"])
    assert model.facts()["base"] == f"{toy_llama}, tuned in bfloat16"
    assert np.isfinite(whole(model, market_40.part("test"))).all()


def test_titles_alike_are_likelier_where_likeness_is_scored(market_40: Panel, toy_llama: Path, tmp_path: Path) -> None:
    """Before a step: a title one standard deviation more like the origin's is exp(.3) times as likely."""
    asked = {"epochs": 1, "fewest_steps": 1, "learning_rate": 1e-12}
    plain = fit(market_40, tmp_path / "plain", params(toy_llama, **asked))
    alike = fit(market_40, tmp_path / "alike", params(toy_llama, **asked, likeness="builtin"))
    test = market_40.part("test")
    [target] = test.transitions[:1].tolist()
    origin = int(test.state[target - 1])
    gain = (whole(alike, test, np.array([target])) - whole(plain, test, np.array([target])))[0]
    vectors = title_vectors([f" {title}" for title in market_40.occupations.titles], "builtin", "cpu")
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    others = np.delete(np.arange(test.n_states), origin)
    cosine = (vectors @ vectors[origin])[others]
    wanted = 0.3 * (cosine - cosine.mean()) / cosine.std()
    np.testing.assert_allclose(gain[others] - gain[others].mean(), wanted - wanted.mean(), atol=1e-4)
    assert abs(gain[origin]) < 1e-5  # P(stay) has weights of its own


def test_what_is_saved_knows_how_alike_titles_are(market_40: Panel, toy_llama: Path, tmp_path: Path) -> None:
    asked = params(toy_llama, epochs=1, fewest_steps=4, likeness="builtin")
    model = fit(market_40, tmp_path / "fit", asked)
    loaded = reloaded(model, asked, tmp_path / "saved")
    test = market_40.part("test")
    np.testing.assert_allclose(whole(loaded, test), whole(model, test), atol=1e-5)
