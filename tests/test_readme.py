"""The README's commands are those that run: the targets exist, and CI takes its command from there."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from helpers.paths import ROOT
from typer.testing import CliRunner

from harness.cli import build_app
from harness.registry import load_registry

README = (ROOT / "README.md").read_text()


def block(marker: str) -> str:
    found = re.search(rf"<!-- {marker} -->\n```bash\n(.*?)```\n<!-- end -->", README, flags=re.DOTALL)
    assert found, f"no block marked {marker}"
    return found.group(1)


@pytest.mark.parametrize("marker", ["run", "test"])
def test_one_command_creates_the_environment_and_does_the_job(marker: str) -> None:
    lines = [line for line in block(marker).replace("\\\n", " ").splitlines() if line]
    assert len(lines) == 1
    steps = [step.split() for step in lines[0].split("&&")]
    assert steps[0] == ["python3", "-m", "venv", ".venv"]
    assert steps[1][:2] == [".venv/bin/pip", "install"]
    assert {"-c", "constraints.txt", "-e"} <= set(steps[1])


def test_ci_runs_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    taken = script.split("command=$(")[1].split(")\n")[0]
    done = subprocess.run(["bash", "-c", taken], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == block("test").strip()
    assert block("test").rstrip().endswith(".venv/bin/pytest")


def test_every_command_shown_is_one_the_program_has() -> None:
    app = build_app(load_registry())
    shown = {match.group(1) for match in re.finditer(r"(?:^|/|`)harness ([a-z][a-z-]+)", README, flags=re.MULTILINE)}
    assert shown >= {"run", "list", "leaderboard", "data", "new-plugin"}
    for command in sorted(shown):
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command


def test_the_readme_is_one_screen() -> None:
    assert len(README.encode()) <= 8192


def test_generated_pages_are_what_the_program_says() -> None:
    line = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if not target.startswith(("http", "mailto:")) and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_constraints_pin_what_was_tested() -> None:
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert "torch==2.13.0" in pins
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin) for pin in pins if pin and not pin.startswith("#"))


def test_every_hook_is_documented() -> None:
    from harness import hookspecs

    page = (ROOT / "CONTRIBUTING.md").read_text()
    hooks = [name for name in vars(hookspecs) if name.startswith("harness_")]
    assert [name for name in hooks if f"`{name}(" not in page] == []
