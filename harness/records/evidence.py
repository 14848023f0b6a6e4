"""The evidence that record files hold: what figures, tests and intervals are computed from, as lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from harness.stats.figures import DECIMALS, GRID, Evidence
from harness.types import FloatArray, IntArray

SLACK = 1e-5  # of sums that are kept to six decimals
MOST_NATS = 1e6  # a transition: minus ln of the least probability that is ever told apart from a mistake
MOST_MEAN_NATS = 700.0  # a transition, of all: beyond it the perplexity is no number
MOST = 1e15  # of what transitions count for: whole numbers up to here are exact in float64
TABLES = (("cells", "event_counts", "other_counts"), ("likeliest_cells", "likeliest_right", "likeliest_wrong"))
PERSON_COLUMNS = (
    "transitions",
    "log_likelihood",
    "top_1",
    "top_5",
    "brier",
    "log_likelihood_open",
    "weight",
    "units",
    "strata",
)  # with a value for each person


class Closed(BaseModel):
    """Base of everything in a record file: nothing unknown, nothing changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class Sparse(Closed):
    """Base of parts that are not written whole: a field of ``unsaid`` at its default is not in the file.

    So a file that is older than a field, or was made without it, is the same to the last byte when it is written again.
    """

    unsaid: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _drop_unsaid(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        for name in self.unsaid:
            if getattr(self, name) == type(self).model_fields[name].get_default(call_default_factory=True):
                written.pop(name, None)
        return written


class EvidenceColumns(Sparse):
    """``harness.stats.figures.Evidence`` as lists, to six decimals; log-likelihoods in nats.

    Of a field that is None and newer than some record files, or that only some panels have, the file does not know.
    """

    unsaid = ("weight", "likeliest_cells", "likeliest_right", "likeliest_wrong", "units", "strata")

    ids: list[str]
    transitions: list[int]
    log_likelihood: list[float]
    top_1: list[int] | list[float] | None = None
    top_5: list[int] | list[float] | None = None
    brier: list[float] | None = None
    cells: list[int] | None = None
    event_counts: list[int] | list[float] | None = None
    other_counts: list[int] | list[float] | None = None
    log_likelihood_open: list[float] | None = None
    weight: list[float] | None = None
    likeliest_cells: list[int] | None = None
    likeliest_right: list[int] | list[float] | None = None
    likeliest_wrong: list[int] | list[float] | None = None
    units: list[int] | None = None
    strata: list[int] | None = None

    @model_validator(mode="after")
    def _could_have_been_measured(self) -> Self:
        """ValueError, by column, for evidence that no run of any model could have left."""
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("ids: a person stands there twice")
        require_lengths(self, PERSON_COLUMNS, len(self.ids), "persons")
        for first, *others in TABLES:
            require_lengths(self, others, len(getattr(self, first) or ()), "cells")
        for name, (lowest, highest) in self._bounds().items():
            require_between(name, getattr(self, name), lowest, highest)
        total, counted = sum(self.log_likelihood), float(self.counted.sum())
        if -total > MOST_MEAN_NATS * counted + SLACK:
            raise ValueError(f"log_likelihood: {total:g} nats in all, of {counted:g} transitions: no perplexity")
        return self

    def _bounds(self) -> dict[str, tuple[float | FloatArray, float | FloatArray]]:
        """The least and the most that a value of each column can be."""
        counted = self.counted.astype(np.float64)
        nats = (-MOST_NATS * np.maximum(counted, 1.0), 0.0)
        hits, counts, cells, numbers = (0.0, counted), (0.0, MOST), (0.0, float(GRID)), (0.0, float(len(self.ids)))
        return {
            "transitions": counts,
            "weight": counts,
            "log_likelihood": nats,
            "log_likelihood_open": nats,
            "top_1": hits,
            "top_5": hits,
            "brier": (0.0, 2.0 * counted),
            "event_counts": counts,
            "other_counts": counts,
            "likeliest_right": counts,
            "likeliest_wrong": counts,
            "cells": cells,
            "likeliest_cells": cells,
            "units": numbers,
            "strata": numbers,
        }

    @property
    def counted(self) -> IntArray | FloatArray:
        """[P]: what each person's transitions count for together; how many they are where the panel has no weights."""
        if self.weight is None:
            return np.array(self.transitions, dtype=np.int64)
        return np.array(self.weight, dtype=np.float64)

    @property
    def drawn(self) -> dict[str, list[int] | None]:
        """The draw of the persons, which is the panel's to say and no run's."""
        return {"units": self.units, "strata": self.strata}

    def same_transitions(self, other: EvidenceColumns) -> bool:
        """True where both are of the same persons' transitions, drawn alike, and these count for the same."""
        mine, theirs = ((e.ids, e.transitions, e.weight, e.units, e.strata) for e in (self, other))
        return mine == theirs


class Part(Closed):
    """Some of a record's transitions, by random groups of persons (``harness.records.slices``).

    persons, transitions: how many there are. counted, log_likelihood: [G], of each group, what its transitions count
    for, and the sum of their log-likelihoods in nats.
    """

    persons: int = Field(ge=0)
    transitions: int = Field(ge=0)
    counted: list[int] | list[float]
    log_likelihood: list[float]

    @model_validator(mode="after")
    def _could_have_been_measured(self) -> Self:
        require_lengths(self, ("log_likelihood",), len(self.counted), "groups")
        require_between("counted", self.counted, 0.0, MOST)
        most = MOST_NATS * max(float(sum(self.counted)), 1.0)
        require_between("log_likelihood", self.log_likelihood, -most, 0.001)  # kept to a thousandth
        return self


Slices = dict[str, dict[str, Part]]  # dimension -> level -> part


def require_lengths(of: BaseModel, names: Iterable[str], length: int, what: str) -> None:
    """ValueError where one of these columns has another number of values. None of a column that is not there."""
    for name in names:
        column = getattr(of, name)
        if column is not None and len(column) != length:
            raise ValueError(f"{name}: {len(column)} values for {length} {what}")


def require_between(
    name: str, column: Sequence[float] | None, lowest: float | FloatArray, highest: float | FloatArray
) -> None:
    """ValueError, with the first of them, where values lie outside. Nothing of a column that is not there."""
    if column is None or _all_between(column, lowest, highest):
        return
    try:
        values = np.array(column, dtype=np.float64)
    except OverflowError:
        raise ValueError(f"{name}: a number too large to be one") from None
    off = np.flatnonzero((values < lowest - SLACK) | (values > highest + SLACK))
    if len(off):
        low, high = (np.broadcast_to(bound, values.shape)[off[0]] for bound in (lowest, highest))
        raise ValueError(f"{name}: {values[off[0]]:g}, which must lie between {low:g} and {high:g}")


def _all_between(column: Sequence[float], lowest: float | FloatArray, highest: float | FloatArray) -> bool:
    """True where numbers alone tell that all values lie inside: an array of each of many short columns is dear."""
    if isinstance(lowest, np.ndarray) or isinstance(highest, np.ndarray) or not column:
        return False
    return lowest - SLACK <= min(column) and max(column) <= highest + SLACK


def require_groups(slices: Slices) -> None:
    """ValueError where parts are not of the same groups of persons."""
    lengths = {len(part.counted) for levels in slices.values() for part in levels.values()}
    if len(lengths) > 1:
        raise ValueError(f"slices: parts of {min(lengths)} and of {max(lengths)} groups of persons")


def add_up(slices: Slices, evidence: EvidenceColumns) -> bool:
    """True where the levels of every dimension hold the evidence's transitions and log-likelihood between them.

    Sums of groups are kept to a thousandth of a nat, so they may differ by half of that for each.
    """
    for levels in slices.values():
        sums = [value for part in levels.values() for value in part.log_likelihood]
        if sum(part.transitions for part in levels.values()) != sum(evidence.transitions):
            return False
        if abs(sum(sums) - sum(evidence.log_likelihood)) > 0.0005 * (len(sums) + 1):
            return False
    return True


def freeze(evidence: Evidence) -> EvidenceColumns:
    """The evidence as a record keeps it."""
    columns: dict[str, Any] = {"ids": list(evidence.ids)}
    for name in EvidenceColumns.model_fields:
        if name != "ids":
            values = getattr(evidence, name)
            columns[name] = None if values is None else np.round(values, DECIMALS).tolist()
    return EvidenceColumns(**columns)
