"""The folder of a fit's own: what outlives a kill, what does not, and who may have it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from harness.system.files import replacing, unfinished
from harness.system.folders import publishing

# Writes a file into the scratch folder, says so, and works until it is killed.
WORKER = """
import sys, time
from pathlib import Path
from harness.system.files import unfinished
with unfinished(Path(sys.argv[1]), "fit") as scratch:
    (scratch.folder / "half").write_text("done")
    print("ready", flush=True)
    time.sleep(60)
"""


def worker(cache: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", WORKER, str(cache)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def stop(cache: Path, *ages: float) -> float:
    """Fail in the block, after writing a file for each age in seconds from now; the seconds it was told at first."""
    before = -1.0
    with suppress(KeyboardInterrupt), unfinished(cache, "fit") as scratch:
        before = scratch.seconds
        for age in ages:
            (scratch.folder / "half").touch()
            os.utime(scratch.folder / "half", (time.time() + age, time.time() + age))
        raise KeyboardInterrupt
    return before


def test_what_a_killed_process_left_is_found_and_goes_with_success(tmp_path: Path) -> None:
    end(worker(tmp_path))
    with unfinished(tmp_path, "other") as other:
        assert not list(other.folder.iterdir())
    with unfinished(tmp_path, "fit") as scratch:
        assert (scratch.folder / "half").read_text() == "done"
    assert not list((tmp_path / "unfinished").iterdir())


def test_anew_finds_nothing(tmp_path: Path) -> None:
    end(worker(tmp_path))
    with unfinished(tmp_path, "fit", anew=True) as scratch:
        assert not list(scratch.folder.iterdir())
        assert scratch.seconds == 0


def test_a_failed_block_keeps_what_it_wrote_and_nothing_else(tmp_path: Path) -> None:
    stop(tmp_path)
    assert not list((tmp_path / "unfinished").iterdir())
    stop(tmp_path, 0)
    with unfinished(tmp_path, "fit") as scratch:
        assert [path.name for path in scratch.folder.iterdir()] == ["half"]


def test_two_living_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    process = worker(tmp_path)
    with unfinished(tmp_path, "fit") as scratch:
        assert not list(scratch.folder.iterdir())
        assert tmp_path not in scratch.folder.parents
    assert not scratch.folder.exists()
    end(process)
    with unfinished(tmp_path, "fit") as scratch:
        assert [path.name for path in scratch.folder.iterdir()] == ["half"]


def test_seconds_of_killed_attempts_count_until_they_last_wrote(tmp_path: Path) -> None:
    assert stop(tmp_path, 40) == 0
    assert stop(tmp_path, 40) == pytest.approx(40, abs=2)
    with unfinished(tmp_path, "fit") as scratch:
        assert scratch.seconds == pytest.approx(80, abs=4)


def test_what_nobody_came_back_to_for_a_month_goes(tmp_path: Path) -> None:
    def leave(name: str, days: float) -> Path:
        with suppress(KeyboardInterrupt), unfinished(tmp_path, name) as scratch:
            (scratch.folder / "half").write_text("done")
            raise KeyboardInterrupt
        place = tmp_path / "unfinished" / name
        for path in (*place.rglob("*"), place):
            os.utime(path, (time.time() - days * 86400,) * 2)
        return place

    old, recent, own = leave("old", 31), leave("recent", 29), leave("own", 31)
    with unfinished(tmp_path, "own") as scratch:
        assert (scratch.folder / "half").read_text() == "done"
        assert not old.exists()
        assert recent.exists()
        for path in (*own.rglob("*"), own):  # at work for longer than that, without a word
            os.utime(path, (time.time() - 31 * 86400,) * 2)
        with unfinished(tmp_path, "other"):
            assert (scratch.folder / "half").read_text() == "done"
    assert not own.exists()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with suppress(KeyboardInterrupt), replacing(path) as draft:
        draft.write_text("ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    with replacing(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_is_published_whole_and_the_first_one_stays(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    with suppress(KeyboardInterrupt), publishing(folder) as draft:
        (draft / "half").write_text("")
        raise KeyboardInterrupt
    assert not folder.exists()
    with publishing(folder) as draft:
        (draft / "whole").write_text("first")
        with publishing(folder) as other:  # of a process that is quicker
            (other / "whole").write_text("second")
    assert (folder / "whole").read_text() == "second"
    assert [p.name for p in tmp_path.iterdir()] == ["base"]
