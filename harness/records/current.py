"""The records that count: of every task its last version, and of every question the newest answer.

Boards and claims both ask here, so that they never differ in which record they show.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Generic

from harness.errors import RequestError
from harness.records.kinds import MIX, is_mix_of_board, is_submitted
from harness.records.record import PanelFacts, Record, RecordHead
from harness.records.store import AnyHead, Store, panel_folder, slug
from harness.system.signatures import signer_of


@dataclass(frozen=True, slots=True)
class PanelRecords(Generic[AnyHead]):
    """The records of one panel. folder: where its tables lie."""

    panel: PanelFacts
    folder: str
    records: tuple[AnyHead, ...]

    def by_task(self) -> list[tuple[AnyHead, ...]]:
        """The records of each task, in the order of the tasks' keys."""
        tasks: dict[str, list[AnyHead]] = defaultdict(list)
        for record in self.records:
            tasks[record.configuration.task].append(record)
        return [tuple(tasks[task]) for task in sorted(tasks)]


def by_panel(records: Iterable[AnyHead]) -> list[PanelRecords[AnyHead]]:
    """The records of each panel, by its name and contents, in the order of the names.

    Two panels whose names make one folder have folders that end in their fingerprints, as have two of one name.
    """
    groups: dict[tuple[str, str], list[AnyHead]] = defaultdict(list)
    for record in records:
        panel = record.configuration.panel
        groups[panel.name, panel.fingerprint].append(record)
    names = [slug(name) for name, _ in groups]
    return [
        PanelRecords(
            panel := group[0].configuration.panel, panel_folder(panel, names.count(slug(name)) == 1), tuple(group)
        )
        for (name, _), group in sorted(groups.items())
    ]


def current(records: Iterable[AnyHead]) -> list[AnyHead]:
    """Of one panel's records those that count, the newest of all last.

    They are of the last version of their task, and no newer record answers the same question.
    """
    ordered = sorted(records, key=age)
    versions: dict[str, int] = {}
    for asked in (record.configuration for record in ordered):
        versions[asked.task] = max(asked.task_version, versions.get(asked.task, 0))
    newest: dict[tuple[str, str], AnyHead] = {}
    for record in ordered:
        asked = record.configuration
        if asked.task_version == versions[asked.task]:
            newest.pop((asked.task, question(record)), None)
            newest[asked.task, question(record)] = record
    return list(newest.values())


def over_seeds(records: Iterable[AnyHead]) -> list[tuple[AnyHead, ...]]:
    """Records of one panel and task that differ in their seed alone, together, by seed; in the order of their first.

    Records of other code are of another model: they are not averaged with these.
    """
    groups: dict[str, list[AnyHead]] = defaultdict(list)
    for record in records:
        groups[record.configuration.model_copy(update={"seed": 0}).id()].append(record)
    return [tuple(sorted(group, key=lambda one: one.configuration.seed)) for group in groups.values()]


def question(record: RecordHead) -> str:
    """The question that a record answers on its task: of two that share it the newer one counts.

    Of a submission it is the name, as a file is mended; all mixes of a whole board answer one.
    """
    if is_mix_of_board(record):
        return MIX
    return f"submitted as {record.configuration.model}" if is_submitted(record) else record.configuration.key()


def age(record: RecordHead) -> tuple[datetime, str]:
    """A key that sorts records from the oldest to the newest; of the same second, by id."""
    return record.measured.finished, record.id


class Folder:
    """A folder of records whose heads are read once, however many boards and claims ask for them.

    tolerant: a file that is no record is left out and told in ``refused``, in place of an error. signed_by: who signed
    the files that are signed; None where nobody asked.
    """

    def __init__(self, store: Store, tolerant: bool = False) -> None:
        self.store, self.tolerant = store, tolerant
        self.refused: dict[Path, RequestError] = {}
        self.signed_by: dict[Path, str] | None = None
        self._heads: dict[Path, RecordHead] = {}
        self._paths: dict[int, Path] = {}  # by the identity of a head, which is kept above
        self._kept: dict[tuple[str, str], Path] = {}

    def heads(self, paths: Sequence[Path] | None = None) -> list[RecordHead]:
        """The heads of these files; of all in the folder where None.

        RequestError where one is no record, or two are the same one, unless the folder is tolerant.
        """
        chosen = self.store.paths() if paths is None else paths
        for path in chosen:
            if path not in self._heads and path not in self.refused:
                try:
                    self._keep(path)
                except RequestError as error:
                    if not self.tolerant:
                        raise
                    self.refused[path] = error
        return [self._heads[path] for path in chosen if path in self._heads]

    def _keep(self, path: Path) -> None:
        head = self.store.head(path)
        # One panel under two names, as a file and as the folder it was converted to, has one record under each.
        which = head.configuration.panel.name, head.id
        if which in self._kept:
            raise RequestError(f"{path}: record {head.id} stands in {self._kept[which]} as well: remove one of them")
        self._heads[path], self._paths[id(head)], self._kept[which] = head, path, path

    def refuse(self, errors: Mapping[Path, RequestError]) -> None:
        """Leave these files out from now on: their heads were sound, and what follows was not."""
        self.refused |= errors
        for path in errors:
            self._heads.pop(path, None)

    def ask_who_signed(self, signers: Path) -> None:
        """Find who of the list ``signers`` signed each file, and refuse those that are signed otherwise."""

        def asked(path: Path) -> str | RequestError | None:
            try:
                return signer_of(path, signers)
            except RequestError as error:
                return error

        paths = self.store.paths()
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # each waits for a program
            found = dict(zip(paths, pool.map(asked, paths), strict=True))
        self.signed_by = {path: name for path, name in found.items() if isinstance(name, str)}
        self.refuse({path: error for path, error in found.items() if isinstance(error, RequestError)})

    def signers_of(self, heads: Iterable[RecordHead]) -> dict[str, str] | None:
        """The signers of those of ``heads`` that are signed, by id; None where nobody asked."""
        if self.signed_by is None:
            return None
        known = {head.id: self.signed_by.get(self.path(head)) for head in heads}
        return {id: name for id, name in known.items() if name is not None}

    def path(self, head: RecordHead) -> Path:
        """The file that one of ``heads`` was read from."""
        return self._paths[id(head)]

    def read(self, head: RecordHead) -> Record:
        """The whole record behind one of ``heads``. RequestError where its evidence is damaged."""
        return self.store.read(self.path(head))
