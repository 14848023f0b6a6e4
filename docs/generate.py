"""Writes the pages of docs/reference that the program itself says, and the small board of the README.

``python docs/generate.py`` writes them; ``--check`` says which are not what it would write, and fails.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.testing import CliRunner

from harness.cli import build_app
from harness.registry import Registry, load_registry
from harness.runs.tuning.space import own_space

ROOT = Path(__file__).resolve().parents[1]
BOARD = ("market", "next_occ")
SHOWN = ("career-titles", "gbm", "career", "mnl", "softmax", "llm-lora", "markov", "marginal", "uniform")


def commands(registry: Registry) -> str:
    """The help of every command that comes with the harness."""
    app = build_app(registry)
    lines = ["# Commands", "", "As `harness COMMAND --help` says them.", ""]
    for path in sorted(_paths(typer.main.get_command(app), ())):
        done = CliRunner().invoke(app, [*path, "--help"], terminal_width=100, env={"COLUMNS": "100"})
        text = done.output.replace("Usage: root", "Usage: harness").strip()
        lines += [
            f"## harness {' '.join(path)}",
            "",
            "```text",
            *(line.rstrip() for line in text.splitlines()),
            "```",
            "",
        ]
    return "\n".join(lines)


def _paths(command: object, before: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, one in getattr(command, "commands", {}).items():
        if getattr(one, "commands", None):
            yield from _paths(one, (*before, name))
        else:
            yield (*before, name)


def parameters(registry: Registry) -> str:
    """The parameters of every built-in model, with defaults, where they are searched, and descriptions."""
    told = "Of every built-in model, for `--set MODEL.NAME=VALUE`, with the values that `harness tune` searches."
    lines = ["# Parameters", "", told, ""]
    for name, entry in registry.models.items():
        if entry.owner != "labor-harness":
            continue
        lines += [f"## {name}", "", f"{entry.item.summary}.", ""]
        fields = entry.item.params.model_fields
        if fields:
            lines += ["| parameter | default | `harness tune` | |", "| --- | --- | --- | --- |"]
        searched = own_space(entry.item)
        for field, info in fields.items():
            told = (info.description or "").replace("|", "\\|")
            lines.append(f"| `{field}` | `{info.default!r}` | {searched.get(field, '')} | {told} |")
        lines += ["" if fields else "It has none.", ""] if not fields else [""]
    return "\n".join(lines)


def board() -> str:
    """A few rows of a committed board, best first, for the README."""
    content = json.loads((ROOT / "leaderboards" / BOARD[0] / f"{BOARD[1]}.json").read_text(encoding="utf-8"))
    lines = [
        "| next occupation, simulated labor market | perplexity | behind the best, nats |",
        "| :--- | ---: | ---: |",
    ]
    for row in content["rows"]:
        if row["label"] in (*SHOWN, "oracle"):
            level, behind = row["perplexity"], row["behind"]
            name = "the true probabilities" if row["label"] == "oracle" else f"`{row['label']}`"
            told = "" if behind is None else f"{behind['value']:.3f} ± {behind['standard_error']:.3f}"
            lines.append(f"| {name} | {level['value']:.2f} ± {level['standard_error']:.2f} | {told} |")
    return "\n".join(lines)


def pages() -> dict[Path, str]:
    """Every generated page, by its path."""
    registry = load_registry()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = f"<!-- board -->\n{board()}\n<!-- end -->"
    with_board = re.sub(r"<!-- board -->\n.*?<!-- end -->", lambda _: shown, readme, count=1, flags=re.DOTALL)
    return {
        ROOT / "docs" / "reference" / "commands.md": commands(registry),
        ROOT / "docs" / "reference" / "parameters.md": parameters(registry),
        ROOT / "README.md": with_board,
    }


def main() -> None:
    """Write the pages, or compare them."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--check", action="store_true", help="write nothing; fail where a page is another")
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if asked.parse_args().check:
        sys.exit("\n".join(f"{path.relative_to(ROOT)}: run docs/generate.py" for path in stale) or 0)
    for path in stale:
        path.write_text(pages()[path], encoding="utf-8")


if __name__ == "__main__":
    main()
