"""Records beside one another: log-likelihoods of the same persons, on one set of draws, so that differences are paired.

What is drawn are the panel's persons, or the sampling units of its survey, as every record of it says. Records that
differ in their seed alone may stand together for their model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import RequestError
from harness.records.kinds import survey_design_of
from harness.records.record import Record
from harness.stats.inference import Estimate, Resampled
from harness.stats.seeds import columns_of, mean_over_seeds
from harness.types import FloatArray


@dataclass(frozen=True, eq=False)
class Paired:
    """M records, or M models of one or more seeds each, of the same transitions.

    log_likelihood: float64 [P, M], sums by person, in nats, means over seeds. drawn: the same columns, resampled.
    """

    log_likelihood: FloatArray
    drawn: Resampled

    @classmethod
    def of(cls, records: Sequence[Record]) -> Paired:
        """One record or more, in the order given. RequestError where two do not count the same transitions."""
        return cls.over_seeds([(record,) for record in records])

    @classmethod
    def over_seeds(cls, models: Sequence[Sequence[Record]]) -> Paired:
        """One model or more, in the order given, each as the records of its seeds. RequestError as ``of``."""
        every = [record for seeds in models for record in seeds]
        require_same_transitions(every)
        first = every[0]
        sums = np.column_stack([record.evidence.log_likelihood for record in every]).astype(np.float64)
        of = [m for m, seeds in enumerate(models) for _ in seeds]
        means = np.column_stack([mean_over_seeds(sums[:, own]) for own in columns_of(of, len(of))])
        return cls(means, Resampled(sums, first.evidence.counted, survey_design_of(first), model=of))


def perplexity_of(*seeds: Record) -> Estimate:
    """The perplexity of a record, or of a model by the records of its seeds, with its standard error and interval."""
    return Paired.over_seeds([seeds]).drawn.perplexities()[0]


def require_same_transitions(records: Sequence[Record]) -> None:
    """RequestError where two records of one task and panel do not count the same transitions, drawn alike."""
    first = records[0]
    for other in records[1:]:
        if not other.evidence.same_transitions(first.evidence):
            raise RequestError(
                f"records {first.id} and {other.id} claim task '{first.configuration.task}' on the same panel, but do "
                "not count the same transitions at risk: one of the files was edited; run it again with --force"
            )
