"""``harness llm``: the installed command that pre-trains the base, and shows what is read of a career."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ["base_layers=1", "base_width=16", "base_heads=1", "base_tokens=5000", "base_vocabulary=300", "pool=market"]


def harness(cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from harness.cli import main; main()", *arguments]
    env = os.environ | {"HARNESS_CACHE": str(cache), "COLUMNS": "120"}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_a_base_is_made_once_and_opens_with_transformers(cache: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    given = [part for pair in SMALL for part in ("--set", pair)]
    first = harness(cache, "llm", "pretrain", *given, "--output", str(tmp_path / "base"))
    assert first.returncode == 0, first.stderr
    [folder] = (cache / "llm-bases").iterdir()
    assert json.loads((folder / "recipe.json").read_text())["tokens"] == 5000
    assert f"{folder}: pre-trained in" in first.stdout
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "base", use_safetensors=True)
    assert model.config.hidden_size == 16
    assert AutoTokenizer.from_pretrained(tmp_path / "base").bos_token == "<s>"
    again = harness(cache, "llm", "pretrain", *given)
    assert "was there already" in again.stdout
    taken = harness(cache, "llm", "pretrain", *given, "--output", str(tmp_path / "base"))
    assert taken.returncode == 2
    assert "is there already" in taken.stderr


def test_a_wrong_recipe_says_what_would_be_right(cache: Path) -> None:
    wrong = harness(cache, "llm", "pretrain", "--set", "base_width=30", "--set", "base_heads=4")
    assert wrong.returncode == 2
    assert "choose a multiple of 8" in wrong.stderr
    unknown = harness(cache, "llm", "pretrain", "--set", "base_layer=2")
    assert unknown.returncode == 2
    assert "base_layers" in unknown.stderr


def test_a_career_as_it_is_read(cache: Path) -> None:
    whole = harness(cache, "llm", "text", "--data", "wage-panel")
    assert whole.returncode == 0, whole.stderr
    lines = whole.stdout.splitlines()
    assert lines[-1] == "end of resume"
    assert lines[1].startswith("1980")
    short = harness(cache, "llm", "text", "--data", "wage-panel", "--set", "history=2", "--set", "demographics=false")
    assert short.stdout.splitlines()[-2:] == lines[-2:]
    assert len(short.stdout.splitlines()) < len(lines)
    nobody = harness(cache, "llm", "text", "--data", "wage-panel", "--person", "nobody")
    assert nobody.returncode == 2
    assert "has no person 'nobody'" in nobody.stderr


def test_the_careers_shown_before_it(cache: Path) -> None:
    alone = harness(cache, "llm", "text", "--data", "wage-panel")
    shown = harness(cache, "llm", "text", "--data", "wage-panel", "--set", "shots=2", "--set", "tuning=none")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.endswith(alone.stdout)
    assert shown.stdout.count("end of resume\n") == 3
    tuned = harness(cache, "llm", "text", "--data", "wage-panel", "--set", "shots=2")
    assert tuned.returncode == 2
    assert "set tuning=none" in tuned.stderr


def test_none_is_a_choice_where_a_parameter_has_it(cache: Path) -> None:
    known = harness(cache, "llm", "text", "--data", "wage-panel", "--set", "tuning=none", "--set", "renormalise=none")
    assert known.returncode == 0, known.stderr
    wrong = harness(cache, "llm", "text", "--data", "wage-panel", "--set", "tuning=never")
    assert wrong.returncode == 2
    assert "'lora', 'full' or 'none'" in wrong.stderr
