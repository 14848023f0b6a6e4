"""The command as a user types it: the first job and its start-up as installed, what follows in this process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from helpers.commands import HARNESS, installed, typed

SMALL = ["--set", "data.persons=200"]


class Command:
    """Runs ``harness`` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return typed(self.folder, *arguments)


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Command:
    return Command(tmp_path_factory.mktemp("walk"))


@pytest.fixture(scope="module")
def ran(harness: Command) -> subprocess.CompletedProcess[str]:
    """The job that most of the tests below look at: four models on every task."""
    models = [word for name in ("uniform", "marginal", "markov", "oracle") for word in ("--model", name)]
    done = installed(harness.folder, "run", "--task", "all", *models, *SMALL)
    assert done.returncode == 0, done.stderr
    return done


def test_prints_a_board_for_every_task(ran: subprocess.CompletedProcess[str]) -> None:
    headings = [line for line in ran.stdout.splitlines() if line.startswith("market")]
    assert [heading.partition(" (")[0] for heading in headings] == [
        f"market-persons-200-seed-1: {t}" for t in ("lf_exit", "next_occ", "next_occ_switchers", "switch")
    ]


def test_oracle_is_best_and_the_others_regret_it(harness: Command, ran: object) -> None:
    for task in ("next_occ", "switch", "lf_exit", "next_occ_switchers"):
        done = harness("leaderboard", "--task", task, "--format", "json")
        rows = json.loads(done.stdout)["rows"]
        assert rows[0]["model"] == "oracle"
        assert all(row["regret"]["value"] > 0 for row in rows[1:])


def test_progress_and_notices_stay_off_stdout(ran: subprocess.CompletedProcess[str]) -> None:
    assert "oracle on next_occ: perplexity" in ran.stderr
    assert "\x1b" not in ran.stdout + ran.stderr


def test_a_second_run_is_read_from_the_records(harness: Command, ran: object) -> None:
    files = {path: path.stat().st_mtime_ns for path in harness.folder.rglob("next_occ-markov-*.json")}
    done = harness("run", "--task", "next_occ", "--model", "markov", *SMALL, "--json")
    [record] = json.loads(done.stdout)
    assert record["figures"]["perplexity"] > 1
    assert {path: path.stat().st_mtime_ns for path in files} == files
    forced = harness("run", "--task", "next_occ", "--model", "markov", *SMALL, "--json", "--force")
    [again] = json.loads(forced.stdout)
    assert (again["id"], again["figures"]) == (record["id"], record["figures"])


def test_a_record_made_elsewhere_is_run_again(harness: Command, tmp_path: Path) -> None:
    line = ["run", "--task", "next_occ", "--model", "marginal", *SMALL]
    assert "read from the record" not in harness(*line, "--force").stderr
    assert "read from the record" in harness(*line).stderr
    for expected in (False, True):  # another machine: its cache is empty at first
        done = typed(harness.folder, *line, HARNESS_CACHE=str(tmp_path))
        assert ("read from the record" in done.stderr) is expected


def test_a_cache_that_cannot_be_made_is_named(harness: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = tmp_path / "file" / "cache"
    done = typed(harness.folder, "run", "--task", "next_occ", "--model", "marginal", *SMALL, HARNESS_CACHE=str(cache))
    assert done.returncode == 2
    assert f"error: the cache {cache} cannot be made (Not a directory): set HARNESS_CACHE" in done.stderr


def test_leaderboard_regenerates_and_checks(harness: Command, ran: object) -> None:
    assert harness("leaderboard").returncode == 0
    tables = {path: path.read_bytes() for path in (harness.folder / "leaderboards").glob("market-persons-200-seed-1/*")}
    assert {path.name for path in tables} >= {"next_occ.md", "next_occ.csv", "next_occ.json", "switch.md"}
    assert harness("leaderboard").returncode == 0
    assert {path: path.read_bytes() for path in tables} == tables
    assert harness("leaderboard", "--check").returncode == 0
    table = next(iter(tables))
    table.write_bytes(tables[table] + b"\n")
    stale = harness("leaderboard", "--check")
    assert stale.returncode == 1
    assert str(table.relative_to(harness.folder)) in stale.stderr
    unknown = harness("leaderboard", "--format", "mdd")
    assert (unknown.returncode, "did you mean 'md'" in unknown.stderr) == (2, True)
    assert table.read_bytes() != tables[table]  # refused before anything is written
    table.write_bytes(tables[table])


def test_check_recomputes_figures_from_the_evidence(harness: Command, ran: object) -> None:
    harness("leaderboard")
    path = next(harness.folder.rglob("next_occ-markov-*.json"))
    text = path.read_text()
    record = json.loads(text)
    path.write_text(text.replace(f'"perplexity": {record["figures"]["perplexity"]}', '"perplexity": 1.5'))
    done = harness("leaderboard", "--check")
    path.write_text(text)
    assert done.returncode == 1
    assert record["id"] in done.stderr


def test_compare_is_paired(harness: Command, ran: object) -> None:
    rows = json.loads(harness("leaderboard", "--task", "next_occ", "--format", "json").stdout)["rows"]
    ids = {row["model"]: row["record"] for row in rows}
    done = harness("compare", ids["oracle"], ids["markov"], "--json")
    difference = json.loads(done.stdout)["runs"][1]["difference"]
    regret = next(row["regret"] for row in rows if row["model"] == "markov")
    assert difference["value"] == pytest.approx(-regret["value"])
    assert difference["standard_error"] == pytest.approx(regret["standard_error"])
    other = json.loads(harness("leaderboard", "--task", "switch", "--format", "json").stdout)["rows"][0]["record"]
    assert harness("compare", ids["oracle"], other).returncode == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run --task next_ocu --model markov", "did you mean 'next_occ'"),
        ("run --task next_occ --model markow", "did you mean 'markov'"),
        ("run --task next_occ --model markov --data markt", "did you mean 'market'"),
        ("run --task next_occ --model markov --set markov.rat=1", "has no parameter 'rat'"),
        ("run --task next_occ --model markov --set rate", "write name=value"),
        ("run --task next_occ --model markov --set data.persons=none", "market.persons=none"),
        ("run --task next_occ --model markov --set task.entry=maybe", "write true or false"),
        ("run --task switch --model markov --set task.entry=true", "a first record has no state before it"),
        ("run --task next_occ --model markov --data no/such/folder", "no/such/folder"),
        ("run --task lf_exit --model markov --data wage-panel", "'lf_exit' is empty on 'wage-panel'"),
        ("run --task next_occ --model oracle --data wage-panel", "simulated"),
        ("show marcov", "did you mean 'markov'"),
        ("leaderboard --records nowhere", "no such folder of records"),
        ("compare x", "two records or more"),
        ("audit markow", "did you mean 'markov'"),
        ("lisst", "list"),
        ("run --tsk next_occ", "--task"),
        ("run --task switch --model markov --seed 1 --seed 2", "--seed is given 2 times"),
        ("run --task switch --model gbm --set rounds=3 --set gbm.rounds=4", "'rounds' of gbm is given twice, as 3"),
        ("run --task switch --model markov --data market --data wage-panel", "--data is given 2 times"),
        ("leaderboard --format md --format csv", "--format is given 2 times"),
        ("data describe market --set persons=3 --set persons=4", "given twice"),
        ("forecast --model markov --from 2009 --from 2010", "--from is given 2 times"),
    ],
)
def test_wrong_requests_end_with_status_2_and_say_what_is_right(line: str, message: str, harness: Command) -> None:
    done = harness(*line.split())
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_debug_shows_the_traceback(harness: Command) -> None:
    done = installed(harness.folder, "run", "--task", "next_ocu", "--model", "markov", "--debug")
    assert "Traceback" in done.stderr
    assert "RequestError" in done.stderr


def test_all_passes_over_an_empty_task(harness: Command) -> None:
    done = harness("run", "--task", "all", "--model", "marginal", "--data", "wage-panel", "--json")
    assert done.returncode == 0, done.stderr
    assert "passed over: task 'lf_exit' is empty on 'wage-panel'" in done.stderr
    assert {r["configuration"]["task"] for r in json.loads(done.stdout)} == {"next_occ", "switch", "next_occ_switchers"}


def test_entry_goes_to_a_board_of_its_own(harness: Command) -> None:
    line = "run --task next_occ --model marginal --model oracle --set task.entry=true"
    done = harness(*line.split(), *SMALL)
    assert done.returncode == 0, done.stderr
    assert "market-persons-200-seed-1: next_occ-entry" in done.stdout


def test_one_failed_model_does_not_stop_the_others(harness: Command) -> None:
    line = "run --task next_occ --model oracle --model marginal --data wage-panel"
    done = harness(*line.split())
    assert done.returncode == 1
    assert "marginal on next_occ: perplexity" in done.stderr
    assert "oracle" in done.stderr.splitlines()[-1]


def test_show_lists_parameters_with_units(harness: Command) -> None:
    facts = json.loads(harness("show", "markov", "--json").stdout)
    assert facts["rows"] == "sum to one"
    assert {p["name"] for p in facts["parameters"]} >= {"stay_strength", "group_strength"}
    assert all(p["description"] for p in facts["parameters"])


def test_audit_of_a_built_in_model(harness: Command) -> None:
    done = harness("audit", "markov", "--persons", "200")
    assert done.returncode == 0, done.stdout
    assert [line.split("  ")[0] for line in done.stdout.splitlines()] == ["pass"] * 9


def test_interrupted_runs_keep_what_is_finished(tmp_path: Path) -> None:
    command = [HARNESS, "run", "--task", "next_occ", "--model", "marginal", "--model", "gbm", "--task", "switch"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    # A shell that put the tests into the background has the signal ignored, and what is ignored a child inherits.
    answer = signal.signal(signal.SIGINT, signal.default_int_handler)
    running = subprocess.Popen(
        [*command, "--set", "data.persons=3000"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        stdout=subprocess.PIPE,
    )
    signal.signal(signal.SIGINT, answer)
    assert running.stderr is not None
    seen = ""
    deadline = time.monotonic() + 120
    while "marginal on switch" not in seen and time.monotonic() < deadline:
        seen += running.stderr.readline()
    running.send_signal(signal.SIGINT)
    try:
        _, rest = running.communicate(timeout=120)
    finally:
        running.kill()
    assert running.returncode == 130, seen + rest
    assert "stopped; 2 finished records are kept" in rest
    assert "Traceback" not in seen + rest
    assert len(list(tmp_path.rglob("*.json"))) == 2


@pytest.mark.slow
def test_pretrain_reaches_the_models_that_can(harness: Command) -> None:
    brief = [w for name in ("fewest_steps=2", "epochs=1", "pretrain_epochs=1") for w in ("--set", f"nemo.{name}")]
    asked = ["--task", "next_occ", "--model", "nemo", "--model", "marginal", *brief]
    told = harness("run", *asked, *SMALL, "--pretrain", "wage-panel", "--json")
    assert told.returncode == 1  # the other model still has its turn
    assert "no title of the panel is one of theirs: try pretrain_match=code" in told.stderr
    assert [record["configuration"]["model"] for record in json.loads(told.stdout)] == ["marginal"]
    ours = ["--set", "data.persons=200", "--set", "data.seed=2", "--pretrain", "market"]
    done = harness("run", *asked, *ours, "--json")
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert first["configuration"]["pretrain"]["name"] == "market"
    assert first["facts"]["states_matched"] == 333
    assert "pretrain" not in second["configuration"]
    board = harness("leaderboard", "--task", "next_occ", "--data", "market-persons-200-seed-2")
    assert "pretrained on market" in board.stdout


@pytest.mark.parametrize("command", [["run", "--task", "next_occ", "--model"], ["ablate"], ["forecast", "--model"]])
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            ["llm-lora", "--pretrain", "market"],
            "llm-lora cannot be pre-trained; ask for a model that can (bag-of-jobs, ",
        ),
        (["career", "--pretrain", "nowhere"], "'nowhere' is no data set"),
    ],
)
def test_what_pretrain_refuses(command: list[str], asked: list[str], message: str, harness: Command) -> None:
    done = harness(*command, *asked, *SMALL)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
