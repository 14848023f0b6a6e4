"""Reads a corpus: a folder of ``careers/*.parquet`` with whole careers in each, and ``corpus.json`` that tells of them.

Each shard has the columns of a panel folder's ``careers.parquet``; occupations and kinds of covariates stand beside
them, as in a panel folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.covariates import SCHEMA_FILE, read_schema
from harness.data.formats.folder import OCCUPATIONS
from harness.data.occupations import read_occupations
from harness.data.tables.times import point
from harness.errors import RequestError
from harness.panel import SPLITS, Corpus, Covariate, Occupations, Panel, time
from harness.panel.corpus import Shard
from harness.types import IntArray

ABOUT, CAREERS = "corpus.json", "careers"
VERSION = 1  # of what corpus.json holds


def is_corpus(path: Path) -> bool:
    return path.is_dir() and (path / ABOUT).is_file()


def read_corpus(path: Path) -> Corpus:
    """The corpus of a folder, named after it; no shard is read. RequestError where it is not as it was written."""
    findings = Findings()
    schema = read_schema(path / SCHEMA_FILE, findings)
    occupations, _ = read_occupations(path / OCCUPATIONS, findings)
    findings.raise_errors()
    assert occupations is not None
    try:
        about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
        if about["version"] != VERSION:
            raise RequestError(f"{path / ABOUT}: is of version {about['version']}; this one reads {VERSION}")
        shards = tuple(
            Shard(str(path / CAREERS / one["file"]), one["persons"], one["records"], one["digest"])
            for one in about["shards"]
        )
        covariates = {
            name: Covariate("categorical" if kind.kind == "categorical" else "numeric", _none(kind.kind), kind.levels)
            for name, kind in schema.items()
        }
        covariates = {name: replace(c, fixed=name in about["fixed"]) for name, c in covariates.items()}
        name, source, left_out = path.resolve().name, dict(about["source"]), dict(about["left_out"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{path / ABOUT}: is not as it was written ({error!r}): write the corpus again") from error
    corpus = Corpus(
        name=name,
        occupations=occupations,
        shards=shards,
        covariates=covariates,
        read=partial(_read, shards=shards, name=name, occupations=occupations, covariates=covariates, source=source),
        source=source,
        left_out=left_out,
    )
    if not shards or corpus.fingerprint() != about.get("fingerprint"):
        raise RequestError(f"{path}: {ABOUT} and the tables beside it are not of one corpus: write the corpus again")
    return corpus


def _none(kind: str) -> Any:
    return np.zeros(0, dtype=np.int32 if kind == "categorical" else np.float64)


def _read(
    number: int,
    *,
    shards: tuple[Shard, ...],
    name: str,
    occupations: Occupations,
    covariates: Mapping[str, Covariate],
    source: Mapping[str, Any],
) -> Panel:
    """The careers of one shard. RequestError where the file is not as it was written."""
    place = shards[number].place
    try:
        unit = time.unit_of(source)
        columns = _columns(place, covariates, unit)
        starts = np.flatnonzero(np.diff(columns["person"][1], prepend=-1))
        words, index = columns["person"]
        offsets = np.concatenate([starts, [len(index)]]).astype(np.int64)
        return Panel(
            name=name,
            persons=np.array(words, dtype=str)[index[starts]],
            offsets=offsets,
            year=_times(columns["year"], unit),
            state=_placed(columns["occupation"], occupations.codes),
            occupations=occupations,
            split=_placed(columns["split"], SPLITS)[starts].astype(np.int8),
            covariates={own: _values(columns[own], covariate) for own, covariate in covariates.items()},
            source=source,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{place}: is not as it was written ({error}): write the corpus again") from error


def _columns(place: str, covariates: Mapping[str, Covariate], unit: str) -> dict[str, Any]:
    """Numbers as arrays, and words as (those that occur, int64 position of each record's, -1 for none).

    The file is mapped into memory, not read into it: what is decoded is all that this process holds.
    """
    from pyarrow import parquet

    words = ["person", "occupation", "split", *(name for name, c in covariates.items() if c.kind == "categorical")]
    words += [] if unit == "year" else ["year"]
    names = ["person", "year", "occupation", *covariates, "split"]
    table = parquet.read_table(place, columns=names, memory_map=True, read_dictionary=words)
    found: dict[str, Any] = {}
    for name in names:
        column = table.column(name).combine_chunks()
        if name in words:
            column = column.unify_dictionaries().combine_chunks() if hasattr(column, "unify_dictionaries") else column
            index = column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
            found[name] = (column.dictionary.to_pylist(), index)
        else:
            found[name] = column.to_numpy(zero_copy_only=False)
    return found


def _times(column: Any, unit: str) -> IntArray:
    """int32: calendar years as they are, and times in another unit by their names."""
    if unit == "year":
        return np.asarray(column, dtype=np.int32)
    words, index = column
    times: IntArray = np.array([point(word, unit) for word in words], dtype=np.int32)[index]
    return times


def _placed(column: tuple[list[str], IntArray], known: tuple[str, ...]) -> IntArray:
    """int32: the position of each record's word among those that are known. ValueError for another one."""
    words, index = column
    place = {word: i for i, word in enumerate(known)}
    if unknown := next((word for word in words if word not in place), None):
        raise ValueError(f"'{unknown}' is unknown")
    if (index < 0).any():
        raise ValueError("an entry is missing")
    return np.array([place[word] for word in words], dtype=np.int32)[index]


def _values(column: Any, covariate: Covariate) -> Covariate:
    if covariate.kind == "numeric":
        return replace(covariate, values=np.asarray(column, dtype=np.float64))
    words, index = column
    own = {level: i for i, level in enumerate(covariate.levels)}
    if unknown := next((word for word in words if word not in own), None):
        raise ValueError(f"the level '{unknown}' is unknown")
    place = np.array([*(own[word] for word in words), -1], dtype=np.int32)  # -1, a missing value, is the last of them
    return replace(covariate, values=place[index])
