"""The evidence that record files hold: what figures, tests and intervals are computed from, as lists."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from harness.stats.figures import DECIMALS, Evidence
from harness.types import FloatArray, IntArray

OPTIONAL_COLUMNS = ("weight", "likeliest_cells", "likeliest_right", "likeliest_wrong", "units", "strata")


class Closed(BaseModel):
    """Base of everything in a record file: nothing unknown, nothing changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EvidenceColumns(Closed):
    """``harness.stats.figures.Evidence`` as lists, to six decimals; log-likelihoods in nats.

    Of a field that is None and newer than some record files, or that only some panels have, the file does not know.
    """

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

    @model_serializer(mode="wrap")
    def _drop_unset(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        for name in OPTIONAL_COLUMNS:
            if written[name] is None:
                del written[name]
        return written

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

    persons: int
    transitions: int
    counted: list[int] | list[float]
    log_likelihood: list[float]


Slices = dict[str, dict[str, Part]]  # dimension -> level -> part


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
