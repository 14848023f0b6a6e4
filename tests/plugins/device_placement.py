"""Every torch model is fitted, saved and asked on an accelerator that the CPU plays: nothing stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.accelerator import NAME, accelerator, counting
from helpers.fits import model_of, observed, whole_rows
from torch.utils._pytree import tree_map_only

from harness import open_panel
from harness.model.contract import Context, Model, UnnormalizedModel
from harness.panel.careers import Panel
from harness.plugins.career import network
from harness.plugins.llm.scoring import reader
from harness.plugins.llm.tuning import loss
from harness.registry import load_registry
from harness.types import FloatArray

BRIEF = {"epochs": 1, "fewest_steps": 3, "width": 16, "layers": 1}
CAREER = {**BRIEF, "inner": 16}
SHALLOW = {"epochs": 1, "fewest_steps": 3}
TOY_BASE = {
    "base_layers": 1,
    "base_width": 32,
    "base_heads": 2,
    "base_tokens": 3_000,
    "base_vocabulary": 300,
    "base_symbols": 40,
}
LLM = {**TOY_BASE, "epochs": 1, "rank": 2, "dropout": 0.1, "packing": True}
TITLES = {**SHALLOW, **{name: LLM[name] for name in LLM if name != "packing"}, "head_epochs": 1}
ARMS: dict[str, dict[str, Any]] = {
    "career": {**CAREER, "checkpoint_seconds": 0},
    "career-titles": CAREER,
    "nemo": {**BRIEF, "width": 8},
    "bag-of-jobs": SHALLOW,
    "markov-regression": SHALLOW,
    "llm-lora": {**LLM, "checkpoint_seconds": 0},
    "llm-lora, in full": {**LLM, "tuning": "full", "packing": False, "gradient_checkpointing": True},
    "llm-lora, exact": {**LLM, "tuning": "none", "renormalise": "exact"},
    "llm-lora, certified": {**LLM, "tuning": "none", "renormalise": "certified", "tolerance": 0.1},
    "llm-titles": TITLES,
    "llm-titles, likeness": {**TITLES, "likeness": "builtin", "checkpoint_seconds": 0},
    "career-llm": {**CAREER, "encoder_options": tuple(f"{name}={value}" for name, value in TOY_BASE.items())},
    "llm-embed": {
        **{name: LLM[name] for name in LLM if name.startswith("base_")},
        "penalties": (30_000.0,),
        "threads": 1,
    },
}
# They place what another arm places; in make bench alone.
SLOW = (
    "career-titles",
    "bag-of-jobs",
    "markov-regression",
    "llm-lora, in full",
    "llm-lora, certified",
    "llm-titles, likeness",
)
REGISTRY = load_registry()


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """The accelerator is there. One thread, as on any: so the CPU draws what the accelerator does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with accelerator() as found:
        yield found
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def men() -> Panel:
    """Few men, of few occupations."""
    panel = open_panel("wage-panel").select(np.arange(20))
    return replace(panel, split=np.array([0] * 12 + [1] * 4 + [2] * 4, dtype=panel.split.dtype))


def fitted(arm: str, panel: Panel, device: str, folder: Path) -> Model:
    spec = REGISTRY.model(arm.partition(",")[0]).item
    model = model_of(spec, spec.params(**ARMS[arm]))
    folder.mkdir()
    context = Context(seed=3, scratch=folder, cache=folder, device=device, open_panel=lambda _: panel)
    model.fit(panel.part("train"), panel.part("valid"), context)
    return model


def asked(model: Model, panel: Panel) -> FloatArray:
    test = panel.part("test")
    if isinstance(model, UnnormalizedModel):
        at = test.transitions[:6]
        return np.asarray(model.bounded_log_prob(test, at, test.state[at, None].astype(np.int64)).log_prob)
    return np.concatenate([observed(model, test), whole_rows(model, test, test.transitions[:3]).ravel()])


def test_no_torch_model_is_left_out() -> None:
    ours = {name for name, entry in REGISTRY.models.items() if entry.owner == REGISTRY.model("career").owner}
    assert {arm.partition(",")[0] for arm in ARMS} == {n for n in ours if "torch" in REGISTRY.model(n).item.needs}


@pytest.mark.parametrize("arm", [pytest.param(arm, marks=[pytest.mark.slow] * (arm in SLOW)) for arm in ARMS])
def test_a_whole_fit_stays_on_its_device(arm: str, faults: list[str], men: Panel, tmp_path: Path) -> None:
    """Its numbers are the CPU's, but for what rounding makes of other kernels."""
    there, here = (fitted(arm, men, device, tmp_path / device) for device in (NAME, "cpu"))
    np.testing.assert_allclose(asked(there, men), asked(here, men), rtol=0.01, atol=0.02)
    (tmp_path / "saved").mkdir()
    there.save(tmp_path / "saved")
    again = REGISTRY.model(arm.partition(",")[0]).item
    loaded = model_of(again, again.params(**ARMS[arm]))
    loaded.load(tmp_path / "saved")
    loaded.place(NAME)
    with counting() as computed:
        np.testing.assert_allclose(asked(loaded, men), asked(there, men), rtol=1e-4, atol=1e-3)
    assert computed[NAME] > 0, "it was placed, and computed on the CPU"
    assert faults == []


@pytest.mark.parametrize(
    ("arm", "owner", "name"),
    [
        ("career", network, "sinusoids"),
        ("llm-lora", loss, "packed_inputs"),
        ("llm-lora, exact", reader.Reader, "_mask"),
        pytest.param("llm-lora, certified", reader.Reader, "_mask", marks=pytest.mark.slow),
    ],
)
def test_a_tensor_left_on_the_cpu_is_found(
    arm: str, owner: Any, name: str, faults: list[str], men: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where code tries something once and does without it, too."""
    plain = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *given: tree_map_only(torch.Tensor, torch.Tensor.cpu, plain(*given)))
    with suppress(RuntimeError):
        asked(fitted(arm, men, NAME, tmp_path / NAME), men)
    assert faults
    assert all(f"tensors on {NAME} and cpu" in fault for fault in faults)
