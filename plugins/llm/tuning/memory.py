"""The memory that a step of tuning takes, found before the first one: running out ends a process without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from harness.errors import RequestError
from harness.plugins.llm.params import StepParams
from harness.plugins.llm.text.loader import causal_of
from harness.plugins.llm.tuning.precision import products_in
from harness.system.machine import free_memory

TRIED = (32, 96)  # tokens of the passes whose difference is the memory of a token
SHARE = 0.8  # of the free memory that a step may take
GIB = 2**30

# (model, number of tokens) -> what backward begins at, a number
Pass = Callable[[Any, int], torch.Tensor]


def pass_of_ids(model: Any, tokens: int) -> torch.Tensor:
    """The last hidden states of so many tokens, added up; the output layer runs where titles are, and is small."""
    weight = model.get_input_embeddings().weight
    return _summed(model, input_ids=torch.arange(tokens, device=weight.device)[None] % weight.shape[0])


def pass_of_vectors(model: Any, tokens: int) -> torch.Tensor:
    """The same of vectors that are themselves trained."""
    weight = model.get_input_embeddings().weight
    given = torch.zeros(1, tokens, weight.shape[1], device=weight.device, requires_grad=True)
    return _summed(model, inputs_embeds=given)


def _summed(model: Any, **given: torch.Tensor) -> torch.Tensor:
    total: torch.Tensor = causal_of(model).base_model(**given, use_cache=False).last_hidden_state.sum()
    return total


def bytes_a_token(model: Any, one_pass: Pass, products: torch.dtype | None) -> float:
    """Bytes that a training pass keeps for backward, for each token of a batch."""
    kept = [_bytes_kept(model, one_pass, products, tokens) for tokens in TRIED]
    return max(0.0, (kept[1] - kept[0]) / (TRIED[1] - TRIED[0]))


def _bytes_kept(model: Any, one_pass: Pass, products: torch.dtype | None, tokens: int) -> int:
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def pack(value: torch.Tensor) -> torch.Tensor:
        place = value.untyped_storage().data_ptr()
        if place not in weights:
            kept[place] = value.untyped_storage().nbytes()
        return value.detach()  # itself, an operation's result would hold on to the operation, and neither be freed

    training = model.training
    model.train()
    try:
        with (
            torch.random.fork_rng(),
            torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value),
            products_in(products, torch.device(model.get_input_embeddings().weight.device)),
        ):
            alive = one_pass(model, tokens)  # a storage that was freed would be counted again at the same place
            del alive
    finally:
        model.train(training)
    return sum(kept.values())


def makes_again(model: Any, p: StepParams, one_pass: Pass, *, scores: int, products: torch.dtype | None = None) -> bool:
    """True where activations are to be made again rather than kept.

    scores: numbers that the output layer gives for each token; they, their logarithms and their gradients are there at
    once, however the layers' activations are kept.
    That is the user's choice; without one, where keeping them would not fit into the memory that is free. RequestError,
    with the batch that would fit, where not even the inputs of the layers do.
    """
    wanted, batch_tokens = p.gradient_checkpointing, p.batch_tokens
    room = SHARE * free_memory(str(model.get_input_embeddings().weight.device))
    of_output = 3 * 4.0 * scores
    a_token = bytes_a_token(model, one_pass, products) + of_output
    if wanted is not True and a_token * batch_tokens <= room:
        return False
    layers = max(1, int(model.config.get_text_config().num_hidden_layers))
    width = int(model.get_input_embeddings().weight.shape[1])
    again = (a_token - of_output) / layers + 4.0 * width * layers + of_output  # one layer's, and the input of each
    needed = again if wanted is not False else a_token
    if needed * batch_tokens > room:
        option = "" if wanted is not False else ", or gradient_checkpointing=true"
        raise RequestError(
            f"batch_tokens={batch_tokens} would take about {needed * batch_tokens / GIB:.1f} GiB to tune this base, "
            f"and {room / GIB:.1f} GiB are free: set batch_tokens={max(1, int(room / needed))} or fewer{option}"
        )
    return wanted is not False
