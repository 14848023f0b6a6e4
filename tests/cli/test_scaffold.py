"""harness new-plugin: what it writes installs, is found, runs, and passes its own test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.scaffold import write_plugin
from harness.errors import RequestError


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A plugin written and installed by pip into a folder of its own, and an environment that sees it."""
    parent, site = tmp_path_factory.mktemp("plugins"), tmp_path_factory.mktemp("site")
    done = harness(["new-plugin", "my-model", "--in", str(parent)], os.environ | {}, parent)
    assert done.returncode == 0, done.stderr
    folder = parent / "harness-my-model"
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(folder)], check=True)
    return folder, os.environ | {"PYTHONPATH": str(site), "HARNESS_CACHE": str(site / "cache")}


def harness(arguments: list[str], env: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "harness"), *arguments]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)


def test_found(installed: tuple[Path, dict[str, str]]) -> None:
    folder, env = installed
    done = harness(["list", "models", "--json"], env, folder)
    [mine] = [m for m in json.loads(done.stdout)["models"] if m["name"] == "my-model"]
    assert mine["owner"] == "harness-my-model"


def test_runs_beside_the_built_in_models(installed: tuple[Path, dict[str, str]]) -> None:
    folder, env = installed
    line = "run --task next_occ --model my-model --model marginal --set data.persons=200 --set my-model.weight=2 --json"
    done = harness(line.split(), env, folder)
    assert done.returncode == 0, done.stderr
    mine, marginal = json.loads(done.stdout)
    assert mine["configuration"]["code"].startswith("harness-my-model 0.1.0 ")
    assert mine["configuration"]["changed"] == {"weight": 2.0}
    assert mine["figures"]["perplexity"] < 0.5 * marginal["figures"]["perplexity"]


def test_passes_its_own_test(installed: tuple[Path, dict[str, str]]) -> None:
    folder, env = installed
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


@pytest.mark.parametrize("name", ["My-Model", "1st", "a--b", "class", "a_b", "../x"])
def test_a_name_that_cannot_be_one_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot name a plugin"):
        write_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_plugin("mine", tmp_path)
    with pytest.raises(RequestError, match="exists already"):
        write_plugin("mine", tmp_path)
