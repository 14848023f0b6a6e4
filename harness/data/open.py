"""Opens careers of every origin: a data set by its name, or files by their path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.data.checks.findings import Findings
from harness.data.checks.misreadings import remark_on_readings
from harness.data.checks.remarks import remark
from harness.data.codelists import code_lists, path_of
from harness.data.codelists.partial import PARTIAL, path_of_partial
from harness.data.formats.career_files import is_career_folder, read_career
from harness.data.formats.corpus import is_corpus, read_corpus
from harness.data.formats.folder import is_panel_folder, read_folder
from harness.data.formats.single_file import read_single_file
from harness.data.reading import FileReading
from harness.data.tables.columns import release_arrow
from harness.data.tables.files import ENDINGS, PLAIN, is_parquet_folder, is_readable
from harness.data.tables.mapping import check_parts, parse_mapping
from harness.errors import Fault, RequestError, did_you_mean, require_installed
from harness.model.dataset import DatasetSpec
from harness.model.params import validate
from harness.panel.careers import Panel
from harness.system.entry import Entry

Columns = Mapping[str, str] | Iterable[str]
Datasets = Mapping[str, Entry[DatasetSpec]]
NONE: Datasets = MappingProxyType({})


@dataclass(frozen=True)
class Check:
    """Findings in a source. panel: None where errors stopped the reading."""

    errors: list[Fault]
    notes: list[Fault]
    panel: Panel | None


@dataclass(frozen=True)
class _Opening:
    """Arguments of ``open_panel``, looked at."""

    source: str | Path
    settings: Mapping[str, Any]
    mapping: dict[str, str]
    occupations: Path | None
    reading: FileReading
    datasets: Datasets


def open_panel(
    source: str | Path,
    settings: Mapping[str, Any] | None = None,
    columns: Columns = (),
    occupations: str | Path | None = None,
    reading: FileReading = PLAIN,
    datasets: Datasets = NONE,
) -> Panel:
    """The panel that a registered name or a path stands for.

    source: a data set's name; or a panel folder, a corpus, a folder of CAREER files, or one file of any form that
    ``harness.data.tables.files`` knows (text, parquet, feather, Stata, SPSS, SAS, R, a workbook). Where a
    name and a path are the same, the name wins: write './name' for the path. settings: parameters of a named data set.
    columns: part -> column, or 'part=column' pairs, for files whose columns have other names (parts: person, year,
    occupation; title, group, status, split; age, birth_year). occupations: a table of the states, for files without
    one, or the name of a code list that comes with the package. reading: which object of a file is read, its shape,
    and what of it is missing or not wanted. datasets: those that have names; without them, only paths are known.

    Raises RequestError for a request that makes no sense, and DataError with every fault of a faulty source.
    """
    findings = Findings()
    asked = _Opening(
        source=source,
        settings=settings or {},
        mapping=_mapping(columns),
        occupations=table_of(occupations),
        reading=reading,
        datasets=datasets,
    )
    panel = _read(asked, findings)
    release_arrow()
    findings.raise_errors()
    if panel is None:  # a reader that returns nothing has said why
        raise AssertionError(f"{source}: no panel, and no fault told")
    return panel


def check(
    source: str | Path,
    settings: Mapping[str, Any] | None = None,
    columns: Columns = (),
    occupations: str | Path | None = None,
    reading: FileReading = PLAIN,
    datasets: Datasets = NONE,
) -> Check:
    """All that is wrong with a source (errors), and all that is worth a look (notes); arguments as ``open_panel``."""
    findings = Findings(wants_notes=True)
    asked = _Opening(
        source=source,
        settings=settings or {},
        mapping=_mapping(columns),
        occupations=table_of(occupations),
        reading=reading,
        datasets=datasets,
    )
    panel = _read(asked, findings)
    release_arrow()
    if panel is not None:
        remark(panel, findings)
        remark_on_readings(panel, findings)
    found = findings.in_order()
    return Check(found.errors, found.notes, panel)


def _mapping(columns: Columns) -> dict[str, str]:
    mapping = dict(columns) if isinstance(columns, Mapping) else parse_mapping(columns)
    check_parts(mapping)
    return mapping


def table_of(occupations: str | Path | None) -> Path | None:
    """The table of the states: a file, or a code list that comes with the package, by its name."""
    if occupations is None or Path(occupations).is_file():
        return None if occupations is None else Path(occupations)
    if str(occupations) in code_lists():
        return path_of(str(occupations))
    if str(occupations) in PARTIAL:
        return path_of_partial(str(occupations))
    near = did_you_mean(str(occupations), [*code_lists(), *PARTIAL])
    raise RequestError(f"--occupations {occupations}: there is no such file, and no code list of the name; {near}")


def _read(asked: _Opening, findings: Findings) -> Panel | None:
    source, mapping, occupations, reading = asked.source, asked.mapping, asked.occupations, asked.reading
    names = {} if isinstance(source, Path) else asked.datasets
    options = next((f"--{option.replace('_', '-')}" for option in reading.given()), None)
    if source in names:
        if mapping or occupations or options:
            option = options or "--column and --occupations"
            raise RequestError(f"'{source}' is a data set by name: {option} are for files")
        return _load(names[str(source)].item, asked.settings)
    path = Path(source)
    if asked.settings and path.exists():
        name = next(iter(asked.settings))
        raise RequestError(f"--set data.{name}: {source} is read from files, which have no parameters")
    if is_career_folder(path):
        if mapping or options:
            option = options or "--column"
            raise RequestError(f"{source} holds CAREER files, which have no columns: {option} is for tables")
        return read_career(path, occupations, findings)
    if is_corpus(path):
        if mapping or occupations or options:
            option = options or "--column and --occupations"
            raise RequestError(f"{source} is a corpus, whose shards say all: {option} are for tables")
        return read_corpus(path).whole()
    if is_panel_folder(path):
        return read_folder(path, mapping, occupations, reading=reading, findings=findings)
    if is_parquet_folder(path) or (path.is_file() and is_readable(path.name)):
        return read_single_file(path, mapping, occupations, reading=reading, findings=findings)
    raise RequestError(no_source(source, path, names))


def _load(spec: DatasetSpec, settings: Mapping[str, Any]) -> Panel:
    require_installed(f"data set '{spec.name}'", spec.missing(), spec.install)
    params = validate(spec.params, {name: str(value) for name, value in settings.items()}, spec.name)
    return spec.load(params).in_order()


def no_source(source: str | Path, path: Path, names: Iterable[str]) -> str:
    """A message on what a source is that no careers are read from; names: data sets that it could have meant."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        return f"{source}: is neither a regular file nor a folder: write the careers to a file"
    if path.is_file():
        return f"{source}: careers are read from {', '.join(ENDINGS)} files, packed or not, or from a folder"
    if path.is_dir():
        return (
            f"{source}: the folder holds neither careers.csv (or .csv.gz, .parquet) nor train.job, and no parquet files"
        )
    if isinstance(source, Path):
        return f"{source}: there is no such file or folder"
    return f"'{source}' is no data set, and there is no such file or folder; {did_you_mean(str(source), names)}"
