"""harness data convert --to shards: careers as a corpus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli import console
from harness.data.reading import FileReading
from harness.errors import RequestError, require_installed
from harness.model import Params
from harness.model.params import validate
from harness.panel import Panel
from harness.registry import Registry
from harness.system.progress import PROGRESS
from harness.system.words import counted, told_left_out

if TYPE_CHECKING:
    from harness.data.write_corpus import PartOf


@dataclass(frozen=True, kw_only=True)
class Sharding:
    """Careers that are to be written in shards, as they are read. shards: None where nobody said how many."""

    source: str
    settings: Mapping[str, str]
    columns: Mapping[str, str]
    occupations: Path | None
    reading: FileReading
    shards: int | None
    jobs: int

    def write(self, context: typer.Context, folder: Path, as_json: bool) -> None:
        """Write the corpus, and say what it is."""
        from harness.data.write_corpus import write_corpus

        part, parts, elsewhere = self._parts(context.obj)
        jobs = self.jobs if elsewhere else 1
        corpus = write_corpus(part, parts, folder, jobs=jobs, progress=context.meta[PROGRESS])
        count, persons, records, digest = len(corpus.shards), corpus.n_persons, corpus.n_records, corpus.fingerprint()
        if as_json:
            found = {"folder": str(folder), "shards": count, "persons": persons, "records": records}
            console.emit_json(found | {"fingerprint": digest})
        else:
            size = ", ".join((counted(count, "shard"), counted(persons, "person"), counted(records, "record")))
            console.result(f"{folder}: {size}, fingerprint {digest[:12]}")
        for reason, left in corpus.left_out.items():
            console.say(told_left_out(reason, left))

    def _parts(self, registry: Registry) -> tuple[PartOf, int, bool]:
        """The parts, how many they are, and whether other processes can make them."""
        from harness.data.formats.corpus import is_corpus
        from harness.data.formats.folder import is_panel_folder
        from harness.data.tables.files import is_parquet_folder
        from harness.data.write_corpus import PartsInFiles, parts_of

        path, spec, count = Path(self.source), registry.datasets.get(self.source), self.shards or 1
        if spec is not None and spec.item.part is not None:
            require_installed(f"data set '{self.source}'", spec.item.missing(), spec.item.install)
            params = validate(spec.item.params, self.settings, self.source)
            return PartOfDataset(spec.item.part, params, count), count, True
        if spec is None and is_parquet_folder(path) and not is_corpus(path) and not is_panel_folder(path):
            if self.shards is not None:
                raise RequestError("--shards: each file of the folder is a shard; leave it out")
            files = tuple(sorted(path.rglob("*.parquet")))
            parts = PartsInFiles(files=files, columns=self.columns, occupations=self.occupations, reading=self.reading)
            return parts, len(files), True
        panel = registry.open_panel(self.source, self.settings, self.columns, self.occupations, reading=self.reading)
        return parts_of(panel, count), count, False


@dataclass(frozen=True)
class PartOfDataset:
    """Parts of a data set that makes them one by one; other processes are told of it."""

    part: Callable[[Any, int, int], Panel]
    params: Params
    parts: int

    def __call__(self, number: int) -> Panel:
        return self.part(self.params, number, self.parts)
