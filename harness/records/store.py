"""Record files on disk: where each lies, how it is written and read, and what is wrong with one that cannot be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.errors import RequestError
from harness.records.record import SCHEMA_VERSION, Configuration, PanelFacts, Record, RecordHead
from harness.system.files import write_atomically
from harness.system.version import installed_version, is_newer, release

WRITTEN_BY = re.compile(r"labor-harness (\d\S*) ")  # the beginning of what a record says of its code
KEPT_BYTES = 1 << 24  # of files whose records are in memory, which take some five times as much there
AnyHead = TypeVar("AnyHead", bound=RecordHead)
ID_OF_NAME = re.compile(r"-([0-9a-f]{16})\.json$")  # of a file that the store named; others may have any name


def slug(text: str) -> str:
    """A name as a file name: letters, digits, '.', '_' and '-', never empty and never hidden."""
    kept = "".join(c if c.isalnum() or c in "._-" else "-" for c in text).strip(".-")
    return kept or "unnamed"


def panel_folder(panel: PanelFacts, alone: bool) -> str:
    """The folder of a panel's tables: its name, with its fingerprint's beginning where another panel has that name."""
    return slug(panel.name) if alone else f"{slug(panel.name)}-{panel.fingerprint[:8]}"


def existing_store(folder: Path) -> Store:
    """The store of a folder that must exist. RequestError otherwise."""
    if not folder.is_dir():
        raise RequestError(f"{folder}: no such folder of records; 'harness run' makes one, --records names another")
    return Store(folder)


class Store:
    """A folder of record files, one folder a panel: ``<folder>/<panel>/<task>-<model>-<id>.json``.

    Files are read whenever they are asked for; those whose bytes are still the same are checked once, up to
    ``KEPT_BYTES`` of them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: dict[Path, tuple[bytes, Record]] = {}  # the longest unread first
        self._kept_bytes = 0

    def path(self, configuration: Configuration) -> Path:
        name = f"{configuration.task}-{slug(configuration.model)}-{configuration.id()}.json"
        return self.folder / slug(configuration.panel.name) / name

    def find(self, configuration: Configuration) -> Record | None:
        """The record of an identical request, or None."""
        path = self.path(configuration)
        return self.read(path) if path.exists() else None

    def write(self, record: Record) -> Path:
        path = self.path(record.configuration)
        write_atomically(path, to_text(record))
        return path

    def read(self, path: Path) -> Record:
        """RequestError where the file is no record, was edited, or has a schema this version does not know."""
        content = _bytes(path)
        before, record = self._kept.pop(path, (b"", None))
        self._kept_bytes -= len(before)
        if record is None or before != content:
            record = _checked(path, Record, content)
        self._keep(path, content, record)
        return record

    def _keep(self, path: Path, content: bytes, record: Record) -> None:
        self._kept[path] = content, record
        self._kept_bytes += len(content)
        while self._kept_bytes > KEPT_BYTES:
            gone, _ = self._kept.pop(next(iter(self._kept)))
            self._kept_bytes -= len(gone)

    def head(self, path: Path) -> RecordHead:
        """As ``read``, of all but the evidence, which may be damaged still: in a tenth of the time.

        A file that was laid out by other hands is read whole.
        """
        content = _bytes(path)
        before, found, _ = content.partition(b',\n  "evidence": ')
        return _checked(path, RecordHead, before + b"}") if found else self.read(path)

    def paths(self, panel: str = "") -> list[Path]:
        """The record files, in order. panel: of the panels of this name alone."""
        return sorted(self.folder.glob(f"{slug(panel) if panel else '*'}/*.json"))

    def all(self) -> list[Record]:
        """Every record in the folder, in the order of their paths."""
        return [self.read(path) for path in self.paths()]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path}: not a record file ({error.strerror})") from error


def _checked(path: Path, kind: type[AnyHead], content: bytes) -> AnyHead:
    """The content as what it should be. RequestError, naming the path and the first thing that is wrong, otherwise."""
    try:
        record = kind.model_validate_json(content)
    except ValidationError as error:
        raise RequestError(f"{path}: {_what_is_wrong(content, error)}") from error
    if record.id != record.configuration.id():
        raise RequestError(f"{path}: id {record.id} is not that of its configuration, {record.configuration.id()}")
    if (named := ID_OF_NAME.search(path.name)) is not None and named.group(1) != record.id:
        raise RequestError(
            f"{path}: holds record {record.id}, and its name says {named.group(1)}: the files were swapped"
        )
    return record


def _what_is_wrong(content: bytes, error: ValidationError) -> str:
    try:
        plain = json.loads(content)
    except ValueError as broken:
        return f"not a record file ({broken})"
    except RecursionError:
        return "not a record file (nested too deeply)"
    version = plain.get("schema_version") if isinstance(plain, dict) else None
    newer = _newer_version(plain)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        needed = f"labor-harness {newer} or later" if newer else "a newer labor-harness"
        here = f"labor-harness {installed_version()} reads up to {SCHEMA_VERSION}"
        return f"record schema {version}, and {here}: install {needed}"
    if version != SCHEMA_VERSION:
        return f"record schema {version!r}; this version of harness reads {SCHEMA_VERSION}"
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    what = f"not a valid record: {place}{': ' if place else ''}{first['msg'].removeprefix('Value error, ')}"
    return (
        f"{what}; labor-harness {newer} wrote it, and this is {installed_version()}: install {newer} or later"
        if newer
        else what
    )


def _newer_version(plain: Any) -> str | None:
    """The release of labor-harness that made a record, where it is newer than this one; None otherwise."""
    asked = plain.get("configuration") if isinstance(plain, dict) else None
    code = str(asked.get("code")) if isinstance(asked, dict) else ""
    found = WRITTEN_BY.match(code)
    return release(found[1]) if found is not None and is_newer(found[1], installed_version()) else None


def to_text(record: Record) -> str:
    """JSON with a line for every entry and every list on one line, so that a difference can be read."""
    return _lines(record.model_dump(mode="json"), "") + "\n"


def _lines(value: object, indent: str) -> str:
    if not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    inner = indent + "  "
    entries = [f"{inner}{json.dumps(key)}: {_lines(item, inner)}" for key, item in value.items()]
    return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
