"""Records of identical requests: this machine's are read, those of a checkout are not trusted, in every command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.toys import InProcess

Asked = Callable[..., str]
LINES = {
    "run": ["--task", "next_occ", "--model", "markov"],
    "ablate": ["softmax", "--arm", "plain-staying", "--set", "iterations=5", "--set", "penalties=10"],
    "claims": ["--claim", "switching", "--plan"],
}


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Asked:
    """A command on a small survey, with records in one place, in a checkout whose cache is named; its stderr."""
    monkeypatch.chdir(tmp_path)

    def ask(command: str, cache: str, *further: str) -> str:
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / cache))
        words = [*LINES[command], "--data", "wage-panel", "--records", str(tmp_path / "records"), *further]
        status, printed, told = InProcess(command, monkeypatch, capsys)(*words)
        assert status == 0, told
        return printed + told

    return ask


def finished(folder: Path) -> dict[str, str]:
    """Record -> when it was finished, to the nanosecond that its file was written."""
    return {path.name: str(path.stat().st_mtime_ns) for path in (folder / "records").rglob("*.json")}


def test_run_reads_its_own_record_and_makes_a_strangers_again(asked: Asked, tmp_path: Path) -> None:
    assert "read from the record" not in asked("run", "mine")
    before = finished(tmp_path)
    assert "read from the record" in asked("run", "mine")
    assert finished(tmp_path) == before
    assert "read from the record" not in asked("run", "elsewhere")
    assert finished(tmp_path) != before
    before = finished(tmp_path)
    assert "read from the record" in asked("run", "third", "--reuse", "any")
    assert "read from the record" not in asked("run", "mine", "--reuse", "never")
    assert finished(tmp_path) != before


def test_ablate_makes_again_what_came_with_a_checkout(asked: Asked, tmp_path: Path) -> None:
    asked("ablate", "mine")
    before = finished(tmp_path)
    assert len(before) == 2
    asked("ablate", "mine")
    asked("ablate", "third", "--reuse", "any")
    assert finished(tmp_path) == before
    asked("ablate", "elsewhere")
    after = finished(tmp_path)
    assert all(after[name] != before[name] for name in before)


def test_claims_do_not_trust_records_of_a_checkout(asked: Asked, tmp_path: Path) -> None:
    markov = "empirical transition frequencies"

    def state(plan: str) -> str:
        [line] = [one for one in json.loads(plan) if one["summary"] == markov]
        return "known" if line["known"] else "to make"

    asked("run", "mine", "--task", "switch")
    assert state(asked("claims", "mine", "--json")) == "known"
    assert state(asked("claims", "elsewhere", "--json")) == "to make"
    assert state(asked("claims", "elsewhere", "--json", "--reuse", "any")) == "known"
    assert state(asked("claims", "mine", "--json", "--force")) == "to make"
