"""Start-up: a command imports what it needs, and help on all commands says what each says of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import installed, typed

from harness.cli import COMMANDS, GROUPS, build_app
from harness.cli.summaries import SUMMARIES
from harness.registry import load_registry

STATISTICS = ["arch", "scipy", "statsmodels", "pandas", "sklearn"]
STRANGER = """
from harness.hookspecs import hookimpl

@hookimpl
def harness_cli(app):
    @app.command()
    def greet():
        "Greet those who ask."
        print("good day")
"""


def loaded(folder: Path, modules: list[str], *lines: list[str]) -> list[str]:
    """Which of the modules commands have imported when the last has ended, one after another in a fresh process."""
    code = (
        "import sys\n"
        "from harness.cli import main\n"
        f"for line in {lines!r}:\n"
        "    sys.argv = ['harness', *line]\n"
        "    try: main()\n"
        "    except SystemExit as end: assert not end.code, (line, end.code)\n"
        f"print([m for m in {modules!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return [name.strip("'[]") for name in done.stderr.strip().split("\n")[-1].split(", ") if name != "[]"]


def test_help_says_of_each_command_what_it_says_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_app(load_registry())(args=["--help"], prog_name="harness")
    whole = capsys.readouterr().out
    assert "leaderboard" in whole
    assert typed(Path.cwd(), "--help").stdout == whole


def test_no_line_on_a_command_is_cut() -> None:
    """On a terminal of 80 columns, in the page of all commands and in those of groups."""
    groups: list[list[str]] = [[], *([name] for name in (*GROUPS, "llm"))]
    for group in groups:
        page = typed(Path.cwd(), *group, "--help", COLUMNS="80", TERMINAL_WIDTH="80").stdout
        listed = page.split("Commands:\n")[1]
        assert "..." not in listed, listed
        assert all(line.endswith(".") for line in listed.splitlines() if line), listed


def test_every_command_has_its_line() -> None:
    """A command without one is imported for the page of help, and that page is slow."""
    assert {*COMMANDS, *GROUPS} == set(SUMMARIES)


def test_help_imports_neither_models_nor_arrays(tmp_path: Path) -> None:
    heavy = ["numpy", "pydantic", "rich", "harness.model", "harness.cli.run"]
    assert loaded(tmp_path, heavy, ["--help"], ["--version"]) == []


def test_boards_and_cached_runs_import_no_statistics_of_others(tmp_path: Path) -> None:
    """Their confidence sets and tails are the harness's own; importing scipy and arch took more than all else."""
    run = ["run", "--task", "next_occ", "--model", "markov", "--model", "marginal", "--set", "data.persons=120"]
    again = run  # read from the records
    assert loaded(tmp_path, STATISTICS, run, again, ["leaderboard"], ["leaderboard", "--check"]) == []


def test_a_network_is_fitted_without_the_compiler_of_torch(tmp_path: Path) -> None:
    """An optimizer of torch's own imports it, and with it whatever array libraries there are: seconds in each run."""
    run = ["run", "--task", "next_occ", "--model", "career", "--data", "wage-panel", "--set", "epochs=1"]
    small = [word for size in ("fewest_steps=1", "layers=1", "width=16", "inner=16") for word in ("--set", size)]
    assert loaded(tmp_path, ["torch._dynamo", "sympy", *STATISTICS], [*run, *small]) == []


@pytest.mark.parametrize("text", [STRANGER, "from stranger_inside import *\n"])
def test_commands_of_others_are_in_the_help(tmp_path: Path, text: str) -> None:
    about = tmp_path / "stranger-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[harness]\nstranger = stranger_plugin\n")
    (tmp_path / "stranger_plugin.py").write_text(text)
    (tmp_path / "stranger_inside.py").write_text(STRANGER)
    told = installed(tmp_path, "--help", PYTHONPATH=str(tmp_path))
    assert "greet" in told.stdout
    assert "Greet those who ask." in told.stdout
    assert installed(tmp_path, "greet", PYTHONPATH=str(tmp_path)).stdout == "good day\n"


def test_a_shell_that_completes_a_line_is_told_of_options(tmp_path: Path) -> None:
    told = installed(tmp_path, _HARNESS_COMPLETE="complete_bash", COMP_WORDS="harness run --ta", COMP_CWORD="2")
    assert "--task" in told.stdout


def test_a_hook_without_its_mark_is_told(tmp_path: Path) -> None:
    about = tmp_path / "stranger-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[harness]\nstranger = stranger_plugin\n")
    (tmp_path / "stranger_plugin.py").write_text("def harness_models():\n    return []\n")
    told = installed(tmp_path, "list", PYTHONPATH=str(tmp_path))
    assert "plugin 'stranger:stranger' could not be loaded: harness_models has no @hookimpl" in told.stderr
