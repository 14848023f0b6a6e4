"""harness explain: the command on a finished run, what it refuses, and LaTeX of whatever text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import typed
from helpers.toys import InProcess
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import RequestError
from harness.model.contract import Table
from harness.records.record import Record
from harness.records.store import Store
from harness.render.estimates import cell
from harness.render.latex import escaped, render
from harness.runs.explain import brief, select, stages

Said = tuple[int, str, str]


def table(title: str = "Logit", stage: str = "", outcome: str = "", rows: int = 2) -> Table:
    row = ("age & more", -1.5, 0.00001)
    return Table(title, ("term", "coefficient", "p"), (row,) * rows, ("a note",), stage, outcome)


# The command


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records and cache of two runs of mnl on the wage panel, and one of a model that explains nothing."""
    pytest.importorskip("statsmodels")
    pytest.importorskip("linearmodels")
    folder = tmp_path_factory.mktemp("explain")
    for model, *more in (["mnl"], ["mnl", "--set", "stages=one", "--set", "terms=age"], ["markov"]):
        done = command(folder, "run", "--task", "switch", "--data", "wage-panel", "--model", model, *more)
        assert done[0] == 0, done[2]
    return folder


def command(folder: Path, *arguments: str) -> Said:
    """Exit status, stdout and stderr, with records and cache in a folder."""
    done = typed(folder, *arguments, "--records", str(folder / "records"), HARNESS_CACHE=str(folder / "cache"))
    return done.returncode, done.stdout, done.stderr


def record_of(folder: Path, model: str, **changed: Any) -> Record:
    records = Store(folder / "records").all()
    [found] = [r for r in records if r.configuration.model == model and set(r.configuration.changed) == set(changed)]
    return found


def test_the_command_prints_the_table_that_an_economist_expects(place: Path) -> None:
    record = record_of(place, "mnl")
    status, out, err = command(place, "explain", record.id[:8])
    assert status == 0, err
    lines = out.splitlines()
    assert lines[0] == f"mnl on wage-panel ({record.id})"
    assert "stay: Logit of staying" in out
    assert "stay: Average marginal effects on P(stay)" in out
    [tenure] = [line.split() for line in lines if line.startswith("ln(1 + tenure)")]
    value, error, z = map(float, tenure[3:6])
    assert abs(z - value / error) < 0.05
    assert "reference categories: origin's status: employed; ethnicity: other; married: no" in out
    assert "group" not in {line.split(":")[0] for line in lines}
    assert "stage 'group' has an equation for each of 8 outcomes: --stage group prints them all" in err
    assert "*" not in out  # no stars


def test_stage_and_outcome_choose(place: Path) -> None:
    run = record_of(place, "mnl").id
    status, out, _ = command(place, "explain", run, "--stage", "group", "--json")
    assert status == 0
    told = json.loads(out)
    assert told["run"] == run
    assert [t["outcome"] for t in told["tables"]] == ["6", "7", "4", "2", "1", "3", "9", "8"]
    first = told["tables"][0]["rows"][0]
    assert set(first) == {"term", "coefficient", "standard error", "z", "p", "95% low", "95% high"}
    one = record_of(place, "mnl", stages="one", terms="age").id
    status, out, err = command(place, "explain", one, "--outcome", "9")
    assert status == 0, err
    assert "all: MNLogit of the next state: 9 Service workers" in out
    assert "Clerical" not in out
    status, out, err = command(place, "explain", one, "--outcome", "10")
    assert (status, out) == (2, "")
    assert "--outcome 10: there is no equation of it" in err


def test_marginal_effects_alone(place: Path) -> None:
    status, out, _ = command(place, "explain", record_of(place, "mnl").id, "--marginal-effects", "--json")
    assert status == 0
    assert [t["title"] for t in json.loads(out)["tables"]] == ["Average marginal effects on P(stay)"]
    one = record_of(place, "mnl", stages="one", terms="age").id
    status, _, err = command(place, "explain", one, "--marginal-effects")
    assert status == 2
    assert "these tables have none" in err


def test_latex_is_written_for_a_paper(place: Path, tmp_path: Path) -> None:
    run, file = record_of(place, "mnl").id, tmp_path / "tables.tex"
    status, out, err = command(place, "explain", run, "--stage", "stay", "--latex", str(file))
    assert (status, out) == (0, ""), err
    text = file.read_text()
    assert_sound(text)
    assert r"\caption{Logit of staying}" in text
    assert re.search(r"ln\(1 \+ tenure\) & \$-?\d+\.\d+\$ & \$\d+\.\d+\$", text)
    status, out, _ = command(place, "explain", run, "--stage", "stay", "--latex", "-")
    assert (status, out) == (0, text)


def test_a_model_that_explains_nothing_names_those_that_do(place: Path) -> None:
    status, out, err = command(place, "explain", record_of(place, "markov").id)
    assert (status, out) == (2, "")
    assert re.search(r"model 'markov' has no estimates to print; models that explain: .*\bmnl\b", err)


@pytest.fixture
def explain(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    monkeypatch.setenv("HARNESS_CACHE", str(place / "cache"))
    call = InProcess("explain", monkeypatch, capsys)
    return lambda *arguments, records="records": call(*arguments, "--records", str(place / records))


def test_a_missing_fit_comes_with_the_line_for_it(
    place: Path, tmp_path: Path, explain: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    status, _, err = explain(record_of(place, "mnl", stages="one", terms="age").id)
    assert status == 2
    line = (
        "harness run --task switch --model mnl --data wage-panel --set mnl.stages=one --set mnl.terms=age "
        f"--records {place / 'records'}"
    )
    assert f"is not in this machine's cache, {tmp_path}; make it: {line}" in err
    done = command(place, *line.split()[1 : line.split().index("--records")], "--force")
    assert done[0] == 0, done[2]
    assert record_of(place, "mnl", stages="one", terms="age").id in done[2]  # the same record again


def test_a_fit_by_other_code_is_not_read(place: Path, explain: Callable[..., Said]) -> None:
    record = record_of(place, "mnl")
    older = record.configuration.model_copy(update={"code": "labor-harness 0.0.1 000000000000"})
    Store(place / "older").write(record.model_copy(update={"configuration": older, "id": older.id()}))
    status, _, err = explain(older.id(), records="older")
    assert status == 2
    assert "was made by other code (labor-harness 0.0.1 000000000000; here is labor-harness" in err
    assert "harness run --task switch --model mnl --data wage-panel" in err
    # Nor is anyone sent to fit a model again that explains nothing.
    record = record_of(place, "markov")
    older = record.configuration.model_copy(update={"code": "labor-harness 0.0.1 000000000000"})
    Store(place / "older").write(record.model_copy(update={"configuration": older, "id": older.id()}))
    status, _, err = explain(older.id(), records="older")
    assert status == 2
    assert "model 'markov' has no estimates to print" in err


def test_no_such_run(explain: Callable[..., Said]) -> None:
    status, _, err = explain("ffffffff")
    assert status == 2
    assert "no record's id begins with 'ffffffff'" in err


# What is shown


def test_a_stage_of_many_equations_is_summed_up_in_a_line() -> None:
    many = [table("MNLogit", "group", str(k)) for k in range(4)]
    few = [table("MNLogit", "state", str(k)) for k in range(3)]
    plain = [table("Importances"), table("Logit", "stay")]
    assert list(stages([*plain, *many])) == ["Importances", "stay", "group"]
    shown, lines = brief([*plain, *many, *few])
    assert shown == [*plain, *few]
    assert lines == [
        "stage 'group' has an equation for each of 4 outcomes: --stage group prints them all, "
        "--outcome NAME one of 0, 1, 2, 3"
    ]


def test_an_outcome_goes_by_its_name_or_its_first_word() -> None:
    tables = [table(stage="group", outcome="11 Management"), table(stage="group", outcome="13 Business"), table()]
    assert select(tables, None, None) == tables
    assert select(tables, "group", "11") == select(tables, None, "11 Management") == tables[:1]
    with pytest.raises(RequestError, match=r"--stage grop: there is no such stage; did you mean 'group'"):
        select(tables, "grop", None)
    with pytest.raises(RequestError, match=r"--outcome 12.*known: 11 Management, 13 Business"):
        select(tables, None, "12")
    with pytest.raises(RequestError, match="no equations by outcome"):
        select(tables[2:], None, "12")


@pytest.mark.parametrize(
    ("heading", "value", "shown"),
    [
        ("p", 0.00004, "<0.0001"),
        ("p", 0.0342, "0.0342"),
        ("z", -2.0, "-2.00"),
        ("splits", 1200.0, "1,200"),
        ("coefficient", 0.123456, "0.1235"),
        ("coefficient", 0.0000123456, "1.235e-05"),
        ("coefficient", None, ""),
        ("coefficient", "none", "none"),
        ("gain", float("nan"), "nan"),
    ],
)
def test_numbers_as_a_person_reads_them(heading: str, value: float | str | None, shown: str) -> None:
    assert cell(heading, value) == shown


# LaTeX


def test_every_special_character_is_escaped() -> None:
    expected = (
        r"\&\%\_\#\$\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}\textless{}\textgreater{}\textbar{}"
        r"R\textsuperscript{2}"
    )
    assert escaped("&%_#${}~^\\<>|R²") == expected
    assert escaped("[a] *") == "{[}a] {*}"
    assert escaped("two\nlines  and blanks\0") == "two lines and blanks"


def assert_sound(text: str) -> None:
    """Braces and environments close, and every row of a tabular has as many cells as it has columns."""
    plain = re.sub(r"^%.*$", "", text, flags=re.MULTILINE)
    bare = re.sub(r"\\[&%_#${}\\]", "", plain)
    assert bare.count("{") == bare.count("}")
    assert "%" not in bare
    assert "#" not in bare
    assert bare.count("$") % 2 == 0
    opened = re.findall(r"\\begin\{(\w+)\}", plain)
    assert sorted(opened) == sorted(re.findall(r"\\end\{(\w+)\}", plain))
    tabular = r"(?:tabular|longtable)\}"
    found = re.findall(rf"\\begin\{{{tabular}\{{(l?r*)\}}(.*?)\\end\{{{tabular}", plain, re.DOTALL)
    assert found
    for columns, body in found:
        rows = [line for line in body.splitlines() if line.endswith(r"\\") and not line.startswith(r"\caption")]
        assert rows
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1


@given(st.lists(st.text(max_size=12), min_size=2, max_size=4), st.floats() | st.none() | st.text(max_size=5))
def test_no_text_breaks_a_table(words: list[str], value: float | str | None) -> None:
    made = table(words[0])
    made = replace(made, rows=((words[1], value, 0.5),), notes=tuple(words))
    assert_sound(render([made, replace(made, rows=made.rows * 60)]))


def test_powers_of_ten_are_set_as_such() -> None:
    made = replace(table(), rows=(("age squared", -6.172e-05, 0.5), ("income", 1.5e12 + 0.5, 0.5)))
    text = render([made])
    assert r"age squared & $-6.172\times 10^{-5}$ & $0.5000$ \\" in text
    assert r"income & $1.5\times 10^{12}$ & $0.5000$ \\" in text


def test_stars_and_errors_in_brackets_as_journals_print_them() -> None:
    headings = ("term", "coefficient", "standard error", "z", "p", "95% low", "95% high")
    rows = (
        ("age", 0.5, 0.1, 5.0, 0.00001, 0.3, 0.7),
        ("wage", -0.2, 0.1, -2.0, 0.0455, -0.4, 0.0),
        ("tenure", 0.17, 0.1, 1.7, 0.0891, -0.03, 0.37),
        ("union", 0.1, 0.1, 1.0, 0.3173, -0.1, 0.3),
        ("reference", None, None, None, None, None, None),
    )
    made = replace(table(), headings=headings, rows=rows)
    text = render([made], stars=True)
    assert_sound(text)
    assert r"\begin{tabular}{lr}" in text
    for line in (
        r"age & $0.5000$$^{***}$ \\",
        r"wage & $-0.2000$$^{**}$ \\",
        r"tenure & $0.1700$$^{*}$ \\",
        r"union & $0.1000$ \\",
        r" & ($0.1000$) \\",
    ):
        assert f"\n{line}\n" in text
    assert "95" not in text
    assert r"{*}{*}{*} p \textless{} 0.01." in text


def test_a_long_table_runs_over_pages_and_says_what_it_needs() -> None:
    text = render([table(rows=3), table(rows=60)])
    assert text.startswith("% Written by harness.")
    assert r"\usepackage{booktabs,graphicx,longtable}" in text
    assert text.count(r"\begin{tabular}{lrr}") == text.count(r"\begin{longtable}{lrr}") == 1
    assert r"age \& more & $-1.5000$ & $<0.0001$ \\" in text
    assert text.count(r"\toprule") == text.count(r"\midrule") == text.count(r"\bottomrule") == 2
