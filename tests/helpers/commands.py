"""Commands of ``harness``: in this process, as most tests type them, or the installed one with its start-up."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from harness.cli import main

HARNESS = str(Path(sys.executable).parent / "harness")


def installed(folder: Path, *line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in the folder, in a process of its own; PYTHONPATH goes before the one that is set."""
    paths = [environment.get("PYTHONPATH"), os.environ.get("PYTHONPATH")]
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, paths))} if any(paths) else {}
    return subprocess.run(
        [HARNESS, *line],
        cwd=folder,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def typed(folder: Path, *line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the same entry point in the folder, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["harness", *line])
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(bool(end.code))
    return subprocess.CompletedProcess(["harness", *line], status, out.getvalue(), err.getvalue())
