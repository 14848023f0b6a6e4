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
from harness.data.formats.career_files import is_career_folder, read_career
from harness.data.formats.folder import is_panel_folder, read_folder
from harness.data.formats.single_file import read_single_file
from harness.data.tables.mapping import check_parts, parse_mapping
from harness.errors import Fault, RequestError, did_you_mean, require_installed
from harness.model.dataset import DatasetSpec
from harness.model.params import validate
from harness.panel.careers import Panel
from harness.system.entry import Entry

FILE_ENDINGS = (".csv", ".csv.gz", ".parquet")
Columns = Mapping[str, str] | Iterable[str]
Datasets = Mapping[str, Entry[DatasetSpec]]
NONE: Datasets = MappingProxyType({})


@dataclass(frozen=True)
class Check:
    """Findings in a source. panel: None where errors stopped the reading."""

    errors: list[Fault]
    notes: list[Fault]
    panel: Panel | None


def open_panel(
    source: str | Path,
    settings: Mapping[str, Any] | None = None,
    columns: Columns = (),
    occupations: str | Path | None = None,
    datasets: Datasets = NONE,
) -> Panel:
    """The panel that a registered name or a path stands for.

    source: a data set's name; or a panel folder, a folder of CAREER files, or one csv, csv.gz or parquet file. Where a
    name and a path are the same, the name wins: write './name' for the path. settings: parameters of a named data set.
    columns: part -> column, or 'part=column' pairs, for files whose columns have other names (parts: person, year,
    occupation; title, group, status, split). occupations: a table of the states, for files without one, or the
    name of a code list that comes with the package. datasets: those that have names; without them, only paths are
    known.

    Raises RequestError for a request that makes no sense, and DataError with every fault of a faulty source.
    """
    findings = Findings()
    panel = _read(
        source,
        settings or {},
        mapping=_mapping(columns),
        occupations=_path(occupations),
        datasets=datasets,
        findings=findings,
    )
    findings.raise_errors()
    if panel is None:  # a reader that returns nothing has said why
        raise AssertionError(f"{source}: no panel, and no fault told")
    return panel


def check(
    source: str | Path,
    settings: Mapping[str, Any] | None = None,
    columns: Columns = (),
    occupations: str | Path | None = None,
    datasets: Datasets = NONE,
) -> Check:
    """All that is wrong with a source (errors), and all that is worth a look (notes); arguments as ``open_panel``."""
    findings = Findings(wants_notes=True)
    panel = _read(
        source,
        settings or {},
        mapping=_mapping(columns),
        occupations=_path(occupations),
        datasets=datasets,
        findings=findings,
    )
    if panel is not None:
        remark(panel, findings)
        remark_on_readings(panel, findings)
    found = findings.in_order()
    return Check(found.errors, found.notes, panel)


def _mapping(columns: Columns) -> dict[str, str]:
    mapping = dict(columns) if isinstance(columns, Mapping) else parse_mapping(columns)
    check_parts(mapping)
    return mapping


def _path(occupations: str | Path | None) -> Path | None:
    """The table of the states: a file, or a code list that comes with the package, by its name."""
    if occupations is None or Path(occupations).is_file():
        return None if occupations is None else Path(occupations)
    if str(occupations) in code_lists():
        return path_of(str(occupations))
    near = did_you_mean(str(occupations), code_lists())
    raise RequestError(f"--occupations {occupations}: there is no such file, and no code list of the name; {near}")


def _read(
    source: str | Path,
    settings: Mapping[str, Any],
    mapping: Mapping[str, str],
    occupations: Path | None,
    datasets: Datasets,
    findings: Findings,
) -> Panel | None:
    names = {} if isinstance(source, Path) else datasets
    if source in names:
        if mapping or occupations:
            raise RequestError(f"'{source}' is a data set by name: --column and --occupations are for files")
        return _load(names[str(source)].item, settings)
    path = Path(source)
    if settings and path.exists():
        raise RequestError(f"--set data.{next(iter(settings))}: {source} is read from files, which have no parameters")
    if is_career_folder(path):
        if mapping:
            raise RequestError(f"{source} holds CAREER files, which have no columns: --column is for tables")
        return read_career(path, occupations, findings)
    if is_panel_folder(path):
        return read_folder(path, mapping, occupations, findings)
    if path.is_file() and path.name.endswith(FILE_ENDINGS):
        return read_single_file(path, mapping, occupations, findings)
    raise RequestError(_no_source(source, path, names))


def _load(spec: DatasetSpec, settings: Mapping[str, Any]) -> Panel:
    require_installed(f"data set '{spec.name}'", spec.missing(), spec.install)
    params = validate(spec.params, {name: str(value) for name, value in settings.items()}, spec.name)
    return spec.load(params).in_order()


def _no_source(source: str | Path, path: Path, names: Iterable[str]) -> str:
    if path.exists() and not (path.is_file() or path.is_dir()):
        return f"{source}: is neither a regular file nor a folder: write the careers to a file"
    if path.is_file():
        return f"{source}: careers are read from {', '.join(FILE_ENDINGS)} files, or from a folder"
    if path.is_dir():
        return f"{source}: the folder holds neither careers.csv (or .csv.gz, .parquet) nor train.job"
    if isinstance(source, Path):
        return f"{source}: there is no such file or folder"
    return f"'{source}' is no data set, and there is no such file or folder; {did_you_mean(str(source), names)}"
