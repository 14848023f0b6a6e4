"""``harness verify`` as it is typed: on runs, on what was submitted, on mixes, and on records that were edited."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from helpers.commands import typed
from helpers.submissions import CODES, Rows, long_file, long_rows
from helpers.toys import InProcess, run_with_valid, validate

from harness import open_panel
from harness.boards.mix import mix
from harness.data.write import write_panel
from harness.panel.careers import Panel
from harness.records.record import Record, figures
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.runs.run import Run


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    """marginal and markov on a small market and their mix: a folder with the records and the cache of the machine."""
    folder = tmp_path_factory.mktemp("verify")
    workshop = Workshop(registry=registry, store=Store(folder / "r"), cache=folder / "cache")
    panel = open_panel("market", {"persons": 60}, registry=registry)
    parts = []
    for name, values in (("marginal", {"pseudo_count": 2.0}), ("markov", {})):
        entry = registry.model(name)
        run = Run(model=entry, params=entry.item.params(**values), tasks=(registry.task("switch"),), panel=panel)
        parts += run_with_valid(run, workshop)
    validate(workshop, panel, parts)
    made = mix(parts, workshop.cache, of_board=True)
    workshop.store.write(made.model_copy(update={"figures": figures(made)}))
    return folder


@pytest.fixture
def verify(ran: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    monkeypatch.setenv("HARNESS_CACHE", str(ran / "cache"))
    monkeypatch.chdir(ran)
    return InProcess("verify", monkeypatch, capsys, "--in-process")  # seconds less; the default has its own test


def of_model(folder: Path) -> dict[str, Record]:
    return {record.configuration.model: record for record in Store(folder).all()}


def contents(folder: Path) -> dict[Path, tuple[int, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


def test_a_run_is_made_again_from_the_start_and_leaves_nothing(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(ran / "cache"))
    record = of_model(ran / "r")["marginal"]
    before = contents(ran)
    done = typed(ran, "verify", record.id[:8], "--records", "r")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == (
        f"marginal (pseudo_count=2.0) on switch of market-persons-60-seed-1 ({record.id}): identical"
    )
    assert "changed: neither code, libraries nor machine" in done.stdout
    assert contents(ran) == before


def test_a_file_from_somebody_else(verify: InProcess, ran: Path, tmp_path: Path) -> None:
    record = of_model(ran / "r")["marginal"]
    path = shutil.copy(Store(ran / "r").path(record.configuration), tmp_path / "theirs.json")
    status, out, _ = verify(str(path), "--json", "--records", str(tmp_path / "none"))
    found = json.loads(out)
    assert (status, found["verdict"], found["run"]) == (0, "identical", record.id)
    assert found["perplexity"]["low"] < found["again"] < found["perplexity"]["high"]
    assert (found["difference"]["value"], found["figures"], found["changed"]) == (0, {}, {})


def test_a_figure_that_was_edited(verify: InProcess, ran: Path, tmp_path: Path) -> None:
    record = of_model(ran / "r")["marginal"]
    better = record.model_copy(update={"figures": record.figures | {"perplexity": 1.0}})
    path = str(Store(tmp_path).write(better))
    status, out, _ = verify(path)
    assert status == 1
    assert "does not reproduce\n  its figures are not those of its own evidence: perplexity 1, by its evidence" in out
    status, out, _ = verify(path, "--json")
    assert (status, json.loads(out)["contradictions"]["perplexity"]["record"]) == (1, 1.0)


def test_evidence_that_was_edited_with_its_figures(verify: InProcess, ran: Path, tmp_path: Path) -> None:
    """Another model's figures and evidence under this one's configuration: nothing but a new run can tell."""
    records = of_model(ran / "r")
    claimed = {name: getattr(records["markov"], name) for name in ("figures", "evidence", "slices")}
    path = str(Store(tmp_path).write(records["marginal"].model_copy(update=claimed)))
    status, out, _ = verify(path, "--json")
    found = json.loads(out)
    assert (status, found["verdict"]) == (1, "does not reproduce")
    gain = records["marginal"].figures["log_likelihood"] - records["markov"].figures["log_likelihood"]  # type: ignore[operator]
    n = sum(records["marginal"].evidence.transitions)
    assert found["difference"]["value"] == pytest.approx(gain / n, abs=1e-6)
    assert found["figures"]["perplexity"] == {
        "record": records["markov"].figures["perplexity"],
        "again": records["marginal"].figures["perplexity"],
    }
    status, out, _ = verify(path)
    assert f"on the same persons {gain / n:+.5f}" in out
    assert "does not reproduce" in out


def test_a_statement_of_the_run_that_was_edited(verify: InProcess, ran: Path, tmp_path: Path) -> None:
    record = of_model(ran / "r")["marginal"]
    path = str(Store(tmp_path).write(record.model_copy(update={"knows_truth": True})))
    status, out, _ = verify(path)
    assert status == 1
    assert "  the record says: knows_truth True, and the run False\n" in out
    assert "figures: the same" not in out
    status, out, _ = verify(path, "--json")
    assert json.loads(out)["said"] == {"knows_truth": {"record": "True", "again": "False"}}


def test_slices_that_were_edited_alone(verify: InProcess, ran: Path, tmp_path: Path) -> None:
    record = of_model(ran / "r")["marginal"]
    status, out, _ = verify(str(Store(tmp_path).write(record.model_copy(update={"slices": {}}))))
    assert status == 0
    assert "): reproduces\n" in out
    assert "figures: the same; the sums by person or the slices behind them are not" in out


def test_a_mix_is_made_again_from_what_its_runs_said(
    verify: InProcess, ran: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    records = of_model(ran / "r")
    before = contents(ran)
    status, out, _ = verify(records["mix"].id, "--records", "r")
    after = contents(ran)
    assert status == 0
    assert {path for path in after.keys() | before if after.get(path) != before.get(path)} == set()
    assert f"({records['mix'].id}): identical" in out
    path = str(Store(ran / "r").path(records["mix"].configuration))
    (tmp_path / "empty").mkdir()
    status, _, told = verify(path, "--records", str(tmp_path / "empty"))
    assert status == 2
    assert "is a mix of runs whose records are not in" in told
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "another"))
    status, _, told = verify(path, "--records", "r")
    assert status == 2
    assert (
        "this machine lacks the probabilities of 2 of its 2 runs; run first, with the code that made them: harness run"
        in told
    )


def test_a_panel_from_files_is_the_very_one(
    verify: InProcess, ran: Path, tmp_path: Path, four_persons: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_panel(four_persons, tmp_path / "careers", "csv")
    run = ["--task", "next_occ", "--model", "marginal", "--weights", "birth_year", "--seed", "3"]
    monkeypatch.chdir(tmp_path)
    harness = InProcess("run", monkeypatch, verify.capsys)
    assert harness(*run, "--data", "careers", "--records", "r")[0] == 0
    [record] = Store(tmp_path / "r").all()
    path = str(Store(tmp_path / "r").path(record.configuration))
    status, out, _ = verify(path)  # the folder is where its name says
    assert (status, "identical" in out) == (0, True)
    monkeypatch.chdir(ran)
    status, _, told = verify(path)
    assert status == 2
    assert "was read from files: say where they are, --data PATH" in told
    status, out, _ = verify(path, "--data", str(tmp_path / "careers"))
    assert (status, "identical" in out) == (0, True)
    careers = tmp_path / "careers" / "careers.csv"
    careers.write_text(careers.read_text().replace("male", "other", 1))
    (tmp_path / "careers" / "columns.json").unlink()
    status, _, told = verify(path, "--data", str(tmp_path / "careers"))
    assert status == 2
    assert "is not the panel of the record, 'careers weighted by birth_year'" in told
    assert "as many persons, records and states, but other contents" in told


def test_what_was_submitted_is_scored_again_from_its_file(
    verify: InProcess, tmp_path: Path, four_persons: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_panel(four_persons, tmp_path / "careers", "csv")
    monkeypatch.chdir(tmp_path)
    rows: Rows = [*long_rows([0.5, 0.25, 0.0, 0.25]), *(["c", 2001, code, 0.25] for code in CODES)]
    long_file(tmp_path, rows)
    score = InProcess("score", monkeypatch, verify.capsys)
    asked = ["p.csv", "--name", "mine", "--task", "switch", "--data", "careers", "--floor", "0.01", "--records", "r"]
    assert score(*asked)[0] == 0
    [record] = Store(tmp_path / "r").all()
    status, _, told = verify(record.id, "--records", "r")
    assert status == 2
    assert "was submitted: --file PATH names the table that it was scored from, whose SHA-256 begins with" in told
    before = contents(tmp_path)
    status, out, _ = verify(record.id, "--records", "r", "--file", "p.csv")
    assert (status, contents(tmp_path)) == (0, before)
    assert f"mine (floor=0.01) on switch of careers ({record.id}): identical" in out
    (tmp_path / "other.csv").write_text((tmp_path / "p.csv").read_text() + "\n")
    status, _, told = verify(record.id, "--records", "r", "--file", "other.csv")
    assert status == 2
    assert "--file other.csv: is not the submitted file: its SHA-256 begins with" in told


def test_requests_that_make_no_sense(verify: InProcess, ran: Path, tmp_path: Path, four_persons: Panel) -> None:
    write_panel(four_persons, tmp_path / "four", "csv")
    records = of_model(ran / "r")
    (tmp_path / "no.json").write_text("{}")
    for line, message in (
        (["zzz", "--records", "r"], "no record's id begins with 'zzz'"),
        ([str(tmp_path / "no.json")], "no.json: record schema None"),
        ([records["marginal"].id, "--records", "nowhere"], "no such folder of records"),
        (
            [records["marginal"].id, "--records", "r", "--file", "x"],
            "(marginal (pseudo_count=2.0)) was run here, and not",
        ),
        ([records["marginal"].id, "--records", "r", "--data", str(tmp_path / "four")], "4 persons in place of 60"),
    ):
        status, out, told = verify(*line)
        assert (status, out) == (2, ""), line
        assert message in told
