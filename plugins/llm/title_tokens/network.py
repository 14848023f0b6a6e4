"""A language model's layers between tokens that are whole pieces of a career and a head of states alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from harness.network.columns import ColumnVectors
from harness.network.head import Head, HeadShape, Start, StateVectors
from harness.network.layers import Shape, Transformer, sinusoids
from harness.network.transitions import CareerBatch, TransitionBatch
from harness.plugins.llm.text.loader import causal_of
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.training.dropout import DropoutLayer, SeededDropout

# Among the tensors of a network: what the head starts from, the major group of each state, how alike titles are.
START, GROUPS, LIKENESS = ("head.start", "head.stay_start"), "head.states.groups", "head.alike.likeness"


@dataclass(frozen=True, kw_only=True)
class PieceBatch:
    """Sequences as the network reads them, B of them of L positions, and the n transitions that they predict.

    pieces: int64 [B, L, w], numbers of pieces, 0 where there is none. where: bool [B, L], the n positions that predict,
    in the order of the transitions. whole: for a network that reads states beside the language model, None for any
    other.
    """

    pieces: Tensor
    where: Tensor
    transitions: TransitionBatch
    whole: WholeCareers | None = None


@dataclass(frozen=True, kw_only=True)
class WholeCareers:
    """All transitions of the persons of a batch, and the places of its n transitions among them, int64 [n]."""

    careers: CareerBatch
    asked: Tensor


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
class HeadPlan:
    """The head of a network. width: dimensions of the vectors that it reads. columns: of what is known of a transition.

    layers: of a transformer that reads the states beside the language model; 0: the head reads the origin alone.
    recall: whether states held before are scored as such. dropout: of tokens' vectors and of what the head reads.
    state_dropout: share of a history's titles that training does not see.
    """

    width: int
    columns: int
    layers: int
    recall: bool
    dropout: float
    state_dropout: float


class TitleTokenNetwork(nn.Module):
    """ln P(state) at positions of a sequence of pieces; P pieces, K states, D dimensions.

    A piece's vector is the mean of its words' embeddings, as the base has them, and a vector of its own, which is
    trained from zero and decays to it; a piece that was not trained on has the mean alone. What the last hidden state
    says is added, in a space of few dimensions, to the origin and the columns of a transition, or to what a small
    transformer over them says, and CAREER's head reads the sum (Vafa et al. 2022, eq. 3-5): a survey is too small to
    teach a large network that people mostly stay, whatever they do, and that they return to what they have done.
    pieces: of the careers of training. likeness: float32 [K, K], how alike titles are, or None.
    """

    def __init__(
        self, model: Any, pieces: PieceVectors, *, plan: HeadPlan, start: Start, likeness: Tensor | None
    ) -> None:
        super().__init__()
        self.model = model
        self.pieces = pieces
        self.own = nn.Parameter(torch.zeros_like(pieces.words))
        self.project = ColumnVectors(pieces.words.shape[1], plan.width)
        nn.init.zeros_(self.project.weight)  # so tuning begins with the answers of the head by itself
        self.columns = ColumnVectors(plan.columns, plan.width)
        states = StateVectors(len(start.groups), plan.width, start.groups, None)
        self.head = Head(HeadShape(own_stay=True, recall=plan.recall), plan.width, start, states, likeness=likeness)
        self.drop = DropoutLayer(plan.dropout, SeededDropout())
        self.reader = _reader(plan, self.drop.seeded) if plan.layers else None
        self.state_dropout = plan.state_dropout
        self._reads = True

    def placed(self, device: str) -> TitleTokenNetwork:
        """Itself, on a device."""
        self.pieces = self.pieces.to(device)
        return self.to(device)

    @contextmanager
    def head_alone(self) -> Iterator[None]:
        """The language model is not read: it says nothing at any position."""
        before, self._reads = self._reads, False
        try:
            yield
        finally:
            self._reads = before

    def forward(self, batch: PieceBatch, table: Tensor) -> Tensor:
        """float32 [n]: ln P(target). table: float32 [P, D], the vectors of the pieces."""
        hidden = self._hidden(batch, table)
        with in_float32(hidden.device):
            found: Tensor = self.head.log_likelihood(self._read(hidden, batch), batch.transitions)
        return found

    def rows(self, batch: PieceBatch, table: Tensor) -> Tensor:
        """float32 [n, K]: ln P of every state."""
        hidden = self._hidden(batch, table)
        everyone = torch.arange(len(hidden), device=hidden.device)
        with in_float32(hidden.device):
            found: Tensor = self.head.rows(self._read(hidden, batch), batch.transitions, everyone)
        return found

    def _hidden(self, batch: PieceBatch, table: Tensor) -> Tensor:
        """float32 [n, D]: the last hidden states of the positions that predict, zero where the head is alone."""
        if not self._reads:
            return table.new_zeros(int(batch.where.sum()), table.shape[1])
        given = self.drop(nn.functional.embedding(self._seen(batch.pieces), table).sum(dim=2))
        # No mask: attention is causal, and padding stands on the right, where nothing that counts can see it.
        found: Tensor = decoder_of(self.model)(inputs_embeds=given, use_cache=False).last_hidden_state[batch.where]
        return found.float()

    def _seen(self, pieces: Tensor) -> Tensor:
        """Training does not see some titles: what follows must not hang on one of them alone."""
        if not (self.training and self.state_dropout):
            return pieces
        generator = self.drop.seeded.generator
        hidden = torch.rand(pieces.shape, device=pieces.device, generator=generator) < self.state_dropout
        states = len(cast(Tensor, self.head.start))
        return pieces.masked_fill(hidden & (pieces >= 1) & (pieces <= states), 0)

    def _read(self, hidden: Tensor, batch: PieceBatch) -> Tensor:
        """float32 [n, width]"""
        said = self.project(nn.functional.normalize(hidden, dim=1))
        if self.reader is None:
            total: Tensor = self.drop(said + self._known(batch.transitions, self._states()[batch.transitions.origin]))
            return total
        assert batch.whole is not None
        careers = batch.whole.careers
        known = self._known(careers, self._partly_seen(self._states()[careers.origin]))
        read: Tensor = self.reader(self.drop(known + 0.02 * sinusoids(careers.position, known.shape[1])), careers)
        beside: Tensor = read.index_select(0, batch.whole.asked) + self.drop(said)
        return beside

    def _states(self) -> Tensor:
        """float32 [K, width]"""
        assert self.head.states is not None
        vectors: Tensor = self.head.states()
        return vectors

    def _known(self, of: TransitionBatch, origins: Tensor) -> Tensor:
        known: Tensor = self.columns(of.columns) + origins
        return known

    def _partly_seen(self, vectors: Tensor) -> Tensor:
        """As ``_seen``, of the states that the small transformer reads."""
        if not (self.training and self.state_dropout):
            return vectors
        drawn = torch.rand(len(vectors), 1, device=vectors.device, generator=self.drop.seeded.generator)
        return vectors * (drawn >= self.state_dropout)

    def table(self, of: PieceVectors) -> Tensor:
        """float32 [P, D]: the vectors of these pieces; the first, of the absent one, is zero."""
        vectors = of.words + self.own[of.known]
        return torch.cat([torch.zeros_like(vectors[:1]), vectors[1:]])

    def own_tensors(self) -> dict[str, Tensor]:
        """All that is not the language model's, each once, by name: parameters, and the start of the head."""
        own = {name: tensor for name, tensor in self.named_parameters() if not name.startswith("model.")}
        buffers = {name: tensor for name, tensor in self.named_buffers() if name.startswith("head.")}
        return own | {name: buffers[name] for name in (*START, GROUPS, LIKENESS) if name in buffers}


def _reader(plan: HeadPlan, seeded: SeededDropout) -> Transformer:
    """CAREER's, of the size that does best on a few thousand persons, but for its layers and width."""
    shape = Shape("transformer", plan.layers, plan.width, heads=2, inner=4 * plan.width, dropout=plan.dropout)
    return Transformer(shape, seeded)


def in_float32(device: torch.device) -> AbstractContextManager[None]:
    """Whatever the type of the language model's products is."""
    return torch.autocast(device.type, enabled=False)


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


def random_like(vectors: Tensor, strings: Sequence[str], seed: int) -> Tensor:
    """Random vectors, each of the spread of its own and decided by it, its string and the seed: by no other vector."""
    drawn = [_normal(f"{seed} {string}", vectors.shape[1]) for string in strings]
    return torch.stack(drawn).to(vectors) * vectors.std(dim=1, keepdim=True)


def _normal(name: str, size: int) -> Tensor:
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
    return torch.randn(size, generator=torch.Generator().manual_seed(key))
