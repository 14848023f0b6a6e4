"""harness doctor and harness cache, as the shell sees them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from helpers.commands import typed

from harness.system.version import installed_version


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with a fit of yesterday, one of last year, and a base of last year."""
    for name, days in (("fits/mnl-new", 1), ("fits/mnl-old", 365), ("llm-bases/base", 365)):
        folder = tmp_path / "cache" / name
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 1000)
        then = time.time() - days * 24 * 3600
        os.utime(folder / "file", (then, then))
    return tmp_path / "cache"


def test_the_doctor_says_what_is_here(tmp_path: Path) -> None:
    done = typed(tmp_path, "doctor", "--json", HARNESS_CACHE=str(tmp_path / "c"))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["machine"]["harness"] == installed_version()
    assert found["faults"] == {}


def test_the_doctor_names_a_cache_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = typed(tmp_path, "doctor", HARNESS_CACHE=str(tmp_path / "file" / "c"))
    assert done.returncode == 1
    assert "FAULT cache: the cache" in done.stdout


def test_old_fits_go_and_bases_stay(tmp_path: Path, cache: Path) -> None:
    listed = json.loads(typed(tmp_path, "cache", "list", "--json", HARNESS_CACHE=str(cache)).stdout)
    assert listed["kinds"]["fits"] == {"entries": 2, "bytes": 2000}
    dry = typed(tmp_path, "cache", "prune", "--dry-run", HARNESS_CACHE=str(cache))
    assert "mnl-old" in dry.stdout
    assert (cache / "fits" / "mnl-old").exists()
    typed(tmp_path, "cache", "prune", HARNESS_CACHE=str(cache))
    assert sorted(path.name for path in cache.rglob("*") if path.is_dir()) == [
        "base",
        "fits",
        "llm-bases",
        "mnl-new",
        "models",
    ]
    wrong = typed(tmp_path, "cache", "prune", "--kind", "fit", HARNESS_CACHE=str(cache))
    assert (wrong.returncode, "holds fits, llm-bases" in wrong.stderr) == (2, True)
    typed(tmp_path, "cache", "prune", "--kind", "llm-bases", HARNESS_CACHE=str(cache))
    assert not (cache / "models" / "llm-bases" / "base").exists()
