"""Readers of a career: from tokens to one vector a transition, a transformer, an LSTM or a mean of what was before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - what everyone calls it

from harness.network.transitions import CareerBatch
from harness.training.dropout import DropoutLayer, SeededDropout

Reader = Literal["transformer", "lstm", "bag", "regression"]


@dataclass(frozen=True)
class Shape:
    """reader: what reads the tokens. layers, width, heads: of it. inner: width inside a feed-forward layer."""

    reader: Reader
    layers: int = 1
    width: int = 0
    heads: int = 1
    inner: int = 0
    dropout: float = 0.0


class TransformerLayer(nn.Module):
    """A pre-norm transformer layer: causal attention within each career, then GELU between two linear maps."""

    def __init__(self, shape: Shape, dropout: SeededDropout) -> None:
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, shape.inner), nn.Linear(shape.inner, width)
        self.drop = DropoutLayer(shape.dropout, dropout)

    def forward(self, x: Tensor, batch: CareerBatch) -> Tensor:
        """x: float [n, width]. Only attention sees the careers as a padded table; padding stands after each."""
        careers, most = batch.shape
        width = x.shape[1]
        qkv = self.qkv(self.norm_1(x))
        table = qkv.new_zeros(careers * most, 3 * width).index_copy(0, batch.cell, qkv)
        q, k, v = table.view(careers, most, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        seen = seen.transpose(1, 2).reshape(careers * most, width).index_select(0, batch.cell)
        x = x + self.drop(self.out(seen))
        out: Tensor = x + self.drop(self.down(F.gelu(self.up(self.norm_2(x)))))
        return out


class Transformer(nn.Module):
    """Layers of blocks and a last norm."""

    def __init__(self, shape: Shape, dropout: SeededDropout) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(TransformerLayer(shape, dropout) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        for name, parameter in self.blocks.named_parameters():
            if parameter.dim() > 1:
                deep = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * shape.layers) if deep else 0.02)

    def forward(self, x: Tensor, batch: CareerBatch) -> Tensor:
        for block in self.blocks:
            x = block(x, batch)
        normed: Tensor = self.norm(x)
        return normed


class Recurrent(nn.Module):
    """An LSTM over each career."""

    def __init__(self, shape: Shape, dropout: SeededDropout) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.LSTM(shape.width, shape.width, batch_first=True) for _ in range(shape.layers))
        self.drop = DropoutLayer(shape.dropout, dropout)

    def forward(self, x: Tensor, batch: CareerBatch) -> Tensor:
        careers, most = batch.shape
        table = x.new_zeros(careers * most, x.shape[1]).index_copy(0, batch.cell, x)
        seen = table.view(careers, most, -1)
        for layer in self.layers:
            seen = self.drop(layer(seen)[0])
        out: Tensor = seen.reshape(careers * most, -1).index_select(0, batch.cell)
        return out


def mean_before(x: Tensor, batch: CareerBatch) -> Tensor:
    """float [n, d]: of each token, the mean of x over the tokens of its career before it; zero where there is none."""
    careers, most = batch.shape
    table = x.new_zeros(careers * most, x.shape[1]).index_copy(0, batch.cell, x).view(careers, most, -1)
    total: Tensor = table.cumsum(1).reshape(careers * most, -1).index_select(0, batch.cell) - x
    mean: Tensor = total / batch.position.clamp(min=1).unsqueeze(1)
    return mean


def sinusoids(position: Tensor, width: int) -> Tensor:
    """float [n, width]: Vaswani et al. (2017), section 3.5; any length of career has its positions."""
    half = torch.arange(width // 2, device=position.device, dtype=torch.float32)
    angle = position.unsqueeze(1) / 10_000 ** (half / (width // 2))
    return F.pad(torch.cat([angle.sin(), angle.cos()], dim=1), (0, width % 2))
