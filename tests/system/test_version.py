"""Versions: releases, their order, and ids that stay the same from one development version to the next."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import installed

from harness.system.version import installed_version, is_newer, release


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("0.1.0", "0.1.0"),
        ("v0.2.0", "0.2.0"),
        ("0.2.0rc1", "0.2.0"),
        ("0.1.1.dev17+gd00dfe", "0.1.1"),
        ("1.4.post2", "1.4"),
        ("2!1.0a1", "2!1.0"),
        ("latest", "latest"),
    ],
)
def test_a_release_is_a_version_without_its_marks(version: str, told: str) -> None:
    assert release(version) == told


@pytest.mark.parametrize(
    ("later", "earlier"),
    [("0.10.0", "0.9.9"), ("0.1.1.dev17", "0.1.0"), ("1!0.1", "9.9"), ("1.0.1", "1"), ("0.0.1", "unheard-of")],
)
def test_the_newer_of_two(later: str, earlier: str) -> None:
    assert is_newer(later, earlier)
    assert not is_newer(earlier, later)


@pytest.mark.parametrize(("one", "same"), [("0.2.0.dev3+g1", "0.2.0"), ("1", "1.0.0"), ("0.2.0rc1", "0.2.0.post1")])
def test_neither_is_newer(one: str, same: str) -> None:
    assert not is_newer(one, same)
    assert not is_newer(same, one)


def test_a_distribution_that_is_not_installed_has_no_known_version() -> None:
    assert release(installed_version("a-distribution-that-nobody-made")) == "0"


PLUGIN = """
from harness.hookspecs import hookimpl
from harness.model import ModelSpec

@hookimpl
def harness_models():
    return [ModelSpec("dummy", "", lambda params: None)]
"""
ASK = (
    "from harness.registry import load_registry; from harness.runs.identity import code_version; "
    "print(code_version(load_registry().models['dummy']))"
)


def test_a_development_version_changes_no_id_and_a_release_does(tmp_path: Path) -> None:
    """Of a plugin's distribution, whose version is that of each commit."""
    (tmp_path / "dummy_plugin.py").write_text(PLUGIN)
    metadata = tmp_path / "dummy_plugin-1.dist-info"
    metadata.mkdir()
    (metadata / "entry_points.txt").write_text("[harness]\ndummy = dummy_plugin\n")
    codes = []
    for version in ("0.3.1.dev17+g1f2e", "0.3.1.dev18+g77aa", "0.3.1", "0.3.2"):
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dummy-plugin\nVersion: {version}\n")
        code = f"import sys; sys.path.append({str(tmp_path)!r}); {ASK}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        codes.append(done.stdout.strip())
    assert codes[0].startswith("dummy-plugin 0.3.1 ")
    assert codes[0] == codes[1] == codes[2] != codes[3]


def test_the_program_says_the_version_that_is_installed(tmp_path: Path) -> None:
    import harness

    done = installed(tmp_path, "--version")
    assert done.stdout.strip() == installed_version() == harness.__version__
