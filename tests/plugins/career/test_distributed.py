"""career fitted by several processes: the loss curve of one, after a kill too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.launched import launched
from helpers.shared_fits import SharedFit, fit_career, teach
from helpers.toys import homeward

from harness.data.write_corpus import parts_of, write_corpus
from harness.panel import Corpus, Panel

SMALL: dict[str, Any] = {
    "epochs": 3,
    "fewest_steps": 12,
    "layers": 1,
    "width": 16,
    "heads": 2,
    "inner": 16,
    "batch_tokens": 256,
    "learning_rate": 2e-2,
    "dropout": 0.2,
    "checkpoint_seconds": 0,
}
SLOW_2_2 = pytest.param(2, 2, marks=pytest.mark.slow)


def assert_alike(found: list[Any], one: dict[str, Any]) -> None:
    """Sums of float32 in another order are all that differs."""
    for other in found:
        assert other["facts"]["epochs"] == one["facts"]["epochs"]
        assert other["facts"]["validation_loss"] == pytest.approx(one["facts"]["validation_loss"], abs=2e-6)
        np.testing.assert_allclose(other["rows"], one["rows"], atol=2e-4)
    for other in found[1:]:  # of each other they are copies
        np.testing.assert_array_equal(other["rows"], found[0]["rows"])


@pytest.fixture(scope="module")
def whole(market_30: Panel, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """A fit by two processes of a thread each that nothing stops."""
    return launched(2, 1, fit_career, SharedFit(panel=market_30, params=SMALL, folder=tmp_path_factory.mktemp("whole")))


@pytest.mark.parametrize(("processes", "threads"), [(2, 1), (4, 1), SLOW_2_2])
def test_processes_learn_what_as_many_threads_of_one_do(
    processes: int, threads: int, market_30: Panel, whole: list[Any], tmp_path: Path
) -> None:
    told: dict[str, Any] = {"panel": market_30, "params": SMALL}
    [one] = launched(1, processes * threads, fit_career, SharedFit(**told, folder=tmp_path / "one"))
    found = (
        whole
        if (processes, threads) == (2, 1)
        else launched(processes, threads, fit_career, SharedFit(**told, folder=tmp_path / "all"))
    )
    assert len(found) == processes
    assert one["facts"]["validation_loss"][0] > min(one["facts"]["validation_loss"]) + 0.01  # it did learn
    assert_alike(found, one)


def test_processes_pre_train_what_one_does(market_30: Panel, resumes: Panel, tmp_path: Path) -> None:
    params = SMALL | {"epochs": 1, "fewest_steps": 1, "pretrain_epochs": 1}
    told: dict[str, Any] = {"panel": market_30, "params": params, "resumes": resumes.select(np.arange(60))}
    [one] = launched(1, 2, fit_career, SharedFit(**told, folder=tmp_path / "one"))
    found = launched(2, 1, fit_career, SharedFit(**told, folder=tmp_path / "all"))
    assert len(found) == 2
    assert len(one["facts"]["pretraining_loss"]) == 2
    for other in found:
        assert other["facts"]["pretraining_loss"] == pytest.approx(one["facts"]["pretraining_loss"], abs=2e-6)
    assert_alike(found, one)
    [base] = (tmp_path / "all" / "cache" / "career-bases").iterdir()  # one of the two has written it
    assert (base / "network.safetensors").is_file()


STREAMED = SMALL | {"epochs": 1, "fewest_steps": 1, "pretrain_epochs": 2}  # the survey's fit is short


@pytest.fixture(scope="module")
def corpus(resumes: Panel, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Three shards, each a window."""
    few = resumes.select(np.arange(240))
    return write_corpus(parts_of(few, 3), 3, tmp_path_factory.mktemp("corpora") / "corpus")


@pytest.fixture(scope="module")
def by_two(market_30: Panel, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    told: dict[str, Any] = {"panel": market_30, "params": STREAMED, "resumes": corpus}
    return launched(2, 1, fit_career, SharedFit(**told, folder=tmp_path_factory.mktemp("two")))


def test_processes_learn_from_a_corpus_what_one_does(
    market_30: Panel, corpus: Corpus, by_two: list[Any], tmp_path: Path
) -> None:
    told: dict[str, Any] = {"panel": market_30, "params": STREAMED, "resumes": corpus}
    [one] = launched(1, 2, fit_career, SharedFit(**told, folder=tmp_path))
    assert len(by_two) == 2
    assert len(one["facts"]["pretraining_loss"]) == 3
    assert one["facts"]["pretraining_loss"][0] > one["facts"]["pretraining_loss"][-1] + 0.01
    for other in by_two:
        assert other["facts"]["pretraining_loss"] == pytest.approx(one["facts"]["pretraining_loss"], abs=2e-6)
        assert other["steps"] == one["steps"]
    assert_alike(by_two, one)


@pytest.mark.parametrize("killed", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_learning_from_a_corpus_whose_process_was_killed_goes_on(
    killed: int, market_30: Panel, corpus: Corpus, by_two: list[Any], tmp_path: Path
) -> None:
    """Within a window of the first pass, before the survey's fit."""
    told: dict[str, Any] = {"panel": market_30, "params": STREAMED, "resumes": corpus, "folder": tmp_path}
    stop = by_two[0]["steps"] // 3
    assert launched(2, 1, fit_career, SharedFit(**told, killed=(killed, stop))) == []
    again = launched(2, 1, fit_career, SharedFit(**told))
    assert by_two[0]["steps"] - stop <= again[0]["steps"] <= by_two[0]["steps"] - stop + 1
    for one, other in zip(again, by_two, strict=True):
        of_one, of_other = ({k: v for k, v in x["facts"].items() if k != "pretraining_seconds"} for x in (one, other))
        assert of_one == of_other
        np.testing.assert_array_equal(one["rows"], other["rows"])


@pytest.mark.parametrize("killed", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_fit_whose_process_was_killed_goes_on(
    killed: int, market_30: Panel, whole: list[Any], tmp_path: Path
) -> None:
    told: dict[str, Any] = {"panel": market_30, "params": SMALL}
    stop = whole[0]["steps"] // 2
    assert stop > 2
    lost = launched(
        2,
        1,
        fit_career,
        SharedFit(**told, folder=tmp_path / "killed", killed=(killed, stop)),
    )
    assert lost == []
    again = launched(2, 1, fit_career, SharedFit(**told, folder=tmp_path / "killed"))
    # A step is lost where the main process had not yet written it when the other one died.
    assert whole[0]["steps"] - stop <= again[0]["steps"] <= whole[0]["steps"] - stop + 1
    for one, other in zip(again, whole, strict=True):
        assert one["facts"] == other["facts"]
        np.testing.assert_array_equal(one["rows"], other["rows"])


def test_processes_share_out_the_fits_of_a_teacher(tmp_path: Path) -> None:
    """Each is fitted by one of them, and all learn from what one process alone would have."""
    panel = homeward(20)
    [(alone, _)] = launched(1, 1, teach, panel, tmp_path / "one")
    both = launched(2, 1, teach, panel, tmp_path / "two")
    assert [parts for _, parts in both] == [[f"teacher-{i}.npy" for i in (1, 3, 5)], ["teacher-2.npy", "teacher-4.npy"]]
    for found, _ in both:
        assert found["loss"] == alone["loss"]
        np.testing.assert_array_equal(found["probability"], alone["probability"])
        assert found["probability"].sum(axis=1) == pytest.approx(1.0, abs=2e-3)
