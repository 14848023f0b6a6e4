"""The wheel and its installation: nothing left out of the wheel, nothing added to the top level of site-packages."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile

import pytest
from helpers.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel built from a copy of the sources, with what is installed and without the network."""
    import shutil

    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for top in ("harness", "plugins", "tasks"):
        shutil.copytree(ROOT / top, source / top, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(out),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [built] = out.glob("*.whl")
    return zipfile.ZipFile(built).namelist()


def test_every_module_is_in_the_wheel(wheel: list[str]) -> None:
    expected = set()
    for top, installed in (("harness", "harness"), ("plugins", "harness/plugins"), ("tasks", "harness/tasks")):
        expected |= {f"{installed}/{p.relative_to(ROOT / top)}" for p in (ROOT / top).rglob("*.py")}
    assert expected <= set(wheel)
    assert "harness/py.typed" in wheel
    assert {"harness/render/html/style.css", "harness/render/html/page.js"} <= set(wheel)


def test_site_packages_gains_one_name(wheel: list[str]) -> None:
    assert {name.split("/")[0] for name in wheel if ".dist-info" not in name} == {"harness"}


def test_every_entry_point_is_a_module_in_the_wheel(wheel: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for module in project["entry-points"]["harness"].values():
        path = module.replace(".", "/")
        assert f"{path}.py" in wheel or f"{path}/__init__.py" in wheel


def test_the_core_alone_needs_no_heavy_library() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core = " ".join(project["dependencies"])
    assert not any(name in core for name in ("torch", "transformers", "lightgbm", "statsmodels"))
    assert set(project["optional-dependencies"]) >= {"llm", "gbm", "mnl", "career", "all", "dev"}
    from harness import __version__

    assert project["version"] == __version__
