"""A command never ends without a word, whatever a model does to the process that it is in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.commands import HARNESS, installed
from helpers.planted import plant

from harness.system.supervisor import LOOK

LINE = ("run", "--task", "next_occ", "--model", "planted", "--set", "data.persons=60")
needs_signals = pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="the supervisor needs sigwaitinfo")


@needs_signals
@pytest.mark.parametrize(
    ("source", "status", "told"),
    [
        ("os._exit(0)", 1, "the process was ended in fit of model 'planted', by os._exit or the like, with status 0"),
        ("os.kill(os.getpid(), 9)", 137, "killed in fit of model 'planted', most likely because memory ran out"),
        ("os.kill(os.getpid(), 11)", 139, "the process crashed in fit of model 'planted' (SIGSEGV)"),
    ],
)
def test_a_model_that_ends_the_process_is_told_of(source: str, status: int, told: str, tmp_path: Path) -> None:
    path = plant(tmp_path / "plugin", f"class Planted(Uniform):\n    def fit(self, *a):\n        {source}\n")
    done = installed(tmp_path, *LINE, PYTHONPATH=path)
    assert done.returncode == status, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.json"))


@needs_signals
@pytest.mark.parametrize("wait", ["time.sleep(60)", "ctypes.CDLL(None).sleep(60)"])
def test_a_model_that_sleeps_has_a_limit(wait: str, tmp_path: Path) -> None:
    path = plant(tmp_path / "plugin", f"class Planted(Uniform):\n    def fit(self, *a):\n        {wait}\n")
    begun = time.monotonic()
    done = installed(tmp_path, *LINE, "--time-limit", "0.3", PYTHONPATH=path)
    assert done.returncode == 1
    assert "model 'planted' took longer than the 0.3 s of --time-limit" in done.stderr
    assert time.monotonic() - begun < 30


@needs_signals
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_command(sent: signal.Signals, tmp_path: Path) -> None:
    source = "class Planted(Uniform):\n    def fit(self, *a):\n        open('pid', 'w').write(str(os.getpid()))\n"
    path = plant(tmp_path / "plugin", source + "        time.sleep(60)\n")
    with subprocess.Popen(
        [HARNESS, *LINE], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.DEVNULL
    ) as command:
        pid = _read(tmp_path / "pid")
        assert pid != command.pid
        command.send_signal(sent)
        assert command.wait(20) == -sent
    deadline = time.monotonic() + 20
    while _lives(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(pid)


@needs_signals
def test_a_command_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """As Ctrl-Z stops it, for longer than its parent waits at a time, and fg has it go on."""
    source = "class Planted(Uniform):\n    def fit(self, *a):\n        open('pid', 'w').write(str(os.getpid()))\n"
    source += "        while not os.path.exists('go'):\n            time.sleep(0.05)\n        super().fit(*a)\n"
    path = plant(tmp_path / "plugin", source)
    with subprocess.Popen(
        [HARNESS, *LINE], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.PIPE, text=True
    ) as command:
        both = (command.pid, _read(tmp_path / "pid"))
        for number, pause in ((signal.SIGSTOP, LOOK + 0.3), (signal.SIGCONT, 0.0)):
            for pid in both:
                os.kill(pid, number)
            time.sleep(pause)
        (tmp_path / "go").touch()
        told = command.communicate(timeout=60)[1]
    assert command.returncode == 0, told
    assert "planted on next_occ: perplexity" in told


@needs_signals
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_a_command_that_is_asked_to_end_says_what_is_kept_and_clears_up(
    sent: signal.Signals, status: int, tmp_path: Path
) -> None:
    source = "class Planted(Uniform):\n    def fit(self, *a):\n        open('pid', 'w').write(str(os.getpid()))\n"
    path = plant(tmp_path / "plugin", source + "        time.sleep(60)\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen(
        [HARNESS, *LINE, "--records", "r"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path, "TMPDIR": str(scratch)},
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        _read(tmp_path / "pid")
        command.send_signal(sent)
        told = command.communicate(timeout=20)[1]
    assert told.splitlines()[-1] == "stopped; 0 finished records are kept in r"
    assert command.returncode == status
    assert list(scratch.iterdir()) == []


def test_records_that_cannot_be_written_are_told_before_the_fit(tmp_path: Path) -> None:
    source = "class Planted(Uniform):\n    def fit(self, *a):\n        open('fitted', 'w').close()\n"
    source += "        super().fit(*a)\n"
    path = plant(tmp_path / "plugin", source)
    (tmp_path / "r").write_text("no folder")
    done = installed(tmp_path, *LINE, "--records", "r/deeper", PYTHONPATH=path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("r is a file); choose another folder")
    assert not (tmp_path / "fitted").exists()
    assert installed(tmp_path, *LINE, "--records", "s", PYTHONPATH=path).returncode == 0
    assert (tmp_path / "fitted").exists()


def _read(file: Path) -> int:
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(file.read_text())


def _lives(pid: int) -> bool:
    if sys.platform == "linux":
        status = Path(f"/proc/{pid}/stat")
        return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
