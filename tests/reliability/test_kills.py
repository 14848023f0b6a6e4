"""Commands that are killed, share a folder, run out of space or may not write: the same command then makes it good."""

from __future__ import annotations

import sys

import pytest

from reliability.disturbed import DEEDS, may_mount
from reliability.forked import in_parallel
from reliability.kills import SPACES, TIMES, disturb, operations

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the supervisor needs sigwaitinfo"),
]
NAMES = [deed.name for deed in DEEDS]


def problems(name: str, how: str, at: list[float]) -> list[str]:
    ends = in_parallel(disturb, [(name, how, one) for one in at])
    return [f"{how} {one:g}: {end['problem']}" for one, end in zip(at, ends, strict=True) if end["problem"]]


@pytest.mark.parametrize("name", NAMES)
def test_a_command_may_be_killed_at_every_operation_on_a_file(name: str) -> None:
    [(_, count)] = in_parallel(operations, [(name,)])
    assert count
    assert problems(name, "operation", [float(n) for n in range(1, count + 1)]) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_command_may_be_killed_at_any_time(name: str) -> None:
    assert problems(name, "time", [n / TIMES for n in range(TIMES)]) == []


@pytest.mark.parametrize("name", NAMES)
def test_several_processes_may_do_the_same_at_once(name: str) -> None:
    assert problems(name, "processes", [2, 4]) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_may_be_read_only(name: str) -> None:
    assert problems(name, "read-only", [0]) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_disk_may_be_full(name: str) -> None:
    if not may_mount():
        pytest.skip("this process may mount no disk")
    assert problems(name, "space", list(map(float, SPACES))) == []
