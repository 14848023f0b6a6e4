"""The sparse design of ``softmax``: what is known of a transition as columns, each with a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse

from harness.features.catalogue import CATALOGUE
from harness.features.discrete import Discretizer, quantiles
from harness.features.pairs import Inputs
from harness.panel import Occupations
from harness.types import FloatArray, IntArray

Part = Literal["staying", "states"]  # of the model: P(stay), and where those go who leave
LAGS = ("origin", "previous")  # a column a state, a minor group and a major group each; of older ones recall says more
NUMBERS = ("age", "year", "tenure", "group_tenure", "records_employed", "since_employed", "records_studying")


@dataclass(frozen=True)
class DesignBlock:
    """Columns that one feature makes.

    name: as a reader knows it. source: the context or the number that it is read from. labels: what each column stands
    for. knots: of a number, between which it is linear. of: for groups of states, int64 [K], the column of each state.
    """

    name: str
    kind: str
    source: str
    labels: tuple[str, ...]
    knots: tuple[float, ...] = ()
    of: tuple[int, ...] = ()

    def columns(self, inputs: Inputs, numbers: Sequence[str]) -> Any:
        """CSR matrix [n, labels]; nothing but zeros where the feature is missing, but for a number's last column."""
        if self.kind == "number":
            return _pieces(inputs.numbers[:, list(numbers).index(self.source)], np.array(self.knots))
        code = inputs.codes[self.source]
        if self.of:
            code = np.where(code >= 0, np.array(self.of)[code], -1)
        return indicators(code, len(self.labels))


def indicators(code: IntArray, size: int) -> Any:
    """CSR matrix [n, size] of ones; code: int64 [n], -1 for none."""
    known = code >= 0
    begin = np.concatenate([[0], np.cumsum(known)])
    return sparse.csr_matrix((np.ones(int(known.sum())), code[known], begin), shape=(len(code), size))


def _pieces(values: FloatArray, knots: FloatArray) -> Any:
    """CSR matrix [n, knots + 1]: weights of the two knots that a value lies between, and whether it is missing."""
    missing = np.isnan(values)
    inside = np.clip(np.where(missing, knots[0], values), knots[0], knots[-1])
    left = np.clip(np.searchsorted(knots, inside, side="right") - 1, 0, len(knots) - 2)
    share = (inside - knots[left]) / (knots[left + 1] - knots[left])
    weights = np.where(missing[:, None], [1.0, 0.0], np.column_stack([1 - share, share])).ravel()
    right = np.where(missing, len(knots), left + 1)
    column = np.column_stack([np.where(missing, len(knots), left), right]).ravel()
    made = sparse.csr_matrix((weights, column, np.arange(len(values) + 1) * 2), shape=(len(values), len(knots) + 1))
    made.sum_duplicates()
    made.eliminate_zeros()
    return made


@dataclass(frozen=True)
class DesignLayout:
    """The columns of a design. blocks: of every state's utility. staying: further ones that bear on staying alone.

    numbers: the numeric features, in the order of ``Inputs.numbers``.
    """

    blocks: tuple[DesignBlock, ...]
    staying: tuple[DesignBlock, ...]
    numbers: tuple[str, ...]

    @classmethod
    def fit(
        cls, inputs: Inputs, discretizer: Discretizer, occupations: Occupations, pieces: int, groups: bool
    ) -> DesignLayout:
        """Columns of what varies among training transitions."""
        blocks = list(_states(occupations, groups))
        levels = {c.name for c in discretizer.features if c.kind == "level"}
        spells = {f"{name}_{end}" for name in levels for end in ("changed", "years")}  # these bear on staying alone
        for feature in discretizer.features:
            if feature.kind == "level":
                blocks.append(DesignBlock(feature.name, "level", feature.name, feature.levels))
        further = [
            DesignBlock(
                c.name,
                "level",
                c.name,
                tuple(
                    f"{one}, {other}" for one in _of(discretizer, c.parts[0]) for other in _of(discretizer, c.parts[1])
                ),
            )
            for c in discretizer.features
            if c.kind == "cross"
        ]
        for j, name in enumerate(discretizer.numbers):
            knots = _knots(inputs.numbers[:, j], pieces)
            if not knots:
                continue
            labels = (*(f"{knot:g}" for knot in knots), "missing")
            wanted = name in NUMBERS or (name not in CATALOGUE and name not in spells)
            (blocks if wanted else further).append(DesignBlock(name, "number", name, labels, knots=knots))
        return cls(tuple(blocks), tuple(further), discretizer.numbers)

    def matrix(self, inputs: Inputs) -> Any:
        """CSR [n, 1 + columns], a constant first."""
        return self._stack(self.blocks, inputs)

    def staying_matrix(self, inputs: Inputs) -> Any:
        """CSR [n, 1 + columns + further columns]."""
        return self._stack((*self.blocks, *self.staying), inputs)

    def _stack(self, blocks: Sequence[DesignBlock], inputs: Inputs) -> Any:
        constant = sparse.csr_matrix(np.ones((len(inputs), 1)))
        return sparse.hstack([constant, *(b.columns(inputs, self.numbers) for b in blocks)], format="csr")

    def names(self, staying: bool = False) -> list[str]:
        """Of the columns of ``matrix``, or of ``staying_matrix``."""
        blocks = (*self.blocks, *self.staying) if staying else self.blocks
        return ["constant", *(f"{b.name}: {label}" for b in blocks for label in b.labels)]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> DesignLayout:
        def blocks(name: str) -> tuple[DesignBlock, ...]:
            return tuple(
                DesignBlock(b["name"], b["kind"], b["source"], *(tuple(b[key]) for key in ("labels", "knots", "of")))
                for b in stored[name]
            )

        return cls(blocks("blocks"), blocks("staying"), tuple(stored["numbers"]))


def _of(discretizer: Discretizer, name: str) -> tuple[str, ...]:
    return next(c.levels for c in discretizer.features if c.name == name)


def _states(occupations: Occupations, groups: bool) -> list[DesignBlock]:
    """Columns of the states held: the states themselves, their minor and their major groups."""
    group, names = occupations.group_index()
    minor = occupations.minor_index()
    first = {int(m): title for m, title in reversed(list(zip(minor, occupations.titles, strict=True)))}
    minors = tuple(f"as {first[m]}" for m in range(int(minor.max()) + 1))
    blocks = []
    for lag in LAGS:
        blocks.append(DesignBlock(lag, "state", lag, occupations.titles))
        if groups and len(minors) < len(occupations):
            blocks.append(DesignBlock(f"minor group of {lag}", "state", lag, minors, of=tuple(minor.tolist())))
        if groups and len(names) < len(occupations):
            blocks.append(DesignBlock(f"major group of {lag}", "state", lag, names, of=tuple(group.tolist())))
    return blocks


def _knots(values: FloatArray, pieces: int) -> tuple[float, ...]:
    """Quantiles that differ; none where nothing varies."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return ()
    knots = np.unique(quantiles(known, np.linspace(0, 1, pieces + 1)))
    return tuple(float(knot) for knot in knots) if len(knots) > 1 else ()
