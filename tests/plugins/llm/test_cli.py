"""``harness llm``: the command that pre-trains the base, and shows what is read of a career."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from helpers.commands import typed

SMALL = ["base_layers=1", "base_width=16", "base_heads=1", "base_tokens=5000", "base_vocabulary=300", "pool=market"]
TINY = [*SMALL, "epochs=1", "rank=2", "batch_tokens=512"]


def harness(cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return typed(cache, *arguments, HARNESS_CACHE=str(cache), COLUMNS="120")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_a_base_is_made_once_and_opens_with_transformers(cache: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    given = [part for pair in SMALL for part in ("--set", pair)]
    first = harness(cache, "llm", "pretrain", *given, "--output", str(tmp_path / "base"))
    assert first.returncode == 0, first.stderr
    [folder] = (cache / "models" / "llm-bases").iterdir()
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


@pytest.mark.slow
def test_the_papers_ablations_stand_in_one_table_of_paired_differences(cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "occupations.csv").write_text("code,title,group,status\n1,Nurses,A,employed\n2,Clerks,B,employed\n")
    careers = "".join(f"{person},{year},{1 + person % 2}\n" for person in range(90) for year in (1990, 1991))
    (other / "careers.csv").write_text(f"person,year,occupation\n{careers}")
    given = [part for pair in TINY for part in ("--set", pair)]
    asked = ["--data", "wage-panel", "--records", str(tmp_path / "records"), "--against", "marginal", "--json", *given]
    some = [part for arm in ("history-1", "not-tuned", "pooled") for part in ("--arm", arm)]
    ran = harness(cache, "ablate", "llm-lora", *asked, *some, "--train-also", str(other))
    assert ran.returncode == 0, ran.stderr
    rows = json.loads(ran.stdout)
    assert [row["arm"] for row in rows] == [
        "as asked for",
        "history of 1 record",
        "base as it is",
        "pooled with other",
        "marginal",
    ]
    first, *others = rows
    assert first["difference"] is None
    files = {path.stem.split("-")[-1]: json.loads(path.read_text()) for path in (tmp_path / "records").rglob("*.json")}
    for row in others:  # what is said is what the records hold
        told, base = (files[r["record"]]["figures"]["log_likelihood"] for r in (row, first))
        assert row["perplexity"]["standard_error"] > 0
        transitions = sum(files[first["record"]]["evidence"]["transitions"])
        assert row["difference"]["value"] == pytest.approx((told - base) / transitions, abs=1e-6)
    assert files[rows[1]["record"]]["configuration"]["changed"]["history"] == 1
    assert [panel["name"] for panel in files[rows[3]["record"]]["configuration"]["train_also"]] == ["other"]
    again = harness(cache, "ablate", "llm-lora", *asked, *some, "--train-also", str(other))
    assert json.loads(again.stdout) == rows
    assert len(list((tmp_path / "records").rglob("*.json"))) == len(rows)  # read, not run again


def test_an_ablation_that_there_is_not(cache: Path) -> None:
    wrong = harness(cache, "ablate", "llm-lora", "--arm", "history-2")
    assert wrong.returncode == 2
    assert "did you mean 'history-3'" in wrong.stderr
    lonely = harness(cache, "ablate", "llm-lora", "--arm", "pooled")
    assert lonely.returncode == 2
    assert "--train-also" in lonely.stderr
