"""Tests that may skip, as ``tests/skips.txt`` has it."""

from __future__ import annotations

from pathlib import Path

from helpers.paths import ROOT

LIST = ROOT / "tests" / "skips.txt"
ANYWHERE, HERE = "anywhere", "here"


def reasons(path: Path = LIST) -> dict[str, str]:
    """Where each reason may be one: ``anywhere``, or ``here`` alone and not in continuous integration."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    found = {reason.strip(): where for where, _, reason in (line.partition(":") for line in lines)}
    wrong = set(found.values()) - {ANYWHERE, HERE}
    assert not wrong, f"{path}: {', '.join(sorted(wrong))} is neither 'anywhere' nor 'here'"
    return found


def refused(skipped: dict[str, str], listed: dict[str, str]) -> list[str]:
    """Say of each test that may not skip in continuous integration why; skipped: reason by test."""
    told = {HERE: "skips in continuous integration, where it must run", None: f"is not in {LIST.relative_to(ROOT)}"}
    bad = {test: told[listed.get(why)] for test, why in skipped.items() if listed.get(why) != ANYWHERE}
    return [f"{test}: {wrong}: {skipped[test]}" for test, wrong in sorted(bad.items())]
