"""Printing: on a terminal that others' text cannot steer, and in any encoding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import typed
from helpers.tables import CAREERS, OCCUPATIONS, folder

from harness.system.terminal import visible

ESCAPE = "\x1b[31mred\x1b[0m \x9b1m \u202eleft"


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A panel whose codes and covariate hold escapes, quotation marks and a face."""
    code = f"0010{ESCAPE}\u2019\U0001f600"
    return folder(
        tmp_path,
        CAREERS.replace("0010", code).replace("gender", f"gender{ESCAPE}\u2019"),
        OCCUPATIONS.replace("0010", code),
    )


def test_what_others_wrote_does_not_steer_the_terminal(strange: Path) -> None:
    for line in (["describe"], ["check"], ["describe", "--json"]):
        done = typed(strange, "data", *line, str(strange))
        assert done.returncode == 0, done.stderr
        assert not {"\x1b", "\x9b", "\u202e"} & set(done.stdout)
    assert "\\u001b[31mred" in typed(strange, "data", "describe", str(strange)).stdout
    told = json.loads(typed(strange, "data", "describe", "--json", str(strange)).stdout)
    assert f"gender{ESCAPE}\u2019" in told["covariates"]  # a program reads what is there


def test_an_error_does_not_steer_the_terminal(tmp_path: Path) -> None:
    done = typed(tmp_path, "data", "describe", "no\x1b[31mfile")
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert "no\\u001b[31mfile" in done.stderr


def test_an_encoding_that_lacks_a_character(strange: Path) -> None:
    plain, as_json = (
        subprocess.run(
            [sys.executable, "-m", "harness", "data", "describe", str(strange), *more],
            env=os.environ | {"PYTHONIOENCODING": "latin-1"},
            capture_output=True,
            check=False,
        )
        for more in ([], ["--json"])
    )
    assert (plain.returncode, plain.stderr) == (0, b"")
    assert b"\\u2019" in plain.stdout
    assert f"gender{ESCAPE}\u2019" in json.loads(as_json.stdout.decode("ascii"))["covariates"]


def test_lines_and_tabs_are_no_steering() -> None:
    assert visible("a\tb\nc \u00e9 \u4e2d \U0001f600") == "a\tb\nc \u00e9 \u4e2d \U0001f600"
    assert visible("a\rb\x00\x7f") == "a\\u000db\\u0000\\u007f"
