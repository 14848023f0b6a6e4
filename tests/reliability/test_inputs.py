"""Whatever stands in a file, it is read soundly or refused in one line: ten thousand of each kind in make bench."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.paths import ROOT

from reliability.broken.fuzz import fuzz
from reliability.broken.readers import readers

KEPT = ROOT / "build" / "reliability" / "escapes"  # inputs that got past a reader, for whoever mends it
FEW, MANY = 25, 10_000
DEAR = {"gguf": 1_000}  # a model is made of each file that can be read


@pytest.mark.parametrize("name", [name for name in readers() if name not in DEAR])
def test_a_broken_file_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    found = fuzz(readers()[name](), FEW, work=tmp_path, kept=KEPT)
    assert found.escapes == {}
    assert found.tried == FEW


@pytest.mark.slow
@pytest.mark.parametrize("name", list(readers()))
def test_ten_thousand_broken_files_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    if name == "gguf":
        pytest.importorskip("gguf")
    found = fuzz(readers()[name](), DEAR.get(name, MANY), work=tmp_path, kept=KEPT, seed=1)
    assert found.escapes == {}
    assert found.sound
    assert found.refused
