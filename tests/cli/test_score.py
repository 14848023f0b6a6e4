"""``harness score`` as it is typed: from the template to the board, and what a mix makes of it."""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path

import pytest
from helpers.commands import installed
from helpers.submissions import CODES, YEARS, Rows, long_file, long_rows, written
from helpers.toys import EXPECTED, MARGIN, InProcess

from harness.boards.board import boards
from harness.boards.card import Installed, card_of
from harness.cli.reproduce import command
from harness.data.write import write_panel
from harness.panel.careers import Panel
from harness.records.record import Record
from harness.records.store import Store
from harness.registry import Registry
from harness.render.card.page import render


@pytest.fixture
def careers(four_persons: Panel, tmp_path: Path) -> Path:
    write_panel(four_persons, tmp_path / "careers", "csv")
    return tmp_path / "careers"


@pytest.fixture
def score(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, careers: Path
) -> InProcess:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return InProcess("score", monkeypatch, capsys)


def records(folder: Path) -> dict[str, Record]:
    return {record.configuration.task: record for record in Store(folder).all()}


def test_as_it_is_typed(careers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    file = long_file(tmp_path, name="p.csv.gz")
    line = [
        "score",
        str(file),
        "--name",
        "my logit",
        "--task",
        "all",
        "--data",
        str(careers),
        "--records",
        "r",
    ]
    done = installed(tmp_path, *line)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("my logit (submitted) on ") == 4
    assert "careers: next_occ_switchers" in done.stdout
    assert done.stdout.count("my logit") >= 4
    for task, record in records(tmp_path / "r").items():
        assert record.figures["log_likelihood"] == pytest.approx(EXPECTED[task], abs=1e-6)
        told = render(card_of(record, Store(tmp_path / "r"), Installed(None, None, "harness score")))
        assert "- The file: format long csv.gz.\n" in told
        assert "- Fitted elsewhere; reading and scores " in told
        assert "Asked for" not in told


def test_the_template_says_what_is_needed_and_not_what_happened(score: InProcess, tmp_path: Path) -> None:
    data = ["--data", "careers"]
    assert score("--template", "t.csv", *data)[0] == 0
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["person", "year", "split", "origin", "origin_year"]
    before = [("29-1141", "2000"), ("29-1141", "2001"), ("OUT", "2002"), ("OUT", "2004")]
    assert rows[1:] == [["d", str(y), "test", *of] for y, of in zip(YEARS, before, strict=True)]
    with (tmp_path / "t.states.csv").open() as file:
        states = list(csv.DictReader(file))
    assert [row["code"] for row in states] == CODES
    assert states[3] == {
        "code": "OUT",
        "title": "Out of the labor force",
        "group": "OUT",
        "status": "out of the labor force",
    }
    # Filled in with a column for each state it is a file that is taken as it is.
    names = [*rows[0], *(row["code"] for row in states)]
    written(tmp_path / "filled.csv", names, [[*row, *MARGIN] for row in rows[1:]])
    status, _, told = score("filled.csv", "--name", "mine", "--task", "next_occ", *data, "--records", "r")
    assert (status, told.count("mine (submitted) on next_occ: perplexity 3.7992")) == (0, 1)


@pytest.mark.parametrize("file", ["t.csv.gz", "t.parquet"])
def test_a_template_of_more(score: InProcess, tmp_path: Path, file: str) -> None:
    status, _, told = score(
        "--template", file, "--valid", "--data", "careers", "--set", "task.entry=true", "--task", "next_occ"
    )
    assert (status, told) == (0, f"-> {file}\n-> t.states.csv\n")
    if file.endswith("parquet"):
        from pyarrow import parquet

        rows = parquet.read_table(tmp_path / file).to_pylist()
        assert [(row["person"], row["year"], row["split"]) for row in rows] == [
            *(("d", year, "test") for year in [2000, *YEARS]),
            *(("c", year, "valid") for year in (2000, 2001)),
        ]
        assert (rows[0]["origin"], rows[0]["origin_year"], rows[-1]["origin"]) == (None, None, "UNEMP")
    status, _, told = score("--template", file, "--data", "careers")
    assert status == 2
    assert f"{file}: is there already; name another" in told


def test_the_line_that_makes_a_record_again(score: InProcess, tmp_path: Path, registry: Registry) -> None:
    names = ["id", "year", "state", "p"]
    written(tmp_path / "p.csv", names, long_rows())
    columns = ["--file-column", "person=id", "--file-column", "probability=p"]
    asked = ["--name", "a b", "--task", "switch", "--data", "careers", *columns, "--floor", "1e-09", "--records", "r"]
    assert score("p.csv", *asked)[0] == 0
    [record] = Store(tmp_path / "r").all()
    status, _, told = InProcess("explain", score.monkeypatch, score.capsys)(record.id, "--records", "r")
    assert (status, told) == (2, f"error: {record.id} ('a b') was submitted: there is no fit here to explain\n")
    assert command(record, registry, Path("r")) == "harness score FILE " + " ".join(asked).replace("a b", "'a b'")


def test_a_mix_takes_what_covers_the_validation_split(score: InProcess, tmp_path: Path) -> None:
    valid: Rows = [["c", 2001, code, 0.25] for code in CODES]
    rows = {"whole": [*long_rows(), *valid], "other": [*long_rows([0.25] * 4), *valid], "test": long_rows()}
    for name, table in rows.items():
        long_file(tmp_path, table, f"{name}.csv")
        done = score(f"{name}.csv", "--name", name, "--task", "next_occ", "--data", "careers", "--records", "r")
        assert done[0] == 0, done
    ids = {record.configuration.model: record.id for record in Store(tmp_path / "r").all()}
    mix = InProcess("mix", score.monkeypatch, score.capsys)
    status, _, told = mix("--records", "r")
    assert (status, told.count("which was submitted and not checked; --with-submissions takes it in")) == (2, 3)
    status, _, told = mix("--records", "r", "--with-submissions")
    assert status == 0
    assert "mix of 2 runs on next_occ" in told
    assert f"{ids['test']} (test) was submitted without the validation split" in told
    status, _, told = mix(ids["whole"], ids["test"], "--records", "r")
    assert status == 2
    assert f"{ids['test']} (test) was submitted without the validation split" in told
    assert "'harness score --template FILE --valid' says of what" in told


def test_a_mended_file_takes_the_place_of_the_first(score: InProcess, tmp_path: Path) -> None:
    asked = ["--name", "mine", "--task", "switch", "--data", "careers", "--records", "r"]
    long_file(tmp_path)
    assert score("p.csv", *asked)[0] == 0
    [first] = Store(tmp_path / "r").all()
    before = first.measured.finished - timedelta(seconds=1)
    Store(tmp_path / "r").write(
        first.model_copy(update={"measured": first.measured.model_copy(update={"finished": before})})
    )
    long_file(tmp_path, long_rows([0.25] * 4))
    assert score("p.csv", *asked)[0] == 0
    [board] = boards(Store(tmp_path / "r").all())
    assert [row.record for row in board.rows] != [first.id]
    assert (len(board.rows), board.superseded, board.rows[0].submitted) == (1, 1, True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "FILE is missing"),
        (["p.csv", "--task", "switch"], "--name is missing"),
        (["p.csv", "--name", "x"], "--task is missing"),
        (["p.csv", "--name", "MNL", "--task", "switch"], "--name MNL: 'mnl' is what the records of this harness's own"),
        (["p.csv", "--name", "mix", "--task", "switch"], "'mix' is what the records"),
        (["p.csv", "--name", " x", "--task", "switch"], "--name ' x': a name is 1 to 80 printable characters"),
        (["p.csv", "--name", "x\ny", "--task", "switch"], "a name is 1 to 80 printable characters"),
        (["p.csv", "--name", "x" * 81, "--task", "switch"], "a name is 1 to 80 printable characters"),
        (["p.csv", "--name", "x", "--task", "swich"], "did you mean 'switch'"),
        (["p.csv", "--name", "x", "--task", "switch", "--floor", "1"], "--floor 1: a share from 0 up to"),
        (["p.csv", "--name", "x", "--task", "switch", "--floor", "nan"], "--floor nan: a share from 0 up to"),
        (["p.csv", "--name", "x", "--task", "switch", "--column", "state=s"], "of FILE, say --file-column state=s"),
        (["p.csv", "--template", "t.csv"], "leave out FILE and --name"),
        (["--template", "t.txt", "--data", "careers"], "--template t.txt: name it .csv, .csv.gz or .parquet"),
    ],
)
def test_requests_that_make_no_sense(score: InProcess, tmp_path: Path, line: list[str], message: str) -> None:
    long_file(tmp_path)
    status, out, told = score(*line)
    assert (status, out) == (2, "")
    assert message in told
