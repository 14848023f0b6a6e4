"""The networks of CAREER and its family: likelihoods worked by hand, and what may be seen of a career."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.features.catalogue import Feature, FeatureTable
from harness.features.encoding import EncodedColumn, Encoding
from harness.features.selection import names_of
from harness.network.head import HeadShape, Start
from harness.network.layers import Reader, Shape
from harness.network.start import start_of
from harness.network.transitions import TransitionTable
from harness.panel.careers import Panel
from harness.plugins.career.network import Network, NetworkPlan

READERS = get_args(Reader)
ROWS = {0: [0.5, 1.5, -1.0, 0.2], 1: [-0.3, 0.8, 2.0, 0.0], 3: [0.1, 0.4, 0.0, -2.0]}  # scores z after each origin


def small(reader: Reader, columns: int, **changes: Any) -> NetworkPlan:
    shape = Shape(reader, 2, 16, 2, 32, 0.0)
    return replace(
        NetworkPlan(shape, HeadShape(own_stay=True, recall=reader != "regression"), True, columns=columns), **changes
    )


def lively(network: Network) -> Network:
    """With weights so large that everything that is seen makes a difference."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.4)
    return network.eval()


def scored_by_hand(two_stage: bool, four_persons: Panel) -> tuple[Network, TransitionTable]:
    """A regression whose scores are ``ROWS`` after each origin and nothing else."""
    encoding = Encoding([])
    start = Start(torch.zeros(4), torch.zeros(4), torch.arange(4))
    network = Network(NetworkPlan(Shape("regression"), HeadShape(two_stage)), start)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for origin, row in ROWS.items():
            network.states.own[origin, :4] = torch.tensor(row)
    return network.eval(), TransitionTable.of(four_persons.select(np.array([3])), encoding)


def test_two_stages_by_hand(four_persons: Panel) -> None:
    """P(stay) is the sigmoid of the origin's score; others share the rest by their softmax. d: 0 0 3 3 1."""
    network, tokens = scored_by_hand(True, four_persons)
    batch = tokens.batch([0])

    def stay(k: int) -> float:
        return 1 / (1 + exp(-ROWS[k][k]))

    def go(k: int, to: int) -> float:
        others = sum(exp(z) for j, z in enumerate(ROWS[k]) if j != k)
        return (1 - stay(k)) * exp(ROWS[k][to]) / others

    wanted = [log(stay(0)), log(go(0, 3)), log(stay(3)), log(go(3, 1))]
    np.testing.assert_allclose(network(batch).detach().numpy(), wanted, rtol=1e-5)
    rows = network.rows(batch, torch.arange(4)).detach().exp().numpy()
    np.testing.assert_allclose(rows[2], [go(3, 0), go(3, 1), go(3, 2), stay(3)], rtol=1e-5)


def test_one_softmax_by_hand(four_persons: Panel) -> None:
    network, tokens = scored_by_hand(False, four_persons)
    total = {k: sum(map(exp, row)) for k, row in ROWS.items()}
    wanted = [ROWS[k][to] - log(total[k]) for k, to in ((0, 0), (0, 3), (3, 3), (3, 1))]
    np.testing.assert_allclose(network(tokens.batch([0])).detach().numpy(), wanted, rtol=1e-5)


@pytest.mark.parametrize("two_stage", [True, False])
@pytest.mark.parametrize("reader", READERS)
def test_rows_sum_to_one_and_hold_what_training_is_told(reader: Reader, two_stage: bool, market: Panel) -> None:
    panel = market.select(np.arange(20))
    encoding = Encoding.fit(panel, names_of(panel, "history"))
    head = HeadShape(two_stage, own_stay=True, recall=True)
    network = lively(Network(small(reader, encoding.width, head=head), start_of(market)))
    tokens = TransitionTable.of(panel, encoding)
    batch = tokens.batch(np.arange(len(tokens.lengths)))
    rows = network.rows(batch, torch.arange(len(tokens))).detach()
    np.testing.assert_allclose(rows.double().exp().sum(1).numpy(), 1.0, atol=1e-5)
    own = rows.gather(1, batch.target[:, None])[:, 0]
    np.testing.assert_allclose(network(batch).detach().numpy(), own.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reader", READERS)
def test_nothing_later_and_nobody_else_is_seen(reader: Reader, market: Panel) -> None:
    """The first half of a career says the same alone, with its second half, and beside longer careers."""
    panel = market.select(np.arange(12))
    encoding = Encoding.fit(panel, names_of(panel, "history"))
    network = lively(Network(small(reader, encoding.width), start_of(market)))
    tokens = TransitionTable.of(panel, encoding)
    together = network(tokens.batch(np.arange(12))).detach().numpy()
    for career in range(12):
        first, stop = tokens.offsets[career : career + 2]
        half = max(1, (stop - first) // 2)
        cut = replace(
            tokens,
            offsets=np.array([0, half]),
            origin=tokens.origin[first:],
            previous=tokens.previous[first:],
            target=tokens.target[first:],
            columns=tokens.columns[first:],
            held=tokens._held(np.arange(first, first + half)),
        )
        alone = network(cut.batch([0])).detach().numpy()
        np.testing.assert_allclose(alone, together[first : first + half], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reader", ["transformer", "lstm", "bag"])
def test_the_whole_past_is_seen(reader: Reader, market: Panel) -> None:
    """Another first state changes what is said at the end, though recall and all features stay as they were."""
    panel = market.select(np.flatnonzero(np.diff(market.offsets) > 10)[:1])
    encoding = Encoding.fit(panel, names_of(panel, "covariates"))
    plan = small(reader, encoding.width, head=HeadShape())
    network = lively(Network(plan, start_of(market)))
    tokens = TransitionTable.of(panel, encoding)
    other = replace(tokens, origin=np.append((tokens.origin[0] + 7) % panel.n_states, tokens.origin[1:]))
    last = [float(network(t.batch([0])).detach()[-1]) for t in (tokens, other)]
    assert abs(last[0] - last[1]) > 1e-5


def test_recall_raises_what_was_held_and_its_group_alone(four_persons: Panel) -> None:
    """Records of d before the last target: 0 twice, 3 twice; groups are the states' own."""
    tokens = TransitionTable.of(four_persons.select(np.array([3])), Encoding([]))
    start = Start(torch.zeros(4), torch.zeros(4), torch.tensor([0, 0, 2, 3]))  # nurse and clerk share a group
    plan = NetworkPlan(Shape("transformer", 1, 8, 1, 8), HeadShape(own_stay=True, recall=True))
    rows = []
    for bonus in (0.0, 1.0):
        torch.manual_seed(0)
        network = lively(Network(plan, start))
        with torch.no_grad():
            recall: Any = network.head.recall
            recall.weigh.weight.zero_()
            recall.weigh.bias.zero_()
            recall.features[2].weight.zero_()
            recall.features[2].bias.fill_(0.25)  # a sum of eight weights times a quarter
            recall.weigh.bias[:8] = bonus
        rows.append(network.rows(tokens.batch([0]), torch.tensor([3])).detach()[0])
    odds = [row[0] - row[2] for row in rows]  # nurse was held, unemployed never
    assert float(odds[1] - odds[0]) == pytest.approx(2.0, abs=1e-4)
    assert float((rows[1][1] - rows[1][2]) - (rows[0][1] - rows[0][2])) == pytest.approx(0.0, abs=1e-4)  # clerk neither
    assert float(rows[1][3]) == pytest.approx(float(rows[0][3]), abs=1e-5)  # the stay is scored apart


def design(values: np.ndarray, levels: tuple[str, ...] = ()) -> FeatureTable:
    feature = Feature("x", "", "level" if levels else "number", levels=levels)
    return FeatureTable({"x": feature}, {"x": values})


@settings(max_examples=100)
@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=30, unique=True),
    st.lists(st.floats(-2e6, 2e6, width=32), min_size=1, max_size=20),
)
def test_numbers_are_told_apart_in_order_and_clipped(knots: list[float], values: list[float]) -> None:
    column = EncodedColumn("x", (), tuple(sorted(knots)))
    order = np.sort(np.array([*values, np.nan]))
    found = column.encode(design(order))
    assert found[-1].tolist() == [1.0] + [0.0] * (len(knots) - 1)  # missing, and nothing else
    known = found[:-1]
    assert (known[:, 0] == 0).all()
    assert ((known >= 0) & (known <= 1)).all()
    assert (np.diff(known[:, 1:], axis=0) >= 0).all()
    low, high = np.array(column.knots[:-1]), np.array(column.knots[1:])
    back = column.knots[0] + known[:, 1:].astype(np.float64) @ (high - low)  # the encoding is the number, in pieces
    np.testing.assert_allclose(back, np.clip(order[:-1], low[0], high[-1]), rtol=1e-4, atol=1.0)


def test_levels_are_known_by_name_and_missing_is_one_of_them() -> None:
    column = EncodedColumn("x", ("low", "high"))
    found = column.encode(design(np.array([0, 1, 2, -1]), ("high", "other", "low")))
    assert found.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
    ordered = EncodedColumn("x", ("low", "mid", "high"), (0.0, 1.0, 2.0))
    found = ordered.encode(design(np.array([2, 1, 0, -1]), ("high", "mid", "low")))
    assert found.tolist() == [[0, 0, 0], [0, 1, 0], [0, 1, 1], [1, 0, 0]]
