"""Processor seconds from the keystroke to the answer, of whole processes, beside imports of libraries.

Of each the least of ``ROUNDS`` rounds in turn. The limits are of an idle core; on a busy one everything takes up to
twice as long, what is imported too, so that ratios are asserted, to the same process's import of pandas.
"""

from __future__ import annotations

import os
import pty
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.paths import ROOT

pytestmark = pytest.mark.slow

ROUNDS = 7
HARNESS = str(Path(sys.executable).parent / "harness")
PEERS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "import pandas": [sys.executable, "-c", "import pandas"],
    "import arch.bootstrap": [sys.executable, "-c", "import arch.bootstrap"],
    "import torch": [sys.executable, "-c", "import torch"],
}
# Times the processor seconds of importing pandas: what is asked of each command.
LIMITS = {"--help": 0.5, "list": 1.2, "run, cached": 3.0, "leaderboard --check": 5.0}


def spent(line: list[str], compiled: Path) -> float:
    """Processor seconds of a process and of those that it starts; their modules are compiled once, as a user's are."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": str(compiled)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(line, check=True, capture_output=True, cwd=ROOT, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def to_first_bar(line: list[str]) -> float:
    """Processor seconds of a process and of those that it starts until its first progress bar is on a terminal."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": "100", "TERM": "xterm"}
    process = subprocess.Popen(
        line, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    shown = b""
    try:
        while b"reading market" not in shown:
            shown += os.read(ours, 1 << 16)  # OSError where it ends without a bar
        whole = psutil.Process(process.pid)
        return sum(sum(one.cpu_times()[:2]) for one in (whole, *whole.children(recursive=True)))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)


@pytest.mark.parametrize("model", ["markov", "gbm", "career", "llm-lora"])
def test_seconds_to_the_first_bar(meter: Any, tmp_path: Path, model: str) -> None:
    run = [HARNESS, "run", "--task", "next_occ", "--model", model, "--records", str(tmp_path)]
    least = min(to_first_bar(run) for _ in range(ROUNDS))
    pandas = min(spent(PEERS["import pandas"], tmp_path / "compiled") for _ in range(ROUNDS))
    meter.say(f"\n{model}: first progress bar after {least:.2f} processor seconds, import pandas {pandas:.2f}")
    assert least < 3 * pandas


def test_seconds_to_the_answer(meter: Any, tmp_path: Path) -> None:
    run = [HARNESS, "run", "--task", "next_occ", "--model", "markov", "--model", "marginal"]
    run += ["--records", str(tmp_path / "records")]
    compiled = tmp_path / "compiled"
    spent(run, compiled)  # from now on its records answer
    commands = {
        "--help": [HARNESS, "--help"],
        "list": [HARNESS, "list"],
        "run, cached": run,
        "leaderboard --check": [HARNESS, "leaderboard", "--check"],
    }
    least: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name, line in (PEERS | commands).items():
            least[name] = min(least.get(name, float("inf")), spent(line, compiled))
    meter.say("\nprocessor seconds: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in least.items()))
    for name, times in LIMITS.items():
        assert least[name] < times * least["import pandas"], name
