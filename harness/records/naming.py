"""Names of records: how an id begins, a record file by its path or name, or ``panel/task/model``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.errors import RequestError, did_you_mean
from harness.records.current import by_panel, current
from harness.records.kinds import label
from harness.records.record import Record, RecordHead
from harness.records.store import Store, existing_store

MOST_CANDIDATES = 12  # that an ambiguous name lists

Candidates = Sequence[tuple[Path, RecordHead]]


def named(store: Store, name: str) -> Record:
    """The one record of this name, as ``path_of_record`` finds it. RequestError as there, and where it is damaged."""
    return store.read(path_of_record(store, name))


def record_named(name: str, records: Path) -> Record:
    """The record of a name in a folder, or of the file that the name is.

    RequestError where the folder does not exist, but for a file that is named by its path.
    """
    return named(Store(records) if Path(name).is_file() else existing_store(records), name)


def path_of_record(store: Store, name: str) -> Path:
    """The file of the one record of this name.

    A path to a record file, wherever it lies; the name of a file in the store, or the end of its path; the id of a
    record, or how it begins; ``panel/task/model``, the model by its name or as boards call it: the record that a board
    shows. RequestError where there is none, and where there are several, a line for each.
    """
    if Path(name).is_file():
        return Path(name)
    if paths := [path for path in store.paths() if name and _is_of_file(path, name)]:
        if len(paths) == 1:
            return paths[0]
        return _one(name, "record files are called", _heads(store, paths)[0])[0]
    likely = [path for path in store.paths() if path.stem.rpartition("-")[2].startswith(name)]
    heads, damaged = _heads(store, likely or store.paths())
    if found := [(path, head) for path, head in heads if head.id.startswith(name)]:
        return _one(name, "records' ids begin with", found)[0]
    if found := _shown(heads, name):
        return _one(name, "records on boards are called", found)[0]
    if damaged:
        raise damaged[0]
    raise RequestError(
        f"no record's id begins with '{name}', and no record file and no panel/task/model is called so; "
        f"{_nearest(name, heads)}"
    )


def _nearest(name: str, heads: Candidates) -> str:
    """The end of an error about a name that no record has: the name on a board that is nearest, or where ids are."""
    if name.count("/") > 1:
        called = {_called(head, model) for _, head in heads for model in (label(head), head.configuration.model)}
        if (near := did_you_mean(name, called)).endswith("?"):
            return near
    return "the boards' json lists the ids"


def _heads(store: Store, paths: Iterable[Path]) -> tuple[Candidates, list[RequestError]]:
    """The heads of the files that are records, and the errors of the others."""
    heads, damaged = [], []
    for path in paths:
        try:
            heads.append((path, store.head(path)))
        except RequestError as error:
            damaged.append(error)
    return heads, damaged


def _is_of_file(path: Path, name: str) -> bool:
    """True where the name is the file's, with or without its ending, or the end of its path."""
    wanted = Path(name).parts
    return any(one.parts[-len(wanted) :] == wanted for one in (path, path.with_suffix("")))


def _shown(heads: Candidates, name: str) -> list[tuple[Path, RecordHead]]:
    """The records of ``panel/task/model`` that count: those that boards call so, or else all of the model's."""
    paths = {id(head): path for path, head in heads}
    shown = [head for panel in by_panel(head for _, head in heads) for head in current(panel.records)]
    called = [head for head in shown if name == _called(head, label(head))]
    found = called or [head for head in shown if name == _called(head, head.configuration.model)]
    return [(paths[id(head)], head) for head in found]


def _called(head: RecordHead, model: str) -> str:
    return f"{head.configuration.panel.name}/{head.configuration.task}/{model}"


def _one(name: str, what: str, found: Candidates) -> tuple[Path, RecordHead]:
    """RequestError where there are several."""
    if len(found) == 1:
        return found[0]
    if not name:  # all of them begin so
        raise RequestError(f"{len(found)} {what} ''; the boards' json lists the ids")
    told = "\n".join(f"  {line}" for line in map(_line, found[:MOST_CANDIDATES]))
    more = f"\n  and {len(found) - MOST_CANDIDATES} more" if len(found) > MOST_CANDIDATES else ""
    raise RequestError(f"{len(found)} {what} '{name}'; name one by its file, or by more of its id:\n{told}{more}")


def _line(candidate: tuple[Path, RecordHead]) -> str:
    path, head = candidate
    asked = head.configuration
    finished = head.measured.finished.strftime("%Y-%m-%d %H:%M:%S")
    return f"{head.id}  {label(head)} on {asked.task} of {asked.panel.name}, {finished}: {path}"


def find_record(records: Iterable[Record], prefix: str) -> Record:
    """The one record whose id begins so. RequestError where there is none, or more than one."""
    matches = [record for record in records if record.id.startswith(prefix)]
    if len(matches) != 1:
        what = "no record's id begins" if not matches else f"{len(matches)} records' ids begin"
        raise RequestError(f"{what} with '{prefix}'; the boards' json lists the ids")
    return matches[0]
