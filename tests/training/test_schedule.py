"""Paces: how long a training lasts and how fast it learns, from its state alone."""

from __future__ import annotations

import pytest

from harness.training.batch_order import BatchOrder
from harness.training.schedule import InverseRoot, LinearDecay, StableThenDecay, TokenBudget
from harness.training.state import TrainingState


def state_of(
    *losses: float, step: int = 0, steps: int = 4, tokens: int = 0, windows: tuple[int, int] = (0, 1)
) -> TrainingState:
    """After an epoch for each loss but the first. windows: the one under way, and how many an epoch has."""
    window, of = windows
    state = TrainingState(BatchOrder(100, 0), steps, windows=of)
    state.losses.append(losses[0] if losses else 1.0)
    for loss in losses[1:]:
        state.validated(loss)
    state.order.step, state.order.window, state.tokens = step, window, tokens
    return state


def test_a_line_rises_falls_and_makes_the_fewest_steps() -> None:
    pace = LinearDecay(epochs=2, warmup=3, fewest_steps=1)
    assert [pace.rate(state_of(step=i), 4) for i in range(4)] == pytest.approx([0.25, 0.5, 0.75, 1 - 3 / 8])
    assert [pace.more(state_of(*[1.0] * n)) for n in (1, 2, 3)] == [True, True, False]
    assert pace.exchange(state_of(1.0, 1.0)) == 0.5
    longer = LinearDecay(epochs=2, warmup=3, fewest_steps=17)  # five epochs of four steps
    assert [longer.more(state_of(*[1.0] * n)) for n in (5, 6)] == [True, False]
    assert longer.tokens(state_of(), 90) == 450


def test_an_inverse_root_stops_when_the_loss_no_longer_falls() -> None:
    pace = InverseRoot(epochs=5, warmup=3, patience=2)
    assert pace.rate(state_of(step=15), 100) == pytest.approx(0.5)
    assert [pace.more(state_of(*losses)) for losses in ((3, 2, 2.5), (3, 2, 2.5, 2.1), (3, 2, 1))] == [
        True,
        False,
        True,
    ]


def test_a_stable_rate_falls_at_a_small_gain_or_the_end() -> None:
    pace = StableThenDecay(epochs=20, min_gain=0.1, patience=1, decay=2.0)
    assert [pace.rate(state_of(step=i), 8) for i in (0, 1, 4)] == pytest.approx([0.02, 0.52, 1.0])
    stalled = (3.0, 2.0, 1.95)  # the second epoch: four of falling follow
    assert pace.rate(state_of(*stalled, step=2), 4) == pytest.approx(1 - 0.5 / 4)
    assert pace.exchange(state_of(*stalled, 1.0)) == 0.75
    assert [pace.more(state_of(*stalled, *[1.0] * n)) for n in (3, 4)] == [True, False]
    near = StableThenDecay(epochs=6, min_gain=0.0, patience=1, decay=2.0)
    assert near.exchange(state_of(9.0, 8.0)) == 1.0
    assert near.rate(state_of(9.0, 8.0, 7.0, step=2), 4) == pytest.approx(1 - 0.5 / 4)


def test_a_budget_of_tokens_ends_in_the_middle_of_an_epoch() -> None:
    pace = TokenBudget(budget=1000)
    assert [pace.more(state_of(tokens=n)) for n in (0, 999, 1000)] == [True, True, False]
    assert [pace.rate(state_of(tokens=n), 7) for n in (0, 500, 1000)] == pytest.approx([0.02, 0.525, 0.05])


@pytest.mark.parametrize(
    "pace",
    [
        StableThenDecay(epochs=6, min_gain=0.01, patience=1, decay=0.5),
        LinearDecay(epochs=3, warmup=2, fewest_steps=0),
        InverseRoot(epochs=3, warmup=2, patience=2),
    ],
)
def test_windows_of_an_epoch_have_the_rates_of_its_parts(pace: StableThenDecay | LinearDecay | InverseRoot) -> None:
    """Three windows of four steps, as one of twelve, in the second epoch."""
    whole = [pace.rate(state_of(9.0, 8.0, step=i), 12) for i in range(12)]
    parts = [pace.rate(state_of(9.0, 8.0, step=i % 4, windows=(i // 4, 3)), 4) for i in range(12)]
    assert parts == pytest.approx(whole)
