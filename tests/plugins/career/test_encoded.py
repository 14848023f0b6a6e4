"""career-llm: an encoder of careers beside the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pluggy
import pytest
from helpers.fits import fit_on, whole_rows

from harness import hookspecs
from harness.errors import RequestError
from harness.features.encoding import Encoding
from harness.hookspecs import hookimpl
from harness.model import CareerEncoder, Context, EncoderSpec, ModelSpec
from harness.model.contract import Params
from harness.network.transitions import TransitionTable
from harness.panel.careers import Panel
from harness.plugins.career import encoded
from harness.plugins.career.encoded import encoder_params
from harness.plugins.career.params import EncodedParams
from harness.registry import Registry, collect
from harness.runs.identity import code_version
from harness.types import FloatArray

BRIEF: dict[str, Any] = {
    "epochs": 1,
    "fewest_steps": 30,
    "warmup": 5,
    "exchange": 0.0,
    "exchange_across": 0.0,
    "layers": 1,
    "width": 16,
    "learning_rate": 0.02,
    "weight_decay": 0.0,
    "average": 0.0,
}


class Whisper(CareerEncoder):
    """Knows what nobody may: whether the person moves, so that a network that listens is right."""

    def __init__(self, knows: bool) -> None:
        self.knows, self.opened = knows, False

    def open(self, context: Context) -> None:
        self.opened = True

    def require_readable(self, panel: Panel) -> None:
        assert self.opened

    def vectors(self, panel: Panel, context: Context | None = None) -> FloatArray:
        later = panel.transitions
        moves = panel.state[later] != panel.state[later - 1]
        told = moves if self.knows else np.arange(len(later)) % 2
        return np.repeat(np.asarray(told, dtype=np.float32)[:, None], 8, axis=1)

    def save(self, folder: Path) -> None:
        (folder / "said").write_text("whisper", encoding="utf-8")

    def load(self, folder: Path) -> None:
        assert (folder / "said").read_text(encoding="utf-8") == "whisper"

    def facts(self) -> Mapping[str, Any]:
        return {"base": "whisper"}


class WhisperParams(Params):
    base: str = "builtin"
    layer: float = 1.0
    birth_year: bool = True


def spec_of(knows: bool) -> EncoderSpec:
    return EncoderSpec(
        name="llm",
        summary="test",
        build=lambda params: Whisper(knows),
        params=WhisperParams,
        contents=lambda params: {"base": params.base},
        module="harness.plugins.llm.embedding",
    )


class Brings:
    def __init__(self, knows: bool) -> None:
        self.knows = knows

    @hookimpl
    def harness_career_encoders(self) -> list[EncoderSpec]:
        return [spec_of(self.knows)]


def registry_with(*plugins: Any) -> Registry:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for plugin in plugins:
        manager.register(plugin)
    return collect(manager)


def spec_with(knows: bool) -> ModelSpec:
    return registry_with(Brings(knows), encoded).model("career-llm").item


@pytest.mark.parametrize("at", ["input", "head"])
def test_the_network_hears_the_encoder(at: Any, market_60: Panel, tmp_path: Path) -> None:
    """With an encoder that knows who moves it learns more than with one that only counts."""
    losses = []
    for knows in (True, False):
        spec = spec_with(knows)
        folder = tmp_path / str(knows)
        folder.mkdir()
        model = fit_on(spec.build(EncodedParams(**BRIEF, encoded_at=at)), market_60, folder)
        losses.append(min(model.facts()["validation_loss"]))
        assert model.facts()["base"] == "whisper"
    assert losses[0] < losses[1] - 0.1


def test_it_survives_saving(market_40: Panel, tmp_path: Path) -> None:
    spec = spec_with(True)
    params = EncodedParams(epochs=1, fewest_steps=5)
    (tmp_path / "scratch").mkdir()
    model = fit_on(spec.build(params), market_40, tmp_path / "scratch")
    (tmp_path / "kept").mkdir()
    model.save(tmp_path / "kept")
    again = spec.build(params)
    again.load(tmp_path / "kept")
    test = market_40.part("test").select(np.arange(2))
    assert not isinstance(model, CareerEncoder)
    np.testing.assert_allclose(whole_rows(again, test), whole_rows(model, test), atol=1e-6)  # type: ignore[arg-type]


def test_of_exchanged_careers_nothing_is_said(market_40: Panel) -> None:
    panel = market_40.select(np.arange(3))
    said = np.ones((len(panel.transitions), 4), dtype=np.float32)
    tokens = TransitionTable.of(panel, Encoding([]), said)
    state = panel.state.copy()
    first, stop = panel.offsets[1], panel.offsets[2]
    state[first:stop] = (state[first:stop] + 1) % panel.n_states
    found = tokens.with_states(replace(panel, state=state)).encoded
    assert found is not None
    person = panel.person[panel.transitions]
    np.testing.assert_array_equal(found, np.where(person == 1, 0, 1)[:, None] * said)


def test_without_an_encoder_there_is_no_such_model() -> None:
    assert "career-llm" not in registry_with(encoded).models


def test_ids_know_the_encoder_and_its_code() -> None:
    spec, without = spec_with(True), registry_with(Brings(True), encoded).models["career-llm"]
    assert spec.contents(EncodedParams(base="/somewhere")) == {"base": "/somewhere"}
    assert code_version(without) != code_version(replace(without, item=replace(without.item, code=())))


def test_options_of_the_encoder_are_checked() -> None:
    given = encoder_params(spec_of(True), EncodedParams(encoder_options=("birth_year=false",), layer=0.5))
    assert given == WhisperParams(birth_year=False, layer=0.5)
    with pytest.raises(RequestError, match="encoder_options=layer=1: set layer itself"):
        encoder_params(spec_of(True), EncodedParams(encoder_options=("layer=1",)))
    with pytest.raises(RequestError, match="'encoder_options' has no parameter 'birthyear'"):
        encoder_params(spec_of(True), EncodedParams(encoder_options=("birthyear=false",)))
