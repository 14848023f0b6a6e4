"""``harness plot`` as it is typed: figures hold the numbers of the records, in the file that was asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from helpers.commands import typed

from harness.boards.board import boards_in
from harness.records.store import Store

pytest.importorskip("matplotlib")
RUN = ["run", "--task", "next_occ", "--task", "switch", "--model", "markov", "--model", "marginal"]
RUN += ["--set", "data.persons=120", "--train-persons", "0", "--train-persons", "50", "--records", "r"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("plots")
    done = typed(made, *RUN, HARNESS_CACHE=str(made / "cache"))
    assert done.returncode == 0, done.stderr
    return made


def drawn(folder: Path, *line: str) -> str:
    """The text of the svg figure that a line makes."""
    done = typed(folder, "plot", *line, "--out", "figure.svg", "--records", "r")
    assert (done.returncode, done.stderr) == (0, "-> figure.svg\n"), done.stderr
    return (folder / "figure.svg").read_text()


def marks(svg: str) -> int:
    return len(re.findall(r"<use xlink:href", svg))


def board(folder: Path) -> str:
    return f"{boards_in(Store(folder / 'r'))[0].folder}"


@pytest.mark.parametrize("kind", ["forest", "differences", "reliability", "learning", "frontier"])
def test_every_kind_of_a_board(folder: Path, kind: str) -> None:
    svg = drawn(folder, f"{board(folder)}/switch", "--kind", kind)
    assert re.search("<!-- .*markov -->", svg)  # of differences, in the title
    assert "<!-- marginal -->" in svg
    assert svg == drawn(folder, "switch", "--kind", kind)  # the same figure is the same file


def test_runs_alone_and_paired_with_the_first(folder: Path) -> None:
    markov, marginal = (f"{board(folder)}/next_occ/{name}" for name in ("markov", "marginal"))
    alone = drawn(folder, markov)
    assert "<!-- markov -->" in alone
    assert "<!-- marginal -->" not in alone
    paired = drawn(folder, marginal, markov, "--kind", "differences")
    assert "<!-- log-likelihood per transition less that of marginal -->" in paired
    reverse = drawn(folder, markov, marginal, "--kind", "differences")
    assert "<!-- log-likelihood per transition less that of markov -->" in reverse
    assert marks(alone) != marks(drawn(folder, "next_occ"))


def test_a_forecast_from_its_json(folder: Path) -> None:
    line = [
        "forecast",
        "--model",
        "marginal",
        "--set",
        "data.persons=120",
        "--from",
        "2019",
        "--samples",
        "2",
        "--json",
    ]
    done = typed(folder, *line, HARNESS_CACHE=str(folder / "cache"))
    (folder / "forecast.json").write_text(done.stdout)
    statuses = json.loads(done.stdout)["periods"][0]["actual"]["statuses"]
    svg = drawn(folder, "forecast.json", "--kind", "forecast")
    for told in (*statuses, "marginal", "actual", "as in 2019"):
        assert f"<!-- {told} -->" in svg


@pytest.mark.parametrize("ending", ["pdf", "png"])
def test_other_files(folder: Path, ending: str) -> None:
    for name in ("a", "b"):
        assert typed(folder, "plot", "switch", "--out", f"{name}.{ending}", "--records", "r").returncode == 0
    first = (folder / f"a.{ending}").read_bytes()
    assert first.startswith({"pdf": b"%PDF", "png": b"\x89PNG"}[ending])
    assert first == (folder / f"b.{ending}").read_bytes()


def test_a_pgf_figure_needs_tex(folder: Path) -> None:
    done = typed(folder, "plot", "switch", "--out", "x.pgf", "--records", "r", PATH="")
    assert done.returncode == 2
    assert "x.pgf: a pgf figure is measured by xelatex, lualatex or pdflatex, and none is here" in done.stderr


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["switch"], "--out is missing"),
        (["switch", "--out", "x.gif"], "x.gif: a figure's name ends in .pdf, .svg, .pgf or .png"),
        (["--out", "x.pdf"], "name one board: market-persons-120-seed-1/next_occ, market-persons-120-seed-1/switch"),
        (["swich", "--out", "x.pdf"], "of boards, known: market-persons-120-seed-1/next_occ"),
        (["switch", "--kind", "forrest", "--out", "x.pdf"], "no figure is called 'forrest'; did you mean 'forest'?"),
        (["switch", "--kind", "forecast", "--out", "x.pdf"], "switch: cannot be read"),
        (["notes.json", "--kind", "forecast", "--out", "x.pdf"], "notes.json: is not the JSON of a forecast"),
        (["market-persons-120-seed-1/switch/markov", "--kind", "differences", "--out", "x.pdf"], "two models or more"),
    ],
)
def test_requests_that_make_no_sense(folder: Path, line: list[str], told: str) -> None:
    (folder / "notes.json").write_text('{"periods": [1]}')
    done = typed(folder, "plot", *line, "--records", "r")
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (folder / "x.pdf").exists()


def test_runs_of_two_boards_make_no_figure(folder: Path) -> None:
    names = [f"{board(folder)}/{task}/markov" for task in ("switch", "next_occ")]
    done = typed(folder, "plot", *names, "--out", "x.pdf", "--records", "r")
    assert (done.returncode, done.stderr) == (2, "error: runs of 2 boards: one figure is of one board\n")
