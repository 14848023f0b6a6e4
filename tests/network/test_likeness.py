"""Scores of titles that are like those held so far, worked by hand."""

from __future__ import annotations

import numpy as np
import torch

from harness.network.likeness import LikenessScores, likeness_of
from harness.network.transitions import TransitionBatch


def test_likeness_is_in_standard_deviations_of_each_row() -> None:
    """Cosines 1, 0 and 0 of three others: mean 1/3, deviation sqrt(2)/3."""
    vectors = np.array([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    found = likeness_of(vectors)
    np.testing.assert_allclose(found[0], [0.0, np.sqrt(2), -1 / np.sqrt(2), -1 / np.sqrt(2)], atol=1e-6)
    np.testing.assert_allclose(found[2], 0.0, atol=1e-6)  # like all others alike: nothing to tell apart


def test_the_origin_and_all_that_was_held_count() -> None:
    """Transition 0 held states 0 and 2, transition 1 state 1; asked about the second alone, then about both."""
    likeness = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 4.0], [5.0, 6.0, 0.0]])
    batch = TransitionBatch(
        origin=torch.tensor([2, 1]),
        previous=torch.tensor([0, -1]),
        target=torch.tensor([1, 0]),
        columns=torch.zeros(2, 0),
        held_row=torch.tensor([0, 0, 1]),
        held_state=torch.tensor([0, 2, 1]),
        held=torch.ones(3, 5),
    )
    scores = LikenessScores(1, likeness)
    with torch.no_grad():
        scores.start.copy_(torch.tensor([10.0, 2.0]))
    hidden = torch.zeros(2, 1)
    both = scores(torch.ones(2, 3), hidden, batch, torch.tensor([0, 1]))
    first = [1 + 10 * 5 + 2 * (0 + 5) / 2, 1 + 10 * 6 + 2 * (1 + 6) / 2, 1 + 0 + 2 * (2 + 0) / 2]
    second = [1 + 10 * 3 + 2 * 3, 1.0, 1 + 10 * 4 + 2 * 4]
    torch.testing.assert_close(both, torch.tensor([first, second]))
    alone = scores(torch.ones(1, 3), hidden[1:], batch, torch.tensor([1]))
    torch.testing.assert_close(alone, torch.tensor([second]))
