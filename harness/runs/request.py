"""Requests as objects: which careers, and which models on which tasks; from a command line or from a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness.data.checks.misreadings import doubt_of_years
from harness.data.reading import FileReading
from harness.errors import DataError, RequestError
from harness.model import ModelSpec, Task
from harness.model.params import validate
from harness.panel import Corpus, Panel, pool, require_apart
from harness.panel.covariates import uninformative
from harness.panel.survey_design import surveyed
from harness.panel.weights import weighted_alike
from harness.registry import Registry
from harness.runs.execute import Reuse, require_multi_panel, require_pretrainable
from harness.runs.faults import first_fault
from harness.runs.run import Run
from harness.runs.teachers import teacher_of
from harness.system.files import require_regular
from harness.system.machine import measured, resolve_device
from harness.system.progress import Progress
from harness.system.words import told_left_out

RequestT = TypeVar("RequestT", bound="Request")


def _as_text(value: Any) -> Any:
    """A parameter's value as ``--set`` takes it: files may hold numbers, lists, true and null."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


Text = Annotated[str, BeforeValidator(_as_text)]
Values = dict[str, Text]  # parameter -> value


def as_list(value: Any) -> Any:
    """One name or number as a list of one."""
    return [value] if isinstance(value, str | int) else value


def with_values(value: Any) -> Any:
    """Models by name: a list of names, or names with their parameters, where nothing stands for the defaults.

    An item of the list may have its parameters, ``- gbm: {rounds: 3}``. ValueError for one that has others elsewhere.
    """
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list | tuple):
        items = [item if isinstance(item, dict) else {str(item): {}} for item in value]
        names = [name for item in items for name in item]
        if twice := [n for item in items for n, given in item.items() if given and names.count(n) > 1]:
            raise ValueError(f"'{twice[0]}' stands there twice, with parameters")
        value = {name: values for item in items for name, values in item.items()}
    return (
        {name: {} if values is None else values for name, values in value.items()} if isinstance(value, dict) else value
    )


class Request(BaseModel):
    """Base of requests: closed, frozen, keyword-only."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


@dataclass(frozen=True, kw_only=True)
class Panels:
    """The panels of a request. also: trained on together with ``scored``. resumes: learned from before it.

    read_memory_mb: the process's peak while they were read; zero where this process did not read them.
    """

    scored: Panel
    also: tuple[Panel | Corpus, ...] = ()
    resumes: Panel | Corpus | None = None
    read_memory_mb: float = 0.0

    def resumes_for(self, spec: ModelSpec) -> Panel | Corpus | None:
        """The resumes that a model learns from first: none, where it cannot be pre-trained."""
        return self.resumes if spec.pretrainable else None


class PanelRequest(Request):
    """Careers, and how they are read."""

    data: str = Field("market", description="a data set's name, or the path of a folder or a file")
    parameters: Values = Field(default_factory=dict, description="parameters of a named data set")
    columns: dict[str, str] = Field(default_factory=dict, description="part -> column, for files with other names")
    occupations: Path | None = Field(None, description="table of occupations for a single file of careers")
    reading: FileReading = Field(
        default_factory=FileReading, description="how the file is read: its shape, its missing values"
    )
    weights: str | None = Field(None, description="covariate that each record counts for")
    strata: str | None = Field(None, description="covariate of the stratum in which a person was drawn")
    units: str | None = Field(None, description="covariate of the primary sampling unit")
    train_also: Annotated[tuple[str, ...], BeforeValidator(as_list)] = Field(
        (), description="further panels to train on, by name or path"
    )
    pretrain: str | None = Field(None, description="panel of resumes to learn from first, by name or path")

    @property
    def sources(self) -> list[str]:
        """All that careers are read from, by name or path."""
        return [self.data, *self.train_also, *([self.pretrain] if self.pretrain else [])]

    def open(self, registry: Registry, progress: Progress) -> Panel:
        """The panel that is scored, weighted and drawn as its survey has it; a note on covariates that tell nothing.

        RequestError where the request makes no sense, DataError with every fault of a faulty source.
        """
        with progress.bar(f"reading {self.data}", None):
            panel = registry.open_panel(
                self.data, self.parameters, self.columns, self.occupations, reading=self.reading
            )
        if self.reading.given() or self.columns or Path(self.data).is_file():
            for reason, count in panel.left_out.items():
                progress.note(told_left_out(reason, count))
            if (doubt := doubt_of_years(panel)) is not None:
                progress.note(doubt)
        panel = surveyed(panel, self.weights, self.strata, self.units)
        for sentence in uninformative(panel):
            progress.note(sentence)
        return panel

    def open_all(self, registry: Registry, progress: Progress) -> Panels:
        """The panel that is scored, and those that models learn from beside it."""
        with measured() as reading:
            panel = self.open(registry, progress)
            also = self.open_further(panel, registry, progress)
            resumes = self.open_resumes(panel, registry, progress)
        return Panels(scored=panel, also=also, resumes=resumes, read_memory_mb=reading.peak_memory_mb)

    def open_further(self, panel: Panel, registry: Registry, progress: Progress) -> tuple[Panel | Corpus, ...]:
        """The panels and corpora of ``train_also``, each weighted as ``panel`` is if it has the column.

        In an order that is not the request's, so that one request has one id.
        """
        found = []
        for source in self.train_also:
            with progress.bar(f"reading {source}", None):
                found.append(careers_at(source, panel, registry))
        pool(panel, found)  # their faults, before the minutes of a fit
        return tuple(sorted(found, key=lambda other: (other.name, other.fingerprint())))

    def open_resumes(self, panel: Panel, registry: Registry, progress: Progress) -> Panel | Corpus | None:
        """The panel or the corpus of ``pretrain``, weighted as ``panel`` is if it has the column.

        RequestError, naming the option, where it cannot be learned from; of a corpus, when a shard is read.
        """
        source = self.pretrain
        if source is None:
            return None
        with progress.bar(f"reading {source}", None):
            try:
                resumes = careers_at(source, panel, registry)
            except DataError as error:
                raise RequestError(
                    f"--pretrain {source}: 'harness data check {source}' names the fault ({error})"
                ) from error
            if isinstance(resumes, Panel):
                require_apart(panel, resumes.part("train"), "--pretrain")
        return resumes

    def found_from(self, folder: Path, registry: Registry) -> PanelRequest:
        """The same request, its relative paths read from a folder where something lies there."""

        def found(source: str) -> str:
            return source if source in registry.datasets or not (folder / source).exists() else str(folder / source)

        occupations = None if self.occupations is None else Path(found(str(self.occupations)))
        pretrain = None if self.pretrain is None else found(self.pretrain)
        also = tuple(found(source) for source in self.train_also)
        changes = {"data": found(self.data), "occupations": occupations, "train_also": also, "pretrain": pretrain}
        return self.model_copy(update=changes)


class RunRequest(Request):
    """Models, each fitted once and scored on every task, with the careers that they are fitted on."""

    panel: PanelRequest = Field(default_factory=PanelRequest)
    tasks: Annotated[tuple[str, ...], BeforeValidator(as_list)] = Field((), description="tasks by name, or 'all'")
    task_parameters: Values = Field(default_factory=dict, description="parameters of the tasks, such as entry: true")
    models: Annotated[dict[str, Values], BeforeValidator(with_values)] = Field(
        default_factory=dict, description="model -> the parameters that differ from its defaults"
    )
    train_persons: Annotated[tuple[int, ...], BeforeValidator(as_list)] = Field(
        (0,), description="training persons to fit on, a point of a learning curve each; 0 for all"
    )
    seed: int = Field(0, ge=0, description="seed of every random draw")
    seeds: int = Field(1, ge=1, description="how many seeds are run, from ``seed`` on")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps")
    reuse: Reuse = Field("own", description="records of identical requests that are taken: own, any or never")

    @classmethod
    def read(cls, path: Path, registry: Registry) -> RunRequest:
        """The request of a YAML file; RequestError, naming the file and the entry, where it is none."""
        return read(cls, path).found_from(path.parent, registry)

    def found_from(self, folder: Path, registry: Registry) -> RunRequest:
        """The same request, its relative paths read from a folder where something lies there."""
        return self.model_copy(update={"panel": self.panel.found_from(folder, registry)})

    def require_known(self, registry: Registry) -> None:
        """RequestError for a wrong name or value of a model, before the minutes that data may take."""
        specs = [registry.model(name).item for name in self.models]
        if self.panel.pretrain:
            require_pretrainable(specs, registry)
        for spec in specs:
            teacher_of(spec, validate(spec.params, self.models[spec.name], spec.name), registry)
            if self.panel.train_also:
                require_multi_panel(spec, registry)

    def runs(self) -> Iterator[tuple[str, int | None]]:
        """The model and the number of training persons, None for all, of every run; each is made with every seed."""
        return product(self.models, (size or None for size in dict.fromkeys(self.train_persons)))

    def every_seed(self) -> range:
        """The seeds that are run."""
        return range(self.seed, self.seed + self.seeds)

    def run(self, model: str, persons: int | None, tasks: Sequence[Task], panels: Panels, registry: Registry) -> Run:
        """One run of the request, with the first seed. RequestError for a wrong parameter, device or size."""
        entry = registry.model(model)
        params = validate(entry.item.params, self.models.get(model, {}), model)
        return Run(
            model=entry,
            params=params,
            tasks=tuple(tasks),
            panel=panels.scored,
            seed=self.seed,
            device=resolve_device(self.device, entry.item.needs),
            train_also=panels.also,
            resumes=panels.resumes_for(entry.item),
            train_persons=persons,
            read_memory_mb=panels.read_memory_mb,
            teacher=teacher_of(entry.item, params, registry),
        )


def careers_at(source: str, panel: Panel, registry: Registry) -> Panel | Corpus:
    """Further careers of a name or a path, weighted as ``panel`` is if they have the column; a corpus as it is."""
    found: Panel | Corpus | None = registry.open_corpus(source)
    return weighted_alike(registry.open_panel(source) if found is None else found, panel)


def _require_once(root: Any, path: Path) -> None:
    """RequestError, with its line, for an entry that a mapping has twice: YAML readers take the last in silence."""
    left, seen = [root], set()
    while left:
        node = left.pop()
        if node is None or id(node) in seen or isinstance(node.value, str):
            continue
        seen.add(id(node))  # an alias is the node that it names
        lines: dict[str, int] = {}
        for entry in node.value:
            if not isinstance(entry, tuple):
                left.append(entry)
                continue
            key, value = entry
            left.append(value)
            line = key.start_mark.line + 1
            if isinstance(key.value, str) and lines.setdefault(key.value, line) != line:
                raise RequestError(f"{path}, line {line}: '{key.value}' stands in line {lines[key.value]} already")


def entries_of(path: Path) -> Mapping[Any, Any]:
    """The entries of a YAML file. RequestError, naming the file, where it is none."""
    import yaml

    require_regular(path)
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
        _require_once(yaml.compose(text, yaml.SafeLoader), path)
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except RecursionError:
        raise RequestError(f"{path}: not a request (nested too deeply)") from None
    except (yaml.YAMLError, ValueError) as error:  # a date with a month of 13, a number of 5,000 digits
        raise RequestError(f"{path}: not a YAML file ({' '.join(str(error).split())})") from error
    if not isinstance(content, Mapping):
        raise RequestError(f"{path}: holds no entries; write such as 'tasks: [next_occ]' and 'models: [mnl, gbm]'")
    return content


def read(kind: type[RequestT], path: Path) -> RequestT:
    """A request from a YAML file. RequestError, naming the file and the entry, where it is none."""
    content = entries_of(path)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise RequestError(f"{path}: {first_fault(kind, error)}") from error


def to_yaml(request: Request) -> str:
    """A request as a YAML file that ``read`` gives back; what is a default is left out."""
    import yaml

    return str(yaml.safe_dump(request.model_dump(mode="json", exclude_defaults=True), sort_keys=False))
