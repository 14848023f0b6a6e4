"""Windows of a stream: batches are those of all transitions encoded at once, and each process encodes its own alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import pytest
import torch

from harness.features.encoding import Encoding
from harness.network.transitions import CareerBatch, TransitionTable
from harness.panel import Panel
from harness.plugins.career import window as windows
from harness.plugins.career.window import Window
from harness.training.batch_order import batches
from harness.training.process_group import ProcessGroup
from harness.types import IntArray

NAMES = ("tenure", "age", "longest_tenure", "distinct_states")


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def assert_same(found: CareerBatch, right: CareerBatch) -> None:
    for one in fields(right):
        own, other = getattr(found, one.name), getattr(right, one.name)
        assert torch.equal(own, other) if isinstance(other, torch.Tensor) else own == other, one.name


@pytest.mark.parametrize("size", [1, 2, 3])
def test_processes_encode_their_part_of_each_batch(
    size: int, market_60: Panel, pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every career once among them all, a piece ahead of the batches, which are those of the whole table."""
    monkeypatch.setattr(windows, "PIECE", 100)
    encoding = Encoding.fit(market_60, NAMES)
    table = TransitionTable.of(market_60, encoding)
    order = batches(table.lengths, 128, np.random.default_rng(3), packed=True)
    every: list[int] = []
    for rank in range(size):
        encoded: list[IntArray] = []

        def encode(persons: IntArray, encoded: list[IntArray] = encoded) -> TransitionTable:
            encoded.append(persons)
            return TransitionTable.of(market_60.select(persons), encoding)

        window = Window(market_60, encode, pool)
        np.testing.assert_array_equal(window.lengths, table.lengths)
        parts = [ProcessGroup(rank, size).share(batch) for batch in order]
        window.begin(parts)
        for number, part in enumerate(parts):
            for careers in (part, part[::2]):  # as threads share a part among them
                if len(careers):
                    assert_same(window.batch(careers, "cpu"), table.batch(careers))
            done = sum(int(table.lengths[one].sum()) for one in parts[:number])
            assert len(encoded) <= done // 100 + 2, "no more than a piece ahead"
        assert len(encoded) > 1
        every += np.concatenate(encoded).tolist()
    assert sorted(every) == np.flatnonzero(np.diff(market_60.offsets) > 1).tolist()


def test_a_process_without_a_part_waits_for_nobody(market_30: Panel, pool: Executor) -> None:
    """More processes than a batch has careers, and a window of which all is done."""

    def encode(persons: IntArray) -> TransitionTable:
        raise AssertionError("nothing is asked for")

    window = Window(market_30, encode, pool)
    window.begin([np.zeros(0, dtype=np.int64)] * 3)
    window.begin([])
