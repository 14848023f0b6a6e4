"""llm-lora fitted by processes that each hold a part of every weight: the loss curve of one, after a kill too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.launched import launched
from helpers.shared_fits import SharedFit, fit_llm
from helpers.toys import SMALLEST

from harness.data.write_corpus import parts_of, write_corpus
from harness.panel import Panel

TINY: dict[str, Any] = SMALLEST | {"epochs": 3, "min_gain": 0.0, "dropout": 0.0, "shard": True, "checkpoint_seconds": 0}
ADAPTERS = pytest.param({}, marks=pytest.mark.slow)  # as all: each starts eight processes that import torch
FULL = pytest.param({"tuning": "full", "gradient_checkpointing": True}, marks=pytest.mark.slow)
IN_BFLOAT16 = pytest.param({"precision": "bfloat16"}, marks=pytest.mark.slow)
COPIES = pytest.param({"shard": False}, marks=pytest.mark.slow)
PACKED = pytest.param({"packing": True}, marks=pytest.mark.slow)
# A career a batch: one of the processes has nothing to learn from, in every step.
ALONE = pytest.param({"batch_tokens": 16, "epochs": 1}, marks=pytest.mark.slow)
NAMES = ["adapters", "full", "bfloat16", "copies", "packed", "alone"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


@pytest.mark.parametrize("changes", [ADAPTERS, FULL, IN_BFLOAT16, COPIES, PACKED, ALONE], ids=NAMES)
def test_two_processes_learn_what_one_does_after_a_kill_too(
    changes: dict[str, Any], market_30: Panel, cache: Path, tmp_path: Path
) -> None:
    require_as_one({"panel": market_30, "params": TINY | changes, "cache": cache}, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("shard", [False, True])
def test_two_processes_pool_a_corpus_as_one_does_after_a_kill_too(
    shard: bool, market_30: Panel, market_60: Panel, cache: Path, tmp_path: Path
) -> None:
    """In three windows, with copies of the weights or parts of them."""
    far = replace(market_60, name="far", persons=np.char.add("far-", market_60.persons)).in_order()
    corpus = write_corpus(parts_of(far, 3), 3, tmp_path / "far")
    params = TINY | {"shard": shard, "epochs": 2}
    require_as_one({"panel": market_30, "params": params, "cache": cache, "also": (corpus,), "window": 1}, tmp_path)


def require_as_one(told: dict[str, Any], tmp_path: Path) -> None:
    """Two processes end as one does, to rounding; and to the last digit as they would have, where one is killed."""
    [one] = launched(1, 2, fit_llm, SharedFit(**told, folder=tmp_path / "one"))
    whole = launched(2, 1, fit_llm, SharedFit(**told, folder=tmp_path / "whole"))
    assert [two["shards"] for two in whole] == [whole[0]["steps"] if told["params"]["shard"] else 0] * 2
    rough = 20 if "precision" in told["params"] else 1  # sums in another order of numbers that have three digits
    for two in whole:
        assert two["facts"]["epochs"] == one["facts"]["epochs"]
        assert two["facts"]["validation_loss"] == pytest.approx(one["facts"]["validation_loss"], abs=1e-4 * rough)
        happened = two["rows"] > -8  # what is all but impossible is noise
        np.testing.assert_allclose(two["rows"][happened], one["rows"][happened], atol=2e-3 * rough)
    assert one["facts"]["validation_loss"][0] > min(one["facts"]["validation_loss"]) + 0.01  # it did learn
    stop = whole[0]["steps"] // 2
    assert launched(2, 1, fit_llm, SharedFit(**told, folder=tmp_path / "killed", killed=(1, stop))) == []
    again = launched(2, 1, fit_llm, SharedFit(**told, folder=tmp_path / "killed"))
    assert whole[0]["steps"] - stop <= again[0]["steps"] <= whole[0]["steps"] - stop + 1
    for two, other in zip(again, whole, strict=True):
        assert two["facts"] == other["facts"]
        np.testing.assert_array_equal(two["rows"], other["rows"])


@pytest.mark.slow
def test_four_processes_learn_what_one_does(market_30: Panel, cache: Path, tmp_path: Path) -> None:
    told: dict[str, Any] = {"panel": market_30, "params": TINY | {"epochs": 1}, "cache": cache}
    [one] = launched(1, 1, fit_llm, SharedFit(**told, folder=tmp_path / "one"))
    four = launched(4, 1, fit_llm, SharedFit(**told, folder=tmp_path / "four"))
    assert len(four) == 4
    for each in four:
        assert each["shards"] == each["steps"] > 0
        assert each["facts"]["validation_loss"] == pytest.approx(one["facts"]["validation_loss"], abs=1e-4)
