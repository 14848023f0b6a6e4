"""The wheel and its version: nothing left out, nothing added to the top level of site-packages, the tag's version."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.paths import ROOT

from harness.system.version import release


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources, with what is installed and without the network."""
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
    return built


@pytest.fixture(scope="module")
def wheel(built: Path) -> list[str]:
    """The names in the wheel."""
    return zipfile.ZipFile(built).namelist()


@pytest.fixture(scope="module")
def declared() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_module_is_in_the_wheel(wheel: list[str]) -> None:
    expected = set()
    for top, installed in (("harness", "harness"), ("plugins", "harness/plugins"), ("tasks", "harness/tasks")):
        expected |= {f"{installed}/{p.relative_to(ROOT / top)}" for p in (ROOT / top).rglob("*.py")}
    assert expected <= set(wheel)
    assert "harness/py.typed" in wheel
    assert {"harness/render/html/style.css", "harness/render/html/page.js"} <= set(wheel)


def test_site_packages_gains_one_name(wheel: list[str]) -> None:
    assert {name.split("/")[0] for name in wheel if ".dist-info" not in name} == {"harness"}


def test_every_entry_point_is_a_module_in_the_wheel(wheel: list[str], declared: dict[str, Any]) -> None:
    for module in declared["project"]["entry-points"]["harness"].values():
        path = module.replace(".", "/")
        assert f"{path}.py" in wheel or f"{path}/__init__.py" in wheel


def test_the_core_alone_needs_no_heavy_library(declared: dict[str, Any]) -> None:
    project = declared["project"]
    core = " ".join(project["dependencies"])
    assert not any(name in core for name in ("torch", "transformers", "lightgbm", "statsmodels"))
    assert set(project["optional-dependencies"]) >= {"llm", "gbm", "mnl", "career", "all", "dev"}


def test_sources_without_git_are_of_the_release_that_they_declare(built: Path, declared: dict[str, Any]) -> None:
    fallback = declared["tool"]["setuptools_scm"]["fallback_version"]
    assert built.name.startswith(f"labor_harness-{fallback}-")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == fallback
    assert re.search(
        rf"^## {re.escape(fallback)} \(", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )


def test_a_tag_on_this_commit_is_the_release_that_it_declares(declared: dict[str, Any]) -> None:
    found = subprocess.run(["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    tags = [release(tag) for tag in found.stdout.split() if release(tag) != tag]  # v0.2.0, and its candidate v0.2.0rc1
    assert tags == [declared["tool"]["setuptools_scm"]["fallback_version"]] * len(tags)


class Tagged:
    """A repository with the project's pyproject.toml alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.joinpath("pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
        self.git("init", "-q")
        self.git("add", ".")
        self.commit()

    def git(self, *words: str) -> None:
        who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=self.folder, check=True)

    def commit(self) -> None:
        self.git("commit", "-q", "--allow-empty", "-m", "A change")

    def version(self) -> str:
        command = [sys.executable, "-W", "ignore", "-m", "setuptools_scm"]
        told = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        return told.stdout.strip()


def test_a_tag_gives_the_version_of_its_commit_and_of_those_after_it(tmp_path: Path, declared: dict[str, Any]) -> None:
    checkout = Tagged(tmp_path)
    assert checkout.version() == declared["tool"]["setuptools_scm"]["fallback_version"]
    checkout.git("tag", "v7.2.0rc1")
    assert checkout.version() == "7.2.0rc1"
    checkout.commit()
    checkout.git("tag", "v7.2.0")
    assert checkout.version() == "7.2.0"
    checkout.commit()
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes() + b"# edited\n")
    assert checkout.version() == "7.2.0"
