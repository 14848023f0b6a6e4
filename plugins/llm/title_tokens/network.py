"""A language model's layers between tokens that are whole pieces of a career and an output layer of states alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from harness.plugins.llm.text.loader import causal_of
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.training.dropout import DropoutLayer, SeededDropout

START_SCALE = 0.3  # of the base's own scores: they say which title is fluent before they say which is likely


@dataclass(frozen=True, kw_only=True)
class CareerBatch:
    """Sequences as the network reads them; B sequences of L positions, c targets, K states.

    pieces: int64 [B, L, w], numbers of pieces, 0 where there is none. where: bool [B, L], the positions that predict.
    origin: int64 [c], the state before each target; K where there is none. tenure: float32 [c], ln of one more than the
    years that the origin has lasted. held: float32 [c, K], ln of one more than the records of each state so far.
    """

    pieces: Tensor
    where: Tensor
    origin: Tensor
    tenure: Tensor
    held: Tensor

    def to(self, device: torch.device) -> CareerBatch:
        """The same on a device."""
        return CareerBatch(**{name: getattr(self, name).to(device) for name in self.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class PieceVectors:
    """Vectors of P pieces that do not change in training.

    words: float32 [P, D], the mean of each piece's words. known: int64 [P], the number that each has among the pieces
    of training; 0 where it is none of them.
    """

    words: Tensor
    known: Tensor

    def to(self, device: str) -> PieceVectors:
        """The same on a device."""
        return PieceVectors(words=self.words.to(device), known=self.known.to(device))


@dataclass(frozen=True, kw_only=True)
class StartingConstants:
    """Where the constants begin, from what is counted in training, all against entering any other state.

    entering: float32 [K], ln of the shares of the states that people enter. staying: float32 [K], log-odds of staying
    in each state. returning: log-odds of entering one state that was held before.
    """

    entering: Tensor
    staying: Tensor
    returning: float


class TitleTokenNetwork(nn.Module):
    """ln P(state) at positions of a sequence of pieces; P pieces, K states, D dimensions.

    A piece's vector is the mean of its words' embeddings, as the base has them, and a vector of its own, which is
    trained from zero and decays to it; a piece that was not trained on has the mean alone. The output layer begins in
    the same way, from the rows of the base's own: a state's score is at first that of its title's words.
    The origin and the states held before have a pointer each, whose strength the last hidden state decides (after See,
    Liu and Manning 2017): a survey is too small to teach a network that people mostly stay, whatever they do.
    pieces: of the careers of training. rows: float32 [K, D], the output layer's. start: where its constants begin.
    dropout: of the pieces' vectors and of the last hidden
    states; seeded: where they draw from.
    """

    rows: Tensor

    def __init__(
        self,
        model: Any,
        pieces: PieceVectors,
        *,
        rows: Tensor,
        start: StartingConstants,
        dropout: float,
        seeded: SeededDropout,
    ) -> None:
        super().__init__()
        self.model = model
        self.pieces = pieces
        self.register_buffer("rows", rows)
        width = rows.shape[1]
        self.own = nn.Parameter(torch.zeros_like(pieces.words))
        self.own_rows = nn.Parameter(torch.zeros_like(rows))
        self.entering = nn.Parameter(start.entering.clone())
        self.staying = nn.Parameter(start.staying.clone())
        self.returning = nn.Parameter(torch.tensor([start.returning, 0.0, 0.0]))
        self.scale = nn.Parameter(torch.full((), START_SCALE))
        self.pointers = nn.Parameter(torch.zeros(2, width))
        self.drop = DropoutLayer(dropout, seeded)

    def forward(self, batch: CareerBatch, table: Tensor) -> Tensor:
        """float32 [c, K]: scores of every state at the targets. table: float32 [P, D], the vectors of the pieces."""
        given = self.drop(nn.functional.embedding(batch.pieces, table).sum(dim=2))
        # No mask: attention is causal, and padding stands on the right, where nothing that counts can see it.
        hidden = decoder_of(self.model)(inputs_embeds=given, use_cache=False).last_hidden_state[batch.where]
        hidden = self.drop(hidden)
        rows = self.scale * (self.rows + self.own_rows)
        return nn.functional.linear(hidden, rows).float() + self._constants_of(hidden, batch)

    def _constants_of(self, hidden: Tensor, batch: CareerBatch) -> Tensor:
        """float32 [c, K]: the constant of entering a state, of staying in the origin, or of returning to one."""
        stay, back = nn.functional.linear(hidden, self.pointers).float().unbind(dim=1)
        returns, with_times, with_tenure = self.returning
        returning = (returns + back)[:, None] + with_times * batch.held
        staying = self.staying + (stay + with_tenure * batch.tenure)[:, None]
        is_origin = nn.functional.one_hot(batch.origin, batch.held.shape[1] + 1)[:, :-1].bool()
        entering = torch.where(batch.held > 0, returning, self.entering)
        return torch.where(is_origin, staying, entering)

    def table(self, of: PieceVectors) -> Tensor:
        """float32 [P, D]: the vectors of these pieces; the first, of the absent one, is zero."""
        vectors = of.words + self.own[of.known]
        return torch.cat([torch.zeros_like(vectors[:1]), vectors[1:]])


def decoder_of(model: Any) -> Any:
    """The layers of a causal language model, adapters and all, without its output layer."""
    return causal_of(model).base_model


def mean_vectors(embed: nn.Module, strings: Sequence[str], pieces: PieceEncoder) -> Tensor:
    """float32 [P, D]: the mean of each string's token embeddings.

    embed: from token ids to vectors, scaled as the base scales them. The empty string stands for the token that begins
    a text.
    """
    starts = pieces.start or pieces.encode(["\n"])[0]
    rows = [row or starts for row in pieces.encode(strings)]
    with torch.no_grad():
        device = next(embed.parameters()).device
        return torch.stack([embed(torch.tensor(row).to(device)).float().mean(dim=0) for row in rows])


def output_rows(model: Any, strings: Sequence[str], pieces: PieceEncoder) -> Tensor:
    """float32 [K, D]: the mean of the output layer's rows of each string's tokens."""
    weight = model.get_output_embeddings().weight
    with torch.no_grad():
        rows = pieces.encode(strings)
        return torch.stack([weight[torch.tensor(row).to(weight.device)].float().mean(dim=0) for row in rows])


def random_like(vectors: Tensor, strings: Sequence[str], seed: int) -> Tensor:
    """Random vectors of the same spread, each decided by its string and the seed alone."""
    drawn = [_normal(f"{seed} {string}", vectors.shape[1]) for string in strings]
    return torch.stack(drawn).to(vectors) * vectors.std(dim=1).mean()


def _normal(name: str, size: int) -> Tensor:
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
    return torch.randn(size, generator=torch.Generator().manual_seed(key))
