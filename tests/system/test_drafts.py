"""Drafts that killed processes left: removed at a later start, and never one that is being written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.commands import typed

from harness.system import drafts
from harness.system.drafts import draft_prefix, sweep
from harness.system.files import replacing, write_atomically
from harness.system.folders import publishing

WRITER = """
import sys, time
from pathlib import Path
from harness.system.files import replacing
from harness.system.folders import publishing
place = Path(sys.argv[1])
with publishing(place / "fits" / "one") as folder, replacing(place / "record.json") as file:
    (folder / "half").write_text("of it")
    file.write_text("half of it")
    print("writing", flush=True)
    time.sleep(60)
"""


def hidden(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob(".*"))


def test_drafts_of_a_killed_process_go_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    (tmp_path / "fits").mkdir()
    line = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        there = hidden(tmp_path)
        assert len(there) == 2
        assert sweep(tmp_path) == []
        assert hidden(tmp_path) == there
        writer.send_signal(signal.SIGKILL)
    assert sorted(sweep(tmp_path)) == there
    assert hidden(tmp_path) == []


def test_what_is_no_draft_of_a_dead_process_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with replacing(tmp_path / "mine.json"):  # written by this very process
        assert sweep(tmp_path) == []
    elsewhere = tmp_path / ".theirs.json.0123abcd-1-abcdefgh"  # of another machine
    for path in (elsewhere, tmp_path / ".gitignore", tmp_path / ".config.json.bak", tmp_path / "a-1-abcdefgh"):
        path.write_text("")
    assert sweep(tmp_path) == []
    old = time.time() - 2 * drafts.FORGOTTEN_DRAFT
    for path in tmp_path.iterdir():
        os.utime(path, (old, old))
    assert sweep(tmp_path) == [elsewhere]
    kept, away = tmp_path / "kept", tmp_path / "away"
    away.mkdir()
    monkeypatch.setattr(os, "getpid", lambda: 2**22 + 1)  # no process has it
    (away / f"{draft_prefix('x')}abcdefgh").write_text("")
    kept.symlink_to(away)
    assert sweep(kept / "nothing") == []
    assert len(sweep(tmp_path)) == 1  # in the folder itself, once


def test_a_name_of_any_length_has_a_draft(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("é" * 120), "text")
    with publishing(tmp_path / ("f" * 250)) as draft:
        (draft / "a").write_text("")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("place", ["records/market", "cache/fits"])
def test_a_command_clears_what_a_killed_one_left(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 2**22 + 1)
        left = folder / f"{draft_prefix('next_occ-uniform-0.json')}abcdefgh"
    left.write_text("{")
    line = ("run", "--task", "switch", "--model", "uniform", "--set", "data.persons=30", "--records", "records")
    done = typed(tmp_path, *line, HARNESS_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert not left.exists()
