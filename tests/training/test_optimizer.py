"""AdamW as every network is trained with."""

from __future__ import annotations

import torch

from harness.training.optimizer import adamw


def test_steps_are_those_of_torch_to_the_last_bit() -> None:
    torch.manual_seed(0)
    start = [torch.randn(5, 3), torch.randn(4)]
    own, other = ([torch.nn.Parameter(value.clone()) for value in start] for _ in range(2))
    ours = adamw(own, weight_decay=0.1, beta_2=0.98)
    kinds = [{"params": other[:1], "weight_decay": 0.1}, {"params": other[1:], "weight_decay": 0.0}]
    theirs = torch.optim.AdamW(kinds, lr=0.0, betas=(0.9, 0.98), fused=True)
    for step in range(4):
        for optimizer, parameters in ((ours, own), (theirs, other)):
            for group in optimizer.param_groups:
                group["lr"] = 0.01 / (step + 1)
            sum((p**2).sum() for p in parameters).backward()  # type: ignore[union-attr]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    for mine, its in zip(own, other, strict=True):
        assert torch.equal(mine, its)
        assert mine.grad is None
    assert {"step", "exp_avg", "exp_avg_sq"} == set(ours.state[own[0]])
