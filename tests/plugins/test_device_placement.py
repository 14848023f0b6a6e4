"""Every torch model on a device that the processor plays, in a process of its own.

Torch counts the devices that gradients are sent to when it computes the first ones: the device has to be there before
any other test has trained anything.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).with_name("device_placement.py")


@pytest.mark.parametrize("which", ["not slow", pytest.param("slow", marks=pytest.mark.slow)])
def test_no_tensor_is_left_behind(which: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-m", which, "-p", "no:cacheprovider", str(TESTS)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=TESTS.parents[2],
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    assert "failed" not in ran.stdout
    assert "passed" in ran.stdout
