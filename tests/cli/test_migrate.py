"""harness migrate: what is younger than a record is added to it, and all that it says of its run stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import typed

LINE = ("run", "--task", "switch", "--model", "uniform", "--model", "marginal", "--set", "data.persons=40")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    done = typed(tmp_path, *LINE, "--records", "results")
    assert done.returncode == 0, done.stderr
    return tmp_path / "results"


def migrate(store: Path, *more: str) -> tuple[int, str, str]:
    done = typed(store.parent, "migrate", "--records", "results", *more)
    return done.returncode, done.stdout, done.stderr


def edited(path: Path, **changes: Any) -> bytes:
    """Change a file's entries as a hand would, and give back what stood there."""
    before = path.read_bytes()
    path.write_text(json.dumps(json.loads(before) | changes))
    return before


def files(store: Path) -> dict[str, bytes]:
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in sorted(store.rglob("*.json"))}


def test_records_of_this_version_stay_as_they_are(store: Path) -> None:
    before = files(store)
    assert migrate(store)[:2] == (0, "")
    assert migrate(store, "--check")[0] == 0
    assert files(store) == before


def test_an_older_record_is_as_this_version_would_write_it(store: Path) -> None:
    first, second = sorted(store.rglob("*.json"))
    wanted = files(store)
    kept = json.loads(first.read_bytes())["figures"]
    edited(first, figures={name: value for name, value in kept.items() if not name.startswith("calibration")})
    elsewhere = second.with_name("my copy.json")
    second.rename(elsewhere)
    edited(elsewhere)  # laid out by another hand
    odd = files(store)
    status, said, _ = migrate(store, "--check")
    assert status == 1
    assert "added calibration_slope, calibration_intercept, calibration_error" in said
    assert files(store) == odd
    assert migrate(store)[0] == 0
    assert files(store) == wanted
    assert migrate(store, "--check")[0] == 0


def test_what_is_wrong_or_signed_is_left_and_named(store: Path) -> None:
    first, second = sorted(store.rglob("*.json"))
    figures = json.loads(first.read_bytes())["figures"]
    edited(first, figures=figures | {"brier": 0.5})
    edited(second)
    second.with_name(f"{second.name}.sig").write_text("a signature")
    before = files(store)
    status, _, said = migrate(store)
    assert status == 2
    assert f"{first.name}: brier is 0.5, and {figures['brier']} by its evidence" in said
    assert f"{second.name}: it is signed" in said
    assert files(store) == before
    second.with_name(f"{second.name}.sig").unlink()
    second.with_name("twice.json").write_bytes(second.read_bytes())
    _, _, said = migrate(store)
    assert "twice.json: record" in said
    assert second.with_name("twice.json").exists()
