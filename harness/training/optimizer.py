"""AdamW, without the compiler that torch's own brings along."""

from __future__ import annotations

import inspect

import torch


class PlainAdamW(torch.optim.AdamW):
    """torch's own, to the last bit.

    Torch marks these methods as none of its compiler's, and imports the compiler to say so, with sympy and whatever
    array libraries are installed: 1.4 to 3 processor seconds in every process that trains, where nothing is compiled.
    """

    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


def adamw(parameters: list[torch.nn.Parameter], weight_decay: float, beta_2: float = 0.95) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019), without decay on vectors (norms, biases)."""
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return PlainAdamW([g for g in groups if g["params"]], lr=0.0, betas=(0.9, beta_2), fused=True)
