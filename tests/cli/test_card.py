"""The card of a run as a page: every name escaped, what is left out said, and ``harness card`` as a user types it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.cards import card, homes, of_model, section, stocked
from helpers.submissions import Scorer, long_file
from helpers.toys import InProcess, run_all, run_on

from harness.boards.card import Installed, card_of
from harness.boards.views import slices_of
from harness.cli import console
from harness.panel.careers import Panel
from harness.registry import Registry
from harness.render.card.page import plain, render
from harness.runs.execute import Workshop

HOSTILE = "r|e`c*a[l]l <script>\n| x"


@pytest.fixture(scope="module")
def shelf(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return stocked(registry, tmp_path_factory.mktemp("card") / "results")


def test_a_mix_names_its_parts(shelf: Workshop) -> None:
    record = of_model(shelf, "mix")
    text = render(card(shelf, record))
    for part, weight in record.facts["weights"].items():
        assert f"| {record.facts['parts'][part]} | {part} | {weight:.4f} |" in text
    assert "Asked for" not in text
    assert "It gives no probabilities for a new career" in text


def test_a_submission_tells_its_file(
    registry: Registry, workshop: Workshop, four_persons: Panel, tmp_path: Path
) -> None:
    record = Scorer(registry, workshop, four_persons)(long_file(tmp_path))["next_occ"]
    made = card_of(record, workshop.store, Installed(None, None, "harness score FILE"))
    text = render(made)
    assert f"- File: SHA-256 {record.configuration.parameters['file_sha256']}." in text
    assert "what made them is not recorded" in text
    assert "nor whether it saw the careers that are held out" in text
    assert made.code_is_here is None


def test_what_is_left_out_of_many_levels_is_said(shelf: Workshop) -> None:
    record = of_model(shelf, "markov")
    assert record.slices is not None
    part = record.slices["gender"]["female"]
    many = {
        f"level {i:02}": part.model_copy(
            update={"log_likelihood": [value * (1 + i / 10) for value in part.log_likelihood]}
        )
        for i in range(13)
    }
    sliced = record.model_copy(update={"slices": {"many": many}})
    text = section(render(replace(card(shelf, record), record=sliced, slices=slices_of([[sliced]]))), "For whom")
    assert [line.split("|")[2].strip() for line in text.splitlines() if line.startswith("| many")] == [
        f"level {i:02}" for i in (0, 1, 2, 3, 9, 10, 11, 12)
    ]
    assert "Of more than 12 levels, the 4 of least and the 4 of most perplexity" in text


def test_an_older_record_is_told_without_what_it_has_not(shelf: Workshop) -> None:
    record = of_model(shelf, "markov")
    bare = record.model_copy(
        update={
            "slices": None,
            "evidence": record.evidence.model_copy(
                update={"likeliest_cells": None, "likeliest_right": None, "likeliest_wrong": None}
            ),
        }
    )
    made = replace(card(shelf, record), record=bare, slices=(), behind=(), reliability=None)
    text = render(made)
    whole = render(card(shelf, record))
    assert "- The record is older than slices" in text
    assert "- The record is older than slices" not in whole
    left_out = {"For whom", "Calibration"}
    titles = re.findall("^## (.*)$", whole, re.MULTILINE)
    assert left_out < set(titles)
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [title for title in titles if title not in left_out]
    for title in set(titles) - left_out - {"Limits"}:
        assert section(text, title) == section(whole, title), title


def test_every_name_is_escaped(registry: Registry, workshop: Workshop) -> None:
    panel = homes()
    hostile = replace(
        panel,
        name=HOSTILE,
        source={"file": HOSTILE},
        covariates={HOSTILE: replace(panel.covariates["gender"], levels=(HOSTILE, "m|"))},
    )
    entry = registry.model("marginal")
    [record] = run_all(run_on(registry, hostile, entry=entry, params=entry.item.params()), workshop)
    text = render(card_of(record, workshop.store, Installed(None, None, "harness run --data 'a\nb'")))
    assert "<script>" not in text
    assert "- `marginal`, which is not installed here." in text
    tables = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")]
    rows = [line for line in tables if "script" in line]
    assert rows
    assert {line.count("|") for line in rows} == {6}
    assert all(not line.startswith("| x") for line in text.splitlines())
    assert "\n- Made again by (--data: where its files lie):\n\n      harness run --data 'a\n      b'\n" in text


def test_json_says_the_same(shelf: Workshop) -> None:
    record = of_model(shelf, "marginal")
    made = card(shelf, record)
    told = json.loads(json.dumps(plain(made), allow_nan=False))
    assert told["record"]["id"] == record.id
    assert "evidence" not in told["record"]
    assert told["place"]["row"]["tied"] == [2, 2]
    assert told["intervals"]["perplexity"]["low"] == made.intervals["perplexity"].low
    assert [level["level"] for level in told["slices"] if level["by"] == "gender"] == ["female", "male"]
    assert len(told["behind"]) == len(made.behind)
    assert told["limits"]
    assert told["model"]["summary"] == shelf.registry.model("marginal").item.summary


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess("card", monkeypatch, capsys)


def test_the_command_prints_writes_and_refuses(harness: InProcess, shelf: Workshop, tmp_path: Path) -> None:
    record, folder = of_model(shelf, "markov"), ["--records", str(shelf.store.folder)]
    status, out, err = harness(record.id[:8], *folder)
    assert (status, err) == (0, "")
    assert out.startswith("# markov: next_occ on recall\n")
    assert f"      harness run --task next_occ --model markov --data recall --records {shelf.store.folder}" in out
    file = tmp_path / "cards" / "markov.md"
    assert harness(record.id, "--out", str(file), *folder) == (0, "", f"-> {file}\n")
    assert file.read_text() == out
    told = json.loads(harness(record.id, "--json", *folder)[1])
    assert told["command"].startswith("harness run --task next_occ --model markov")
    harness(record.id, "--json", "--out", str(file), *folder)
    assert json.loads(file.read_text()) == told
    assert harness("zz", *folder)[::2] == (
        2,
        "error: no record's id begins with 'zz', and no record file and no panel/task/model is called so; the boards' "
        "json lists the ids\n",
    )


def test_a_mix_is_made_again_by_its_own_command(harness: InProcess, shelf: Workshop) -> None:
    record, folder = of_model(shelf, "mix"), str(shelf.store.folder)
    _, out, _ = harness(record.id, "--records", folder)
    assert f"      harness mix --task next_occ --data recall --records {folder}\n" in out


def test_on_a_terminal_it_is_laid_out(harness: InProcess, shelf: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    _, out, _ = harness(of_model(shelf, "markov").id, "--records", str(shelf.store.folder))
    assert "## " not in out
    assert "| ---" not in out
    assert "For whom" in out
    assert "\\[" not in out
    assert max(map(len, out.splitlines())) <= 120


@pytest.mark.survey
def test_a_survey_on_a_page(harness: InProcess, registry: Registry, workshop: Workshop, nlsy97: Path) -> None:
    from harness import open_panel

    entry = registry.model("markov")
    [record] = run_all(run_on(registry, open_panel(nlsy97), entry=entry, params=entry.item.params()), workshop)
    status, out, _ = harness(record.id, "--records", str(workshop.store.folder))
    assert status == 0
    whom = section(out, "For whom")
    assert {line.split("|")[1].strip() for line in whom.splitlines() if line.startswith("|")} >= {
        "gender",
        "ethnicity",
        "education",
        "age",
        "decade",
        "transition",
    }
    assert "simulated" not in out
