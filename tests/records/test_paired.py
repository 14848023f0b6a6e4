"""Records beside one another: one set of draws, and no comparison of other transitions."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.toys import run_all, run_on

from harness.errors import RequestError
from harness.panel.careers import Panel
from harness.records.paired import Paired, perplexity_of
from harness.records.record import Record
from harness.runs.execute import Workshop
from harness.stats import inference


@pytest.fixture
def two(workshop: Workshop, four_persons: Panel) -> list[Record]:
    registry = workshop.registry
    entries = [None, registry.models["uniform"]]
    records = []
    for entry in entries:
        params = {} if entry is None else {"params": entry.item.params()}
        records += run_all(run_on(registry, four_persons, entry=entry, **params), workshop)
    return records


def test_differences_are_paired_on_persons(two: list[Record]) -> None:
    first, other = (np.array(record.evidence.log_likelihood) for record in two)
    paired = Paired.of(two)
    assert paired.log_likelihood.tolist() == np.column_stack([first, other]).tolist()
    expected = inference.differences(other[:, None], first, two[0].evidence.counted)
    assert paired.drawn.differences(0)[1:] == expected
    assert perplexity_of(two[1]) == paired.drawn.perplexities()[1]


def test_records_of_other_transitions_are_refused(two: list[Record]) -> None:
    evidence = two[1].evidence.model_copy(update={"transitions": [n + 1 for n in two[1].evidence.transitions]})
    edited = two[1].model_copy(update={"evidence": evidence})
    with pytest.raises(RequestError, match=f"{two[0].id} and {edited.id} claim task 'next_occ' on the same panel"):
        Paired.of([two[0], edited])
