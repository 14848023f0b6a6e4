"""The suite itself: what may skip, and how it is shared out."""

from __future__ import annotations

import pytest
from helpers.skips import reasons, refused


def test_a_skip_that_is_not_listed_for_everywhere_is_refused() -> None:
    listed = {"no pdflatex": "anywhere", "no survey": "here"}
    assert refused({"a": "no pdflatex"}, listed) == []
    assert refused({"b": "no survey", "a": "could not import 'x'"}, listed) == [
        "a: is not in tests/skips.txt: could not import 'x'",
        "b: skips in continuous integration, where it must run: no survey",
    ]


def test_every_listed_reason_says_where() -> None:
    assert set(reasons().values()) == {"anywhere", "here"}


def test_files_that_are_named_run_in_one_process(pytestconfig: pytest.Config) -> None:
    many = pytestconfig.hook.pytest_xdist_auto_num_workers(config=pytestconfig)
    assert many >= 1 if pytestconfig.args_source is pytest.Config.ArgsSource.TESTPATHS else many == 0
