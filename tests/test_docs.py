"""Lines of the docs: every command parses to its last option, and the tutorials run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from helpers.commands import installed
from helpers.paths import ROOT

from harness.cli import build_app
from harness.registry import load_registry

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
GENERATED = ("commands.md", "parameters.md")
TUTORIALS = ROOT / "docs" / "tutorials"


def blocks(text: str, *kinds: str) -> list[tuple[str, str]]:
    """Fenced blocks of these kinds in order: kind, text."""
    return re.findall(rf"^```({'|'.join(kinds)})\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands(block: str) -> Iterator[list[str]]:
    """The words of each line that is a command of the harness, with the block's variables filled in."""
    variables: dict[str, str] = {}
    for line in block.replace("\\\n", " ").splitlines():
        if assigned := re.fullmatch(r"(\w+)='(.*)'", line):
            variables[assigned[1]] = assigned[2]
        if line.startswith("harness "):
            filled = re.sub(r"\$(\w+)", lambda found: variables[found[1]], line)
            words = shlex.split(filled, comments=True)
            yield words[1 : words.index(">")] if ">" in words else words[1:]


def shown() -> list[tuple[str, list[str]]]:
    return [
        (path.name, words)
        for path in PAGES
        if path.name not in GENERATED
        for _, block in blocks(path.read_text(encoding="utf-8"), "bash")
        for words in commands(block)
    ]


@pytest.fixture(scope="module")
def root() -> Any:
    return typer.main.get_command(build_app(load_registry()))


def parsed(command: Any, words: list[str]) -> None:
    """Errors of the parser where a word is no command, an option is unknown, or a value is of another type."""
    context = command.make_context("harness", list(words), resilient_parsing=False)
    left = [*getattr(context, "_protected_args", []), *context.args]
    if getattr(command, "commands", None) and left:
        _, chosen, rest = command.resolve_command(context, left)
        parsed(chosen, rest)


@pytest.mark.parametrize(("page", "words"), shown(), ids=lambda value: value if isinstance(value, str) else None)
def test_every_line_parses_to_its_last_option(root: Any, page: str, words: list[str]) -> None:
    parsed(root, [word.replace("...", "x") for word in words])


def test_the_parser_refuses_a_line_that_is_wrong(root: Any) -> None:
    for wrong in (["run", "--modle", "mnl"], ["rum"], ["run", "--seeds", "many"]):
        with pytest.raises(Exception, match=r"(?i)no such|not a valid|should be a valid"):
            parsed(root, wrong)


def steps(page: Path) -> list[tuple[str, str]]:
    return blocks(page.read_text(encoding="utf-8"), "bash", "r")


def done(folder: Path, words: list[str]) -> str:
    line = [*words, "--set", "mnl.pairs=20000"] if words[0] == "run" and "mnl" in words else words
    ran = installed(folder, *line, HARNESS_CACHE=str(folder / "cache"))
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


@pytest.mark.slow
def test_the_lines_in_r_run(tmp_path: Path) -> None:
    if not shutil.which("Rscript") or subprocess.run(["Rscript", "-e", "library(nnet)"], check=False).returncode:
        pytest.skip("no R with nnet on this machine")
    for kind, text in steps(TUTORIALS / "from-r.md"):
        if kind == "r":
            (tmp_path / "lines.R").write_text(text)
            subprocess.run(["Rscript", "lines.R"], cwd=tmp_path, check=True)
            continue
        for words in commands(text):
            out = done(tmp_path, words)
            if words[0] == "compare":
                assert re.search(r"r-multinom +1\.9\d+ ± 0\.06\d+ ", out)
    assert (tmp_path / "forest.pdf").exists()


@pytest.mark.slow
def test_the_lines_around_stata_run(tmp_path: Path) -> None:
    """The careers and the probabilities, which Stata makes in the page, are of the same form."""
    pyreadstat = pytest.importorskip("pyreadstat")
    rows = [(i, 2001 + t, 1 + (i * i + (t // 3) * i) % 4, 9 + i % 10) for i in range(1, 121) for t in range(10)]
    labels = {"job": {1: "clerk", 2: "nurse", 3: "teacher", 4: "welder"}}
    careers = pd.DataFrame(rows, columns=["id", "year", "job", "educ"])
    pyreadstat.write_dta(careers, str(tmp_path / "careers.dta"), variable_value_labels=labels)
    for _, text in steps(TUTORIALS / "from-stata.md"):
        for words in commands(text):
            out = done(tmp_path, words)
            if words[1] == "--template":
                needed = pd.read_csv(tmp_path / "needed.csv")
                p = pd.concat([needed.assign(state=k, probability=0.1) for k in range(1, 5)])
                p.loc[p["state"] == p["origin"], "probability"] = 0.7
                p[["person", "year", "state", "probability"]].to_csv(tmp_path / "p.csv", index=False)
            if words[0] == "compare":
                assert "stata-mlogit" in out
    assert "teacher" in (tmp_path / "needed.states.csv").read_text()
