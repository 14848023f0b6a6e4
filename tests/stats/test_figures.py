"""Figures against scikit-learn and against definitions written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from harness.model.task import Event
from harness.records.evidence import EvidenceColumns, freeze
from harness.stats import figures as scoring
from harness.stats.figures import Scores, gather


def binary(prob: np.ndarray, happened: np.ndarray, person: np.ndarray) -> scoring.Evidence:
    log_event = np.log(prob)
    scores = Scores(5, Event.observed(log_event, happened), person, log_event=log_event, happened=happened)
    return gather(scores, [f"p{i}" for i in range(5)])


outcomes = st.lists(
    st.tuples(st.integers(1, 9_999).map(lambda c: c / 10_000), st.booleans(), st.integers(0, 4)),
    min_size=2,
    max_size=60,
).filter(lambda rows: len({happened for _, happened, _ in rows}) == 2)


@settings(max_examples=50)
@given(outcomes)
def test_binary_figures_are_those_of_scikit_learn(rows: list[tuple[float, bool, int]]) -> None:
    prob, happened, person = (np.array(column) for column in zip(*rows, strict=True))
    evidence = binary(prob, happened, person)
    assert scoring.auc(evidence) == pytest.approx(roc_auc_score(happened, prob))
    assert scoring.log_loss(evidence) == pytest.approx(sklearn_log_loss(happened, prob))
    assert scoring.brier_score(evidence) == pytest.approx(brier_score_loss(happened, prob))
    assert scoring.n_transitions(evidence) == len(rows)


def test_auc_needs_both_outcomes() -> None:
    evidence = binary(np.array([0.2, 0.3]), np.array([True, True]), np.array([0, 1]))
    assert scoring.auc(evidence) is None


def test_perplexity_of_a_uniform_model_is_the_number_of_states() -> None:
    scores = Scores(2, np.full(6, -np.log(7.0)), np.array([0, 0, 0, 0, 1, 1]))
    assert scoring.perplexity(gather(scores, ["a", "b"])) == pytest.approx(7)


def test_top_k_and_sums_by_person() -> None:
    scores = Scores(3, np.log([0.5, 0.25, 0.1]), np.array([0, 2, 2]), rank=np.array([1, 5, 6]))
    evidence = gather(scores, ["a", "b", "c"])
    assert evidence.ids == ("a", "c")  # b has no transition at risk
    assert evidence.transitions.tolist() == [1, 2]
    assert evidence.log_likelihood.tolist() == pytest.approx([np.log(0.5), np.log(0.025)])
    assert scoring.accuracy(evidence.top_1, evidence) == pytest.approx(1 / 3)
    assert scoring.accuracy(evidence.top_5, evidence) == pytest.approx(2 / 3)


def test_evidence_as_kept_is_a_list_of_plain_numbers() -> None:
    kept = freeze(binary(np.array([0.25, 0.5]), np.array([True, False]), np.array([0, 3])))
    assert isinstance(kept, EvidenceColumns)
    assert kept.ids == ["p0", "p3"]
    assert kept.log_likelihood == [round(np.log(0.25), 6), round(np.log(0.5), 6)]
    assert (kept.cells, kept.event_counts, kept.other_counts) == ([2500, 5000], [1, 0], [0, 1])
