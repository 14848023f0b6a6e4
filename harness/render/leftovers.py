"""Tables that Harness wrote once and that no record makes any more, told from files of other hands.

A mended row makes another panel, whose tables lie in another folder; a record that is taken away may take a table with
it. A file is a leftover only where it is called as a table is, lies where tables lie, and says of itself, in the form
that it has, that it is that table. All else is somebody's own.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

from harness.boards.board import Board
from harness.records.store import slug
from harness.render import INDEX
from harness.render.boards import csv_tables
from harness.render.boards.markdown import escape
from harness.render.html.page import HEAD_OF_PAGE
from harness.render.latex import HEAD, escaped
from harness.system.signatures import HEADER, signature_of

OF_BOARD = {"panel", "folder", "fingerprint", "task", "task_version", "outcomes", "rows"}  # in a board's JSON
OF_CLAIMS = {"source", "panel", "language_model", "claims"}
FOOT = re.compile(
    r"Panel [0-9a-f]{12} \([\d,]+ persons, [\d,]+ records\)"
    r"(, task version \d+\. Computed from the record files by `harness leaderboard`\."
    r"|\. Computed from the record files; `harness claims` makes those that are missing\.)\n"
)
LARGEST = 100_000_000  # bytes: no table is as large


def leftovers(folder: Path, tables: Collection[Path], claims: Collection[str]) -> list[Path]:
    """The tables in the panels' folders of a folder of boards that are not among ``tables``, in order.

    claims: names of the pages of claims, without their endings.
    """
    made = {path.absolute() for path in tables}
    found = []
    for path in sorted(folder.glob("*/*")):
        linked = path.is_symlink() or path.parent.is_symlink()
        if path.absolute() not in made and not linked and path.is_file() and _is_table(path, claims):
            found.append(path)
    return found


def removable(paths: Iterable[Path], boards: Iterable[Board], records: Path, folder: Path) -> list[Path]:
    """Those that these records have outlived: of a panel that they know, or in the folder that holds them too.

    Others may be another folder's of records, whose tables were written to the same place.
    """
    if records.resolve().is_relative_to(folder.resolve()):
        return list(paths)
    names = {re.escape(slug(board.panel)) for board in boards}
    known = re.compile(rf"(?:{'|'.join(sorted(names))})(-[0-9a-f]{{8}})?")
    return [path for path in paths if known.fullmatch(path.parent.name)]


def remove(paths: Iterable[Path]) -> None:
    """Remove the files with their signatures, and the folders of which nothing is left."""
    folders = set()
    for path in paths:
        path.unlink(missing_ok=True)
        with suppress(OSError):
            if signature_of(path).read_bytes().startswith(HEADER.encode()):
                signature_of(path).unlink()
        folders.add(path.parent)
    for folder in folders:
        with suppress(OSError):  # where somebody keeps something else in it
            folder.rmdir()


def _is_table(path: Path, claims: Collection[str]) -> bool:
    try:
        if path.stat().st_size > LARGEST:
            return False
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    if path.name == INDEX:
        return text.startswith(HEAD_OF_PAGE)
    own = _CLAIMS if path.stem in claims else _OF_BOARD
    return path.suffix in own and own[path.suffix](text, path)


def _markdown(text: str, path: Path) -> bool:
    first, _, _ = text.partition("\n")
    *_, last = text.splitlines(keepends=True) or [""]
    titled = first.startswith("# ") and (first.endswith(f": {escape(path.stem)}") or ": what " in first)
    return titled and FOOT.fullmatch(last) is not None


def _latex(text: str, path: Path) -> bool:
    """As they are written now, and as versions before wrote them, with another preamble and another caption."""
    task = escaped(path.stem)
    return _is_latex(text) and (f"{{Models of {task} on " in text or f": {task}}}" in text)


def _json(text: str, path: Path) -> bool:
    content = _parsed(text)
    return content.keys() >= OF_BOARD and (content["task"], content["folder"]) == (path.stem, path.parent.name)


def _csv(text: str, path: Path) -> bool:
    rows = csv.DictReader(io.StringIO(text))
    with suppress(csv.Error):
        names = tuple(rows.fieldnames or ())
        kind = next((kind for kind, own in csv_tables.VIEWS.items() if names == ("panel", "task", *own)), None)
        if kind is None and names[:4] != ("panel", "task", "rank", "record"):
            return False
        task = path.stem if kind is None else path.stem.removesuffix(f"-{kind}")
        return {row["task"] for row in rows} == {task}
    return False


def _parsed(text: str) -> dict[str, object]:
    with suppress(ValueError, RecursionError):
        content = json.loads(text)
        return content if isinstance(content, dict) else {}
    return {}


def _claims_json(text: str, path: Path) -> bool:
    return _parsed(text).keys() >= OF_CLAIMS


def _claims_latex(text: str, path: Path) -> bool:
    return _is_latex(text)


def _is_latex(text: str) -> bool:
    return text.startswith(HEAD.partition("\n")[0])


_Sign = Callable[[str, Path], bool]
_OF_BOARD: dict[str, _Sign] = {".md": _markdown, ".tex": _latex, ".json": _json, ".csv": _csv}
_CLAIMS: dict[str, _Sign] = {".md": _markdown, ".tex": _claims_latex, ".json": _claims_json}
