"""The fragments of changelog.d: their names, and the changelog that towncrier makes of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.paths import ROOT

FOLDER = ROOT / "changelog.d"
KINDS = ("added", "changed", "deprecated", "removed", "fixed")
NAME = re.compile(rf"\+[a-z0-9]+(-[a-z0-9]+)*\.({'|'.join(KINDS)})\.md")


def faults(folder: Path) -> list[str]:
    """Each file that is no fragment, with why."""
    found = []
    for path in sorted(folder.iterdir()):
        text = path.read_text(encoding="utf-8")
        if path.name == "README.md":
            continue
        if not NAME.fullmatch(path.name):
            found.append(f"{path.name}: not of the form +short-name.KIND.md, of kind {', '.join(KINDS)}")
        elif not text.strip() or text.lstrip().startswith(("-", "*", "#")):
            found.append(f"{path.name}: holds the sentences of one entry, without a dash or a heading")
        elif max(map(len, text.splitlines())) > 130:
            found.append(f"{path.name}: a line of more than 130 characters")
    return found


def towncrier(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "towncrier", "build", "--version", "7.2.0", "--date", "2031-05-06", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_fragment_is_well_formed() -> None:
    assert faults(FOLDER) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wages.added.md", "Wages.\n"),
        ("+wages.new.md", "Wages.\n"),
        ("+Wages.added.md", "Wages.\n"),
        ("+wages.added", "Wages.\n"),
        ("+wages.added.md", "- Wages.\n"),
        ("+wages.fixed.md", "\n"),
        ("+wages.fixed.md", "Wages. " * 20),
    ],
)
def test_one_that_is_not_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "README.md").write_text("Two lines.\n")
    (tmp_path / "+hours.added.md").write_text("Hours.\n")
    (tmp_path / name).write_text(text)
    [fault] = faults(tmp_path)
    assert fault.startswith(f"{name}: ")


def test_the_draft_of_the_next_release_holds_every_fragment() -> None:
    draft = towncrier(ROOT, "--draft")
    assert draft.startswith("## 7.2.0 (2031-05-06)\n")
    for path in FOLDER.glob("+*.md"):
        assert f"- {path.read_text(encoding='utf-8').splitlines()[0]}\n" in draft, path.name


def test_a_release_puts_its_fragments_above_the_release_before(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    before = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8")
    folder = tmp_path / "changelog.d"
    folder.mkdir()
    shutil.copy(FOLDER / "README.md", folder)
    for kind in KINDS:
        (folder / f"+wages.{kind}.md").write_text(f"Wages are {kind},\nand hours.\n")
    towncrier(tmp_path, "--yes")
    start, end = before.split("<!-- towncrier: releases -->\n")
    after = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8")
    assert after.startswith(start)
    assert after.endswith(end)
    made = after.removeprefix(start).removesuffix(end)
    assert re.findall(r"^#+ .*", made, re.MULTILINE) == [
        "## 7.2.0 (2031-05-06)",
        *(f"### {kind.capitalize()}" for kind in KINDS),
    ]
    assert all(f"- Wages are {kind},\n  and hours.\n" in made for kind in KINDS)
    assert [path.name for path in folder.iterdir()] == ["README.md"]
