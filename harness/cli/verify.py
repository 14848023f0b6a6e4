"""harness verify: whether a record says what its configuration gives when it is run once more."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.boards.mix import mix as mix_runs
from harness.cli import console
from harness.cli.options import RECORDS, JsonOption, RecordsOption, RunArgument
from harness.cli.panels import ColumnOption, OccupationsOption
from harness.cli.reproduce import command, opened_by, reopen
from harness.errors import RequestError
from harness.model.params import pairs
from harness.panel import Corpus, Panel
from harness.records import predictions as probabilities
from harness.records.kinds import MIX, is_submitted, label
from harness.records.naming import record_named
from harness.records.record import Record
from harness.records.store import Store, existing_store
from harness.registry import Registry
from harness.render.boards.table import bracketed
from harness.runs.execute import Workshop, execute
from harness.runs.isolation import sandbox
from harness.runs.isolation.hiding import hidden_paths, isolation_of
from harness.runs.request import PanelRequest, careers_at
from harness.runs.verify import Verification, contradictions, require_same, run_of
from harness.runs.verify import verify as compare
from harness.stats.inference import Estimate
from harness.submission.again import require_file, require_its_file, scored_again
from harness.system.cache import borrow
from harness.system.machine import cache_folder, resolve_device
from harness.system.progress import PROGRESS, Progress

MOST_LINES = 3  # of runs that a mix lacks
Differing = Mapping[str, tuple[float | None, float | None]]


@dataclass(frozen=True)
class _Sources:
    """Places on this machine of all that a record needs, as far as the command line says."""

    panel: PanelRequest | None
    also: Sequence[str]
    pretrain: str | None
    file: Path | None


@dataclass(frozen=True)
class _Scratch:
    """The surroundings of a verification. scratch: a folder of its own, so that nothing of the user's is touched."""

    registry: Registry
    records: Path
    scratch: Path
    progress: Progress
    isolated: bool

    def workshop(self, data: Iterable[str] = ()) -> Workshop:
        """The place of the new run. data: what its careers are read from, for a model that is isolated from it."""
        borrow(cache_folder(), self.scratch / "cache")
        hidden = hidden_paths(self.registry, data)
        store = Store(self.scratch / "records")
        return Workshop(
            registry=self.registry,
            store=store,
            cache=self.scratch / "cache",
            progress=self.progress,
            reuse="never",
            isolation=isolation_of(self.registry, hidden) if self.isolated and sandbox.is_known() else None,
            hidden=(*hidden, probabilities.folder_of(cache_folder())),
        )


def verify(
    context: typer.Context,
    record: RunArgument,
    data: Annotated[
        str | None, typer.Option("--data", help="Path of the record's panel, if it was read from files.")
    ] = None,
    column: ColumnOption = None,
    occupations: OccupationsOption = None,
    file: Annotated[Path | None, typer.Option("--file", help="The table of probabilities, of a submission.")] = None,
    train_also: Annotated[
        list[str] | None,
        typer.Option("--train-also", help="A further training panel: a name or a path. Repeatable.", metavar="PANEL"),
    ] = None,
    pretrain: Annotated[
        str | None,
        typer.Option("--pretrain", help="Resumes that were learned first: a name or a path.", metavar="PANEL"),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    isolated: Annotated[
        bool,
        typer.Option(
            "--isolated/--in-process",
            help="Fit and ask the model in a process of its own, as run --isolated does, where the system can.",
        ),
    ] = True,
    records: RecordsOption = RECORDS,
    as_json: JsonOption = False,
) -> None:
    """Run a record's request again, and say if it reproduces.

    Its figures must first be those of its own evidence. Then the model is fitted anew, in a scratch folder, on the very
    panel of the record, in a process that can read no outcome, and the two runs are compared.

    The verdict is one of four. identical: the same figures and evidence, to the last digit kept. reproduces: the new
    perplexity lies in the record's 95% interval, and on the same persons the two cannot be told apart (the 95% interval
    of their paired difference holds zero) or differ by at most a tenth of half the record's interval. within its
    interval: the first alone holds, so the level stands, but no rank that rests on less than the difference. does not
    reproduce: neither, or the two do not count the same transitions. The exit status is 1 for the last, 0 for the
    others, 2 where the request cannot be run.

    A submission is scored again from --file, which must be the file that it was; a mix is made again from the
    predictions of its runs in the cache.
    """
    registry: Registry = context.obj
    known = record_named(record, records)
    if wrong := contradictions(known, registry.all_metrics):
        _tell_contradictions(known, wrong, as_json)
        raise typer.Exit(1)
    panel = None
    if data is not None or column or occupations is not None:
        kept = known.configuration.panel.name if data is None else data
        panel = PanelRequest(data=kept, columns=pairs(column or []), occupations=occupations)
    sources = _Sources(panel, train_also or [], pretrain, file)
    with tempfile.TemporaryDirectory(prefix="harness-verify-") as scratch:
        bench = _Scratch(registry, records, scratch=Path(scratch), progress=context.meta[PROGRESS], isolated=isolated)
        found = compare(known, _again(known, sources, device, bench))
    _tell(known, found, as_json)
    if not found.holds:
        raise typer.Exit(1)


def _again(record: Record, sources: _Sources, device: str, bench: _Scratch) -> Record:
    if sources.file is not None and not is_submitted(record):
        raise RequestError(f"--file {sources.file}: {record.id} ({label(record)}) was run here, and not submitted")
    if record.configuration.model == MIX:
        return _mixed(record, bench)
    if is_submitted(record):
        return _submitted(record, sources, bench)
    bench.registry.model(record.configuration.model)  # a name that nothing here has, before panels are read
    panel = reopen(record.configuration.panel, bench.registry, bench.progress, sources.panel)
    learned = _learned(record, panel, sources, bench)
    needs = bench.registry.model(record.configuration.model).item.needs
    run = run_of(record, bench.registry, panel=panel, device=resolve_device(device, needs), learned=learned)
    [again] = execute(run, bench.workshop(_places(record, sources, bench)))
    return again


def _places(record: Record, sources: _Sources, bench: _Scratch) -> list[str]:
    """All that a verification reads careers from."""
    main = opened_by(record.configuration.panel, bench.registry).source if sources.panel is None else sources.panel.data
    return [main, *sources.also, *([sources.pretrain] if sources.pretrain else [])]


def _learned(record: Record, panel: Panel, sources: _Sources, bench: _Scratch) -> tuple[Panel | Corpus, ...]:
    """The further panels that the model learned from, in the record's order."""
    asked = record.configuration
    wanted = [("--train-also", facts) for facts in asked.train_also]
    wanted += [("--pretrain", asked.pretrain)] if asked.pretrain else []
    given = {"--train-also": list(sources.also), "--pretrain": [sources.pretrain] if sources.pretrain else []}
    found = []
    for option, facts in wanted:
        places: Sequence[str] = given[option] or [opened_by(facts, bench.registry).source]
        opened = [careers_at(place, panel, bench.registry) for place in places]
        same = next((other for other in opened if other.fingerprint() == facts.fingerprint), opened[0])
        require_same(same, facts, f"{option} {places[opened.index(same)]}")
        found.append(same)
    return tuple(found)


def _submitted(record: Record, sources: _Sources, bench: _Scratch) -> Record:
    file = require_file(record, sources.file)
    require_its_file(record, file)  # before the minutes that a panel may take
    panel = reopen(record.configuration.panel, bench.registry, bench.progress, sources.panel)
    return scored_again(record, file, panel, bench.workshop())


def _mixed(record: Record, bench: _Scratch) -> Record:
    """A mix from what its runs said. RequestError, with the lines that bring it back, where that is not here."""
    every = {other.id: other for other in existing_store(bench.records).all()}
    asked = record.configuration.parameters
    absent = [run for run in asked["runs"] if run not in every]
    if absent:
        raise RequestError(
            f"{record.id} is a mix of runs whose records are not in {bench.records}: {', '.join(absent)}; "
            "--records names another folder"
        )
    parts = [every[run] for run in asked["runs"]]
    lost = [part for part in parts if not probabilities.path_of(cache_folder(), part.id).exists()]
    if lost:
        lines = [command(part, bench.registry, bench.records) for part in lost[:MOST_LINES]]
        more = [f"and so {len(lost) - MOST_LINES} more"] if len(lost) > MOST_LINES else []
        raise RequestError(
            f"{record.id} is a mix, and this machine lacks the probabilities of {len(lost)} of its {len(parts)} runs; "
            f"run first, with the code that made them: {'; '.join(lines + more)}"
        )
    cache = bench.scratch / "cache"
    for part in parts:
        kept = probabilities.path_of(cache, part.id)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.symlink_to(probabilities.path_of(cache_folder(), part.id).resolve())
    return mix_runs(parts, cache, asked["of"] == "board", bench.registry.all_metrics)


def _tell_contradictions(record: Record, wrong: Differing, as_json: bool) -> None:
    if as_json:
        content = {key: {"record": said, "evidence": computed} for key, (said, computed) in wrong.items()}
        console.emit_json({"run": record.id, "verdict": "does not reproduce", "contradictions": content})
        return
    told = "; ".join(
        f"{key} {_number(said)}, by its evidence {_number(computed)}" for key, (said, computed) in wrong.items()
    )
    console.result(f"{_title(record)}: does not reproduce\n  its figures are not those of its own evidence: {told}")


def _tell(record: Record, found: Verification, as_json: bool) -> None:
    if as_json:
        console.emit_json({"run": record.id, "model": label(record), **_json(found)})
        return
    p, d = found.perplexity, found.difference
    lines = [
        f"{_title(record)}: {found.verdict}",
        f"  perplexity of the record {_number(p.value)} {_interval(p, _number)}, now {_number(found.again)}",
    ]
    if d is None:
        lines.append("  the two do not count the same transitions at risk")
    else:
        lines.append(
            f"  on the same persons {d.value:+.6f} nats per transition {_interval(d, '{:+.6f}'.format)}"
            + (f"; up to {found.negligible:.6f} counts as none" if d.has_error else "")
        )
    if found.said:
        told = "; ".join(f"{name} {was}, and the run {now}" for name, (was, now) in found.said.items())
        lines.append(f"  the record says: {told}")
    if found.figures:
        told = "; ".join(f"{key} {_number(was)} -> {_number(now)}" for key, (was, now) in found.figures.items())
        lines.append(f"  figures: {told}")
    elif found.verdict != "identical" and d is not None and not found.said:
        lines.append("  figures: the same; the sums by person or the slices behind them are not")
    changed = "; ".join(f"{name} {was} -> {now}" for name, (was, now) in found.changed.items())
    lines.append(f"  changed: {changed or 'neither code, libraries nor machine'}")
    console.result("\n".join(lines))


def _interval(estimate: Estimate, text: Callable[[float], str]) -> str:
    return bracketed(estimate, text) if estimate.has_error else "(one person alone: no interval)"


def _title(record: Record) -> str:
    asked = record.configuration
    return f"{label(record)} on {asked.task} of {asked.panel.name} ({record.id})"


def _json(found: Verification) -> dict[str, Any]:
    content = asdict(found)
    for part in ("figures", "changed", "said"):
        content[part] = {name: {"record": was, "again": now} for name, (was, now) in content[part].items()}
    return content


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
