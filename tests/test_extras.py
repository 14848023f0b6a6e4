"""Each model runs with what its extra installs, and nothing that only others bring."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

BLOCKED = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
sys.argv = ["harness", *{line!r}]
from harness.cli import main
main()
"""
SHORT = {
    "career": ["--set", "epochs=1", "--set", "fewest_steps=1", "--set", "width=8", "--set", "inner=8"],
    "mlogit": ["--set", "formula=1"],
}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_by(extra: str) -> set[str]:
    """The distributions that ``pip install labor-harness[extra]`` brings, by their plain names."""
    found: set[str] = set()
    left: list[tuple[str, tuple[str, ...]]] = [("labor-harness", (extra,))]
    while left:
        name, extras = left.pop()
        found.add(name)
        for line in _requires(name):
            match = re.match(r"([A-Za-z0-9_.-]+)(?:\[([^]]*)\])?", line)
            assert match, line
            further = tuple(part.strip() for part in (match[2] or "").split(",") if part.strip())
            asked = re.search(r"extra == ['\"]([^'\"]+)['\"]", line)
            if (asked is None or asked[1] in extras) and (plain(match[1]) not in found or further):
                left.append((plain(match[1]), further))
    return found


def _requires(name: str) -> Iterable[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:  # of another system or Python
        return []


@pytest.fixture(scope="module")
def distributions() -> Mapping[str, list[str]]:
    """Those that bring each module: every installed file is looked at."""
    return packages_distributions()


@pytest.mark.parametrize(
    ("model", "extra"),
    [
        ("mnl", "mnl"),
        pytest.param("mlogit", "mnl", marks=pytest.mark.slow),
        ("gbm", "gbm"),
        ("softmax", "softmax"),
        ("career", "career"),
    ],
)
def test_a_model_runs_with_its_extra_alone(
    model: str, extra: str, distributions: Mapping[str, list[str]], tmp_path: Path
) -> None:
    brought = installed_by(extra)
    absent = {
        module for module, owners in distributions.items() if not any(plain(owner) in brought for owner in owners)
    } - set(sys.stdlib_module_names)
    assert "ruff" in absent
    assert "numpy" not in absent
    rows = [f"{i},{2000 + t},{'abcd'[(i + t * t // 3 + i * t) % 4]}" for i in range(60) for t in range(8)]
    (tmp_path / "jobs.csv").write_text("\n".join(["person,year,occupation", *rows]) + "\n")
    line = ["run", "--task", "next_occ", "--model", model, "--data", "jobs.csv"]
    code = BLOCKED.format(absent=absent, line=[*line, *SHORT.get(model, [])])
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{model} on next_occ: perplexity" in done.stderr
