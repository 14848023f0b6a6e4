"""``harness submission check`` as a maintainer's CI types it, and the statements that boards show."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from helpers.commands import typed
from helpers.submissions import long_file, long_rows

from harness.boards.board import boards
from harness.data.write import write_panel
from harness.panel.careers import Panel
from harness.records.record import figures
from harness.records.store import Store

STATED = ["--code", "https://example.org/c?a=<b>", "--base-may-have-seen", "unknown"]
RUN = ["run", "--task", "switch", "--model", "uniform", "--data", "careers", "--records", "m"]
SCORE = ["score", "p.csv", "--name", "mine", "--task", "switch", "--data", "careers", "--records", "r"]


@pytest.fixture
def folder(four_persons: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    write_panel(four_persons, tmp_path / "careers", "csv")
    long_file(tmp_path)
    return tmp_path


def scored(folder: Path, *statements: str) -> Path:
    done = typed(folder, *SCORE, *statements)
    assert done.returncode == 0, done.stderr
    [path] = Store(folder / "r").paths()
    return path


def checked(folder: Path, path: Path, *line: str) -> tuple[int, dict[str, str]]:
    """The exit status and each check's verdict."""
    done = typed(folder, "submission", "check", str(path), "--data", "careers", *line)
    told = [words.split(maxsplit=2) for words in done.stdout.splitlines()]
    return done.returncode, {name.rstrip(":"): verdict for verdict, name, _ in told}


def shortened(folder: Path, path: Path) -> Path:
    """The record with evidence of two of the four transitions, and figures that are those of its evidence."""
    record = Store(folder / "r").read(path)
    none = dict.fromkeys(("cells", "event_counts", "other_counts"))
    evidence = record.evidence.model_copy(update={"transitions": [2], **none})
    record = record.model_copy(update={"evidence": evidence, "slices": None})
    return Store(folder / "other").write(record.model_copy(update={"figures": figures(record)}))


def test_a_sound_submission_passes_every_check(folder: Path) -> None:
    status, found = checked(folder, scored(folder, *STATED), "--file", "p.csv")
    assert status == 0
    assert found.pop("base") == "note"  # unknown
    assert found == dict.fromkeys(["schema", "figures", "code", "coverage", "evidence"], "ok")


def test_statements_stand_on_the_board_and_in_no_id(folder: Path) -> None:
    [before] = boards([Store(folder / "r").read(scored(folder))])
    path = scored(folder, *STATED)
    [board] = boards([Store(folder / "r").read(path)])
    assert before.rows[0].record == board.rows[0].record
    assert (board.rows[0].replication_code, board.rows[0].base_may_have_seen) == (STATED[1], "unknown")
    for form in ("md", "html", "csv", "json"):
        out = typed(folder, "leaderboard", "--records", "r", "--boards", "b", "--format", form).stdout
        assert "example.org" in out
        assert form in {"json", "csv"} or "a=<b>" not in out
    assert "replication code" in typed(folder, "leaderboard", "--records", "r", "--boards", "b").stdout


@pytest.mark.parametrize(
    ("statements", "line", "check", "verdict"),
    [
        ([], [], "base", "failed"),
        ([], [], "code", "note"),
        ([], [], "evidence", "note"),
        ([], ["--code", "example"], "code", "failed"),
        (STATED, ["--code", "https://example.org/other"], "code", "failed"),
        (STATED, ["--base-cutoff", "1999"], "base", "ok"),
        (STATED, ["--base-cutoff", "2001"], "base", "note"),
        ([*STATED[:3], "no"], [], "base", "ok"),
        ([*STATED[:3], "no"], ["--base-cutoff", "2001"], "base", "failed"),
        ([*STATED[:3], "no"], ["--base-cutoff", "2000"], "base", "ok"),
        (STATED, ["--file", "other.csv"], "evidence", "failed"),
        (STATED, ["--file", "none.csv"], "evidence", "failed"),
    ],
)
def test_each_check(folder: Path, statements: list[str], line: list[str], check: str, verdict: str) -> None:
    long_file(folder, long_rows([0.25] * 4), "other.csv")
    status, found = checked(folder, scored(folder, *statements), *line)
    assert found[check] == verdict
    assert status == (1 if "failed" in found.values() else 0)


def test_evidence_of_fewer_transitions_and_edited_files(folder: Path) -> None:
    path = scored(folder, *STATED)
    status, found = checked(folder, shortened(folder, path))
    assert (status, found["figures"], found["coverage"]) == (1, "ok", "failed")
    content = json.loads(path.read_text())
    content["figures"]["log_likelihood"] = -0.5
    path.write_text(json.dumps(content))
    status, found = checked(folder, path)
    assert status == 1
    assert "failed" in (found["schema"], found.get("figures"))
    (folder / "cut.json").write_text(path.read_text()[:300])
    assert checked(folder, folder / "cut.json") == (1, {"schema": "failed"})


def test_another_panel_and_a_run_fail(folder: Path) -> None:
    path = scored(folder, *STATED)
    (folder / "elsewhere").mkdir()
    away: subprocess.CompletedProcess[str] = typed(folder / "elsewhere", "submission", "check", str(path))
    assert away.returncode == 1
    assert "failed  coverage: the record's panel 'careers' was read from files" in away.stdout
    assert typed(folder, *RUN).returncode == 0
    [made] = Store(folder / "m").paths()
    status, found = checked(folder, made)
    assert (status, found["schema"], found["coverage"]) == (1, "failed", "ok")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["--code", "c:/mine"], "--code c:/mine: is no address of a web page"),
        (["--base-may-have-seen", "maybe"], "--base-may-have-seen maybe: write yes, no or unknown"),
    ],
)
def test_statements_that_are_none(folder: Path, line: list[str], told: str) -> None:
    done = typed(folder, *SCORE, *line)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
