"""Writes a corpus: careers in shards, by several processes, each of which holds one shard at a time.

What tells a corpus from another, the digest of every shard, is computed of the shard that is being written: nothing is
read again for it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np

from harness.data.covariates import SCHEMA_FILE
from harness.data.formats.corpus import ABOUT, CAREERS, VERSION, read_corpus
from harness.data.formats.folder import OCCUPATIONS
from harness.data.open import open_panel
from harness.data.reading import FileReading
from harness.data.write import require_columns, require_new, write_careers, write_occupations, write_schema
from harness.errors import RequestError
from harness.panel import Corpus, Covariate, Panel
from harness.panel.corpus import Shard, shard_digest
from harness.system.folders import filling
from harness.system.progress import Progress, Silent
from harness.system.side_by_side import in_processes
from harness.types import IntArray

PartOf = Callable[[int], Panel]  # from a number to a part of whole careers; other processes call it


@dataclass(frozen=True)
class _Written:
    """A shard that is on disk. about: the part without its records. ids: int64 [P], hashes of its persons."""

    number: int
    shard: Shard
    about: Panel
    ids: IntArray


def write_corpus(part: PartOf, parts: int, folder: Path, jobs: int = 1, progress: Progress | None = None) -> Corpus:
    """Write parts of whole careers as the shards of a new folder, ``jobs`` at a time; the corpus.

    Persons stand in the order of their ids in each. A part without persons has no shard. RequestError where the folder
    holds something, where a person is in two parts, and where parts have other occupations, covariates or units of
    time. The folder is there whole or, after an error or a kill, not at all.
    """
    require_new(folder)
    with filling(folder) as draft, (progress or Silent()).bar(f"writing {folder.name}", parts) as bar:
        (draft / CAREERS).mkdir()
        written: list[_Written] = []
        for one in _made(partial(_write, part, draft / CAREERS), parts, jobs):
            bar.advance()
            if one is not None:
                written.append(one)
        if not written:
            raise RequestError("there are no careers: nothing to write")
        written.sort(key=lambda one: one.number)
        _finish(written, draft)
        read_corpus(draft)
    return read_corpus(folder)


def parts_of(panel: Panel, parts: int) -> PartOf:
    """The parts of a panel in memory: persons that follow one another."""
    return partial(_part, panel.in_order(), parts)


@dataclass(frozen=True, kw_only=True)
class PartsInFiles:
    """Parts that stand in files of their own; the rest as of ``harness.data.open.open_panel``."""

    files: tuple[Path, ...]
    columns: Mapping[str, str]
    occupations: str | Path | None
    reading: FileReading

    def __call__(self, number: int) -> Panel:
        return open_panel(self.files[number], columns=self.columns, occupations=self.occupations, reading=self.reading)


def _part(panel: Panel, parts: int, number: int) -> Panel:
    first, stop = (panel.n_persons * i // parts for i in (number, number + 1))
    return panel.select(np.arange(first, stop))


def _made(write: Callable[[int], _Written | None], parts: int, jobs: int) -> Iterator[_Written | None]:
    """Every part as it is written."""
    if min(jobs, parts) == 1:
        yield from map(write, range(parts))
    else:
        work = [partial(write, number) for number in range(parts)]
        yield from (made for _, made in in_processes(work, min(jobs, parts)))


def _write(part: PartOf, folder: Path, number: int) -> _Written | None:
    """Write one part. RequestError for columns that no file can have."""
    panel = part(number).in_order()
    if not panel.n_persons:
        return None
    require_columns(panel.covariates)
    if panel.weight is not None or panel.units is not None or panel.strata is not None:
        raise RequestError("a corpus has neither weights nor a survey's design: leave them covariates")
    file = f"{number:05d}.parquet"
    write_careers(panel, folder / file)
    ids = [int.from_bytes(blake2b(str(person).encode(), digest_size=8).digest(), "little") for person in panel.persons]
    return _Written(
        number=number,
        shard=Shard(file, panel.n_persons, panel.n_records, shard_digest(panel)),
        about=panel.select(np.zeros(0, dtype=np.int64)),
        ids=np.array(ids, dtype=np.uint64),
    )


def _finish(written: list[_Written], draft: Path) -> None:
    """Write what tells of the shards. RequestError where they do not fit one another."""
    first = written[0].about
    hashes, often = np.unique(np.concatenate([one.ids for one in written]), return_counts=True)
    if (often > 1).any():
        twice = hashes[often > 1][0]
        shards = [one.shard.place for one in written if twice in one.ids]
        raise RequestError(f"a person is in {' and '.join(shards)}: a career must stand whole in one part")
    for one in written:
        if one.about.occupations != first.occupations or one.about.unit != first.unit:
            raise RequestError(
                f"{one.shard.place} has other occupations, or another unit of time, than the first part: a table of "
                "all states (--occupations) serves every part"
            )
        if {n: c.kind for n, c in one.about.covariates.items()} != {n: c.kind for n, c in first.covariates.items()}:
            raise RequestError(f"{one.shard.place} has other covariates, or other kinds of them, than the first part")
    covariates = {own: _over_all(own, written) for own in first.covariates}
    write_occupations(first.occupations, draft / OCCUPATIONS)
    write_schema(covariates, draft / SCHEMA_FILE)
    corpus = Corpus(
        name=first.name,
        occupations=first.occupations,
        shards=tuple(one.shard for one in written),
        covariates=covariates,
        read=lambda number: first,
        # What is the same of all parts; each may be of a file of its own.
        source={k: v for k, v in first.source.items() if all(one.about.source.get(k) == v for one in written)},
        left_out=sum((Counter(one.about.left_out) for one in written), Counter()),
    )
    content = {
        "version": VERSION,
        "persons": corpus.n_persons,
        "records": corpus.n_records,
        "fingerprint": corpus.fingerprint(),
        "fixed": [own for own, covariate in covariates.items() if covariate.fixed],
        "source": dict(corpus.source),
        "left_out": dict(corpus.left_out),
        "shards": [{"file": s.place, **{k: v for k, v in asdict(s).items() if k != "place"}} for s in corpus.shards],
    }
    (draft / ABOUT).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _over_all(name: str, written: list[_Written]) -> Covariate:
    """A covariate with the levels of all parts: those of the first where all have these, else by the alphabet."""
    each = [one.about.covariates[name] for one in written]
    levels = each[0].levels
    if any(one.levels != levels for one in each):
        levels = tuple(sorted({level for one in each for level in one.levels}))
    return replace(each[0], levels=levels, fixed=all(one.fixed for one in each))
