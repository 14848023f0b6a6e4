"""Records beside one another: log-likelihoods of the same persons, on one set of draws, so that differences are paired.

What is drawn are the panel's persons, or the sampling units of its survey, as every record of it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import RequestError
from harness.records.kinds import survey_design_of
from harness.records.record import Record
from harness.stats.inference import Estimate, Resampled
from harness.types import FloatArray


@dataclass(frozen=True, eq=False)
class Paired:
    """M records of the same transitions.

    log_likelihood: float64 [P, M], sums by person, in nats. drawn: the same columns, resampled.
    """

    log_likelihood: FloatArray
    drawn: Resampled

    @classmethod
    def of(cls, records: Sequence[Record]) -> Paired:
        """One record or more, in the order given. RequestError where two do not count the same transitions."""
        require_same_transitions(records)
        first = records[0]
        sums = np.column_stack([record.evidence.log_likelihood for record in records]).astype(np.float64)
        return cls(sums, Resampled(sums, first.evidence.counted, survey_design_of(first)))


def perplexity_of(record: Record) -> Estimate:
    """A record's perplexity with its standard error and interval."""
    return Paired.of([record]).drawn.perplexities()[0]


def require_same_transitions(records: Sequence[Record]) -> None:
    """RequestError where two records of one task and panel do not count the same transitions, drawn alike."""
    first = records[0]
    for other in records[1:]:
        if not other.evidence.same_transitions(first.evidence):
            raise RequestError(
                f"records {first.id} and {other.id} claim task '{first.configuration.task}' on the same panel, but do "
                "not count the same transitions at risk: one of the files was edited; run it again with --force"
            )
