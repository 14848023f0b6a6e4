"""A small panel folder that tests of readers break in one place, and the faults that are then found."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import open_panel
from harness.data.open import check
from harness.errors import DataError

OCCUPATIONS = """\
code,title,soc,status
0010,Chief Executives,11-1011,employed
0020,General Managers,11-1021,employed
4230,Maids,37-2012,employed
HOME,Not working,,out of the labor force
"""
CAREERS = """\
person,year,occupation,gender,split
1,1998,0010,female,train
1,1999,0020,female,train
2,1998,4230,male,valid
2,1999,HOME,male,valid
3,1998,HOME,,test
3,2001,4230,,test
"""


def folder(path: Path, careers: str | bytes = CAREERS, occupations: str | bytes = OCCUPATIONS) -> Path:
    place = path / "panel"
    place.mkdir(exist_ok=True)
    for name, content in (("careers.csv", careers), ("occupations.csv", occupations)):
        (place / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return place


def errors(source: Path, **request: object) -> list[str]:
    """The faults that ``check`` finds; reading refuses for the same reasons."""
    found = check(source, **request)  # type: ignore[arg-type]
    assert found.panel is None
    with pytest.raises(DataError) as refused:
        open_panel(source, **request)  # type: ignore[arg-type]
    assert refused.value.faults == found.errors
    assert refused.value.exit_status == 2
    return [str(fault) for fault in found.errors]
