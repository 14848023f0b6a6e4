"""llm-lora stopped in the middle: the same fit, asked for again, ends as if nobody had stopped it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.panels import open_once
from helpers.progress import Told
from helpers.toys import SMALLEST

from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.plugins.llm.base import pretrain as base_module
from harness.plugins.llm.params import LlmParams
from harness.plugins.llm.specs import build
from harness.training import loop, step

TINY: dict[str, Any] = SMALLEST | {"epochs": 3, "min_gain": 0.0}
Steps = Callable[[int | None], list[int]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Counts the optimiser steps from now on, and interrupts the one after ``limit``."""
    plain = step.take_step

    def count(limit: int | None) -> list[int]:
        done = [0]

        def counted(*given: Any, **named: Any) -> float:
            if done[0] == limit:
                raise KeyboardInterrupt
            done[0] += 1
            return plain(*given, **named)

        monkeypatch.setattr(loop, "take_step", counted)
        return done

    return count


def fit(market: Panel, cache: Path, scratch: Path, **changes: Any) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """(facts, trained weights by name, notes) of a finished fit."""
    scratch.mkdir(exist_ok=True)
    model: Any = build(LlmParams(**(TINY | changes)))
    told = Told()
    context = Context(seed=3, scratch=scratch, cache=cache, progress=told, open_panel=open_once)
    model.fit(market.part("train"), market.part("valid"), context)
    weights = {
        f"{i} {name}": p.detach().clone()
        for i, member in enumerate(getattr(model, "members", (model,)))
        for name, p in member._model.named_parameters()
    }
    return model.facts(), weights, told.notes


def assert_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert one[0] == other[0]
    assert one[1].keys() == other[1].keys()
    assert [name for name, value in one[1].items() if not torch.equal(value, other[1][name])] == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="lora"),
        pytest.param({"dropout": 0.3}, id="dropout", marks=pytest.mark.slow),
        pytest.param({"tuning": "full"}, id="full", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_fit_ends_as_if_it_had_not_been(
    changes: dict[str, Any], market_30: Panel, cache: Path, tmp_path: Path, steps: Steps
) -> None:
    fit(market_30, cache, tmp_path / "base", epochs=1)  # so that steps below are those of tuning
    whole = steps(None)
    plain = fit(market_30, cache, tmp_path / "plain", **changes)
    an_epoch = whole[0] // plain[0]["epochs"]
    assert an_epoch >= 3
    stops = (1, an_epoch, an_epoch + 1)  # within the first epoch, then at the end of the next, then in the one after
    for limit in stops:
        done = steps(limit)
        with pytest.raises(KeyboardInterrupt):
            fit(market_30, cache, tmp_path / "stopped", **changes)
        assert done[0] == limit
    done = steps(None)
    again = fit(market_30, cache, tmp_path / "stopped", **changes)
    assert done[0] == whole[0] - sum(stops)
    assert_same(again, plain)


@pytest.mark.slow
def test_members_that_are_done_are_not_tuned_again(market_30: Panel, cache: Path, tmp_path: Path, steps: Steps) -> None:
    fit(market_30, cache, tmp_path / "base", epochs=1)
    whole = steps(None)
    plain = fit(market_30, cache, tmp_path / "plain", members=2)
    stop = whole[0] // 2 + 2  # in the second member's first epoch
    done = steps(stop)
    with pytest.raises(KeyboardInterrupt):
        fit(market_30, cache, tmp_path / "stopped", members=2)
    assert done[0] == stop
    done = steps(None)
    again = fit(market_30, cache, tmp_path / "stopped", members=2)
    assert done[0] == whole[0] - stop
    assert_same(again, plain)


@pytest.mark.slow
def test_damaged_or_foreign_checkpoints_are_passed_over(
    market_30: Panel, cache: Path, tmp_path: Path, steps: Steps
) -> None:
    short = {"epochs": 1, "min_gain": 0.02}
    plain = fit(market_30, cache, tmp_path / "plain", **short)
    left = tmp_path / "plain" / "tuning.safetensors"
    content = left.read_bytes()
    flipped = bytearray(content)
    flipped[-40] ^= 1
    for damaged in (bytes(flipped), content[: len(content) // 2], b"", b"{}"):
        left.write_bytes(damaged)
        again = fit(market_30, cache, tmp_path / "plain", **short)
        assert_same(again, plain)
        assert len(again[2]) == 1
        assert again[2][0].startswith(f"starting anew: the checkpoint {left} cannot be used (")
    left.write_bytes(content)
    for changes in (short | {"rank": 3}, short | {"learning_rate": 1e-3}):
        left.write_bytes(content)
        other = fit(market_30, cache, tmp_path / "plain", **changes)
        assert "starting anew" in other[2][0]
        assert_same(other, fit(market_30, cache, tmp_path / f"other-{changes}", **changes))
    left.write_bytes(content)
    done = steps(None)
    assert_same(fit(market_30, cache, tmp_path / "plain", checkpoint_seconds=60, **short), plain)  # nothing left to do
    assert done == [0]


def test_a_disk_that_takes_no_checkpoint_does_not_stop_a_fit(
    market_30: Panel, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = fit(market_30, cache, tmp_path / "plain", epochs=1)

    def full(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("harness.training.checkpoint.os.replace", full)
    again = fit(market_30, cache, tmp_path / "full", epochs=1)
    assert_same(again, plain)
    assert "No space left" in again[2][0]
    assert not list((tmp_path / "full").iterdir())


def test_pre_training_goes_on_too(
    market_30: Panel, tmp_path: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_module, "CHECKPOINT_SECONDS", 0.0)
    whole = steps(None)
    plain = fit(market_30, tmp_path / "plain-cache", tmp_path / "plain", tuning="none")
    done = steps(4)
    with pytest.raises(KeyboardInterrupt):
        fit(market_30, tmp_path / "cache", tmp_path / "stopped", tuning="none")
    assert done[0] == 4
    done = steps(None)
    again = fit(market_30, tmp_path / "cache", tmp_path / "stopped", tuning="none")
    assert 0 < done[0] == whole[0] - 4
    assert_same(again, plain)
    assert not list((tmp_path / "cache" / "unfinished").iterdir())


def command(folder: Path, cache: Path, *more: str) -> list[str]:
    given = TINY | {"epochs": 3, "pool": "market-resumes"}  # a command refuses a pool that shows what is held out
    sets = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    harness = [str(Path(sys.executable).parent / "harness"), "run", "--task", "next_occ", "--model", "llm-lora"]
    return [*harness, *sets, "--set", "data.persons=30", "--records", str(folder), "--json", *more]


@pytest.mark.slow
def test_a_killed_command_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    def run(cache: str, records: str) -> tuple[dict[str, Any], str]:
        environment = os.environ | {"HARNESS_CACHE": str(tmp_path / cache)}
        line = command(tmp_path / records, tmp_path / cache)
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        [record] = json.loads(done.stdout)
        return record, done.stderr

    environment = os.environ | {"HARNESS_CACHE": str(tmp_path / "cache")}
    running = subprocess.Popen(command(tmp_path / "a", tmp_path / "cache"), env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    left: list[Path] = []
    while not left and running.poll() is None and time.monotonic() < deadline:
        left = [*(tmp_path / "cache").glob("unfinished/llm-lora-*/files/tuning.safetensors")]
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert left
    continued, said = run("cache", "a")
    assert f"going on from the checkpoint {left[0]}" in said
    assert not list((tmp_path / "cache" / "unfinished").iterdir())
    whole, said = run("other-cache", "b")
    assert "checkpoint" not in said
    assert (continued["id"], continued["facts"]) == (whole["id"], whole["facts"])
    assert continued["figures"] == whole["figures"]
    weights = [[*(tmp_path / cache).glob("fits/*/model/adapter/*.safetensors")] for cache in ("cache", "other-cache")]
    assert [len(files) for files in weights] == [1, 1]
    assert weights[0][0].read_bytes() == weights[1][0].read_bytes()
