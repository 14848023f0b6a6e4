"""The memory of a step of tuning: counted by hand, and what follows from it."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from harness.errors import RequestError
from harness.plugins.llm.params import TuningParams
from harness.plugins.llm.tuning.memory import bytes_a_token, makes_again, pass_of_vectors
from harness.plugins.llm.tuning.precision import product_type
from harness.system import machine

WIDTH, INNER, LAYERS = 8, 24, 4


class Layers(nn.Module):
    """Layers of two matrices each with a rectifier between, as a language model has them around its norms."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, WIDTH)
        self.up = nn.ModuleList([nn.Linear(WIDTH, INNER, bias=False) for _ in range(LAYERS)])
        self.down = nn.ModuleList([nn.Linear(INNER, WIDTH, bias=False) for _ in range(LAYERS)])
        self.config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(num_hidden_layers=LAYERS))

    def get_input_embeddings(self) -> nn.Module:
        return self.embed

    def base_model(self, inputs_embeds: torch.Tensor, use_cache: bool) -> Any:
        for up, down in zip(self.up, self.down, strict=True):
            inputs_embeds = down(up(inputs_embeds).relu())
        return SimpleNamespace(last_hidden_state=inputs_embeds)


def test_bytes_of_a_token_by_hand() -> None:
    """Each layer keeps the input of its first matrix and what the rectifier gives, which is the second one's input."""
    assert bytes_a_token(Layers(), pass_of_vectors, None) == LAYERS * (WIDTH + INNER) * 4


def test_frozen_matrices_keep_no_input() -> None:
    """The gradient that passes through them asks for the weights alone, which are there anyway."""
    assert bytes_a_token(Layers().requires_grad_(False), pass_of_vectors, None) == LAYERS * INNER * 4


def test_what_a_pass_has_kept_is_freed() -> None:
    """An operation that keeps its own result must not be kept by it: the passes of a real base held half a gigabyte."""
    operations: list[weakref.ref[Any]] = []

    class Exponential(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, given: torch.Tensor) -> torch.Tensor:
            result = given.exp()
            ctx.save_for_backward(result)
            operations.append(weakref.ref(ctx))
            return result

    def one_pass(model: Any, tokens: int) -> torch.Tensor:
        apply: Any = Exponential.apply
        total: torch.Tensor = apply(torch.zeros(tokens, WIDTH, requires_grad=True)).sum()
        return total

    assert bytes_a_token(Layers(), one_pass, None) == WIDTH * 4
    gc.collect()
    assert [operation() for operation in operations] == [None, None]


@pytest.mark.parametrize(
    ("free", "wanted", "again"),
    [(10**9, None, False), (60_000, None, True), (10**9, True, True), (10**9, False, False)],
)
def test_activations_are_made_again_where_they_would_not_fit(
    free: int, wanted: bool | None, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "free_main_memory", lambda: float(free))
    p = TuningParams(batch_tokens=100, gradient_checkpointing=wanted)  # 51,200 bytes kept, 25,600 made again
    assert makes_again(Layers(), p, pass_of_vectors, scores=0) is again


def test_the_batch_that_would_fit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_main_memory", lambda: 60_000.0)
    for wanted, fits in ((None, 187), (True, 187), (False, 93)):
        with pytest.raises(RequestError, match=rf"batch_tokens=500 would take .*: set batch_tokens={fits} or fewer"):
            makes_again(
                Layers(), TuningParams(batch_tokens=500, gradient_checkpointing=wanted), pass_of_vectors, scores=0
            )
    with pytest.raises(RequestError, match="set batch_tokens=30 or fewer"):  # 256 bytes a token, and 12 for each score
        makes_again(Layers(), TuningParams(batch_tokens=187), pass_of_vectors, scores=110)
    p = TuningParams(batch_tokens=187)
    assert makes_again(Layers(), p, pass_of_vectors, scores=0)


def test_bfloat16_is_for_processors_with_units_for_it_and_matrices_that_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    for there in (True, False):
        for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
            monkeypatch.setattr(torch.cpu, name, lambda there=there: there, raising=False)
        assert product_type("auto", "cpu", "smollm2") == (torch.bfloat16 if there else None)
        assert product_type("auto", "cpu", "builtin") is None  # the same figures on every processor
        assert product_type("float32", "cpu", "smollm2") is None
        assert product_type("bfloat16", "cpu", "builtin") == torch.bfloat16
