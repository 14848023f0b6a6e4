"""The card of a run as Markdown, and as JSON-able data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic_core import to_jsonable_python

from harness.boards.card import Card
from harness.boards.compare import SliceDifference
from harness.boards.views import Level, Slice
from harness.panel import time
from harness.records.kinds import MIX, in_a_line, is_submitted
from harness.records.record import Configuration, PanelFacts, Record
from harness.render.boards.markdown import bullets, escape, pipes
from harness.render.boards.table import rank_cell
from harness.render.card import figures as card_figures
from harness.render.card.limits import limits
from harness.system.words import counted

ELSEWHERE_SAID = {  # facts that the page says in words of its own
    "base",
    "cautions",
    "parameters_trained",
    "parts",
    "records_unseen",
    "submitted",
    "train_persons",
    "transitions_cut_short",
    "fitted_without_weights",
    "unchecked_parts",
    "weights",
}


def render(card: Card) -> str:
    """Markdown, every name escaped."""
    asked = card.record.configuration
    lines = [f"# {escape(card.label)}: {escape(asked.task)} on {escape(asked.panel.name)}", "", _headline(card), ""]
    parts = (
        ("Model", _model),
        ("Data", _data),
        ("Figures", card_figures.figures),
        ("The same fit elsewhere", card_figures.elsewhere),
        ("Calibration", card_figures.calibration),
        ("For whom", card_figures.slices),
        ("Learning curve", card_figures.curve),
        ("Memorisation", card_figures.memorisation),
        ("Cost", _cost),
        ("Provenance", _provenance),
        ("Limits", lambda of: bullets(limits(of))),
    )
    for title, part in parts:
        content = list(part(card))
        if content:
            lines += [f"## {title}", "", *content, ""]
    return "\n".join(lines)


def plain(card: Card) -> dict[str, Any]:
    """All of the card; floats to ten significant digits. The record without its evidence."""
    record = card.record.model_dump(mode="json", exclude={"evidence", "slices"})
    model, dataset = card.installed.model, card.installed.dataset
    return {
        "record": record,
        "label": card.label,
        "model": None if model is None else {"summary": model.item.summary, "cite": model.item.cite},
        "dataset": None
        if dataset is None
        else {name: getattr(dataset, name) for name in ("summary", "cite", "license")},
        "code_is_here": card.code_is_here,
        "command": card.installed.command,
        "place": to_jsonable_python(card.place),
        "intervals": to_jsonable_python(card.intervals),
        "elsewhere": to_jsonable_python(card.related),
        "reliability": to_jsonable_python(card.reliability),
        "slices": [_plain_level(part, level) for part in card.slices for level in part.levels],
        "behind": to_jsonable_python(card.behind),
        "regret": to_jsonable_python([_regret(level) for level in card.regret]),
        "learning_curve": to_jsonable_python(card.curve),
        **({} if card.memorisation is None else {"memorisation": to_jsonable_python(card.memorisation)}),
        "limits": limits(card),
    }


def _regret(level: SliceDifference) -> SliceDifference:
    """With the sign that boards have it: how far below the truth, so above zero."""
    gap = level.difference
    return replace(level, difference=None if gap is None else -gap, of_total=0.0 - level.of_total)


def _plain_level(part: Slice, level: Level) -> dict[str, Any]:
    return {
        "by": part.dimension,
        "level": level.name,
        "persons": level.persons,
        "transitions": level.transitions,
        "perplexity": to_jsonable_python(level.perplexity[0]),
    }


def _headline(card: Card) -> str:
    """The one figure, and where it stands."""
    place, level = card.place, card.intervals.get("perplexity")
    value = card.figures["perplexity"]
    figure = (
        f"**Perplexity {card_figures.interval(level)}**"
        if level is not None
        else f"**Perplexity {card_figures.plain_number(value)}**"
    )
    if place.row is None:
        return f"{figure}. Not on the board: {place.why_not}."
    if place.row.unchecked:
        return f"{figure}. Below the ranking: nobody here checked {'it' if place.row.submitted else 'all its parts'}."
    if place.row.rank is None:
        return f"{figure}. Beside the ranking: no model that others are ranked against."
    others = [escape(name) for name in place.confidence_set if name != place.row.label]
    if place.row.seeds is not None:
        figure += (
            f" with seed {card.record.configuration.seed}; the mean of its {place.row.seeds} seeds is on the board"
        )
    if place.best_record in place.row.all_records and place.of > 1:
        told = f"{', '.join(others)} cannot be told from it" if others else "all others can be told from it"
        return f"{figure}, the best of {place.of} models; at 95%, {told}."
    if place.of == 1:
        return f"{figure}, the only model on its board."
    can = "cannot" if place.row.in_confidence_set else "can"
    return f"{figure}, rank {rank_cell(place.row)} of {place.of}; at 95% it {can} be told from the best."


def _model(card: Card) -> Iterator[str]:
    record, entry = card.record, card.installed.model
    asked = record.configuration
    if asked.model == MIX:
        yield "- An ensemble of finished runs: their mean probabilities, by weights chosen on the validation split."
    elif is_submitted(record):
        yield "- Submitted: its probabilities were made elsewhere and read from a file; what made them is not recorded."
    elif entry is None:
        yield f"- `{escape(asked.model)}`, which is not installed here."
    else:
        yield f"- `{escape(asked.model)}`: {escape(entry.item.summary)}."
        if entry.item.cite:
            yield f"- Source: {escape(entry.item.cite)}."
    if base := record.facts.get("base"):
        yield f"- Base: {escape(str(base))}."
    if asked.model != MIX:
        yield from _asked(asked, is_submitted(record))
    for panel in asked.train_also:
        yield f"- Trained on the training careers of a further panel as well: {_panel(panel)}."
    if asked.pretrain is not None:
        yield f"- Learned first from {_panel(asked.pretrain)}."
    facts = {name: value for name, value in record.facts.items() if name not in ELSEWHERE_SAID}
    if facts:
        yield f"- Of the fit: {'; '.join(f'{escape(name)} {escape(_said(value))}' for name, value in facts.items())}."


def _asked(asked: Configuration, submitted: bool) -> Iterator[str]:
    if submitted:  # there was nothing to ask for but how the file is read; its hash stands with the provenance
        said = {name: value for name, value in asked.parameters.items() if name != "file_sha256" and value}
        yield f"- The file: {', '.join(f'{escape(name)} {escape(_said(value))}' for name, value in said.items())}."
        return
    changed = ", ".join(f"{escape(name)} = {escape(_said(value))}" for name, value in sorted(asked.changed.items()))
    yield f"- Asked for: {changed or 'the defaults'}; seed {asked.seed}."
    if asked.parameters:
        every = ", ".join(f"{escape(name)} {escape(_said(value))}" for name, value in asked.parameters.items())
        yield f"- All parameters: {every}."


def _panel(panel: PanelFacts) -> str:
    unit = time.unit_of(panel.source)
    every = "" if unit == "year" else f", times in {unit}s"
    return (
        f"{escape(panel.name)} ({counted(panel.persons, 'person')}, {counted(panel.records, 'record')}{every}, "
        f"{counted(panel.states, 'state')}; {panel.fingerprint[:12]})"
    )


def _data(card: Card) -> Iterator[str]:
    record, dataset = card.record, card.installed.dataset
    asked, evidence = record.configuration, record.evidence
    yield f"- Panel {_panel(asked.panel)}."
    if dataset is not None:
        cite = f" Source: {escape(dataset.cite)}." if dataset.cite else ""
        terms = f" Terms: {escape(dataset.license)}." if dataset.license else ""
        yield f"- Data set: {escape(dataset.summary)}.{cite}{terms}"
    source = ", ".join(f"{escape(name)} {escape(_said(value))}" for name, value in asked.panel.source.items())
    if source:
        yield f"- Opened as: {source}."
    if persons := asked.train_persons or record.facts.get("train_persons"):
        some = ", some of the training split" if asked.train_persons else ""
        yield f"- Fitted on {counted(persons, 'person')}{some}."
    yield (
        f"- Scored on {counted(sum(evidence.transitions), 'transition')} at risk of "
        f"{counted(len(evidence.ids), 'person')}, held out. "
        f"Outcome: {escape(record.outcomes)}."
    )


def _cost(card: Card) -> Iterator[str]:
    took, facts, row = card.record.measured, card.record.facts, card.place.row
    trained = facts.get("parameters_trained")
    fit = f"Fit {took.fit_seconds:,.1f} s, scores"
    if is_submitted(card.record):
        fit = "Fitted elsewhere; reading and scores"
    elif card.record.configuration.model == MIX:
        fit = "What its parts took is theirs; scores"
    yield (
        f"- {fit} {took.score_seconds:,.1f} s{_of_processors(card.record)}, peak memory {took.peak_memory_mb:,.0f} "
        f"MB, on {escape(took.device)} ({escape(took.platform)}, {took.cpu_count} processors)."
    )
    if trained is not None:
        yield f"- {trained:,} parameters trained."
    if row is not None and row.on_frontier:
        yield "- No row of its board is both better and quicker to fit and score."


def _of_processors(record: Record) -> str:
    """Processor seconds in brackets, where the record tells them; of a file from elsewhere, and of a mix, of scores."""
    fit, score = record.measured.fit_processor_seconds, record.measured.score_processor_seconds
    if score is None:
        return ""
    if is_submitted(record) or record.configuration.model == MIX:
        return f" ({score:,.1f} processor seconds)"
    both = f"{score:,.1f}" if fit is None else f"{fit:,.1f} and {score:,.1f}"
    return f" (processor seconds: {both})"


def _provenance(card: Card) -> Iterator[str]:
    record = card.record
    took, asked = record.measured, record.configuration
    code = {True: ", which is the code here", False: ", which is not the code here", None: ""}[card.code_is_here]
    yield f"- Record {record.id}, task version {asked.task_version}, schema {record.schema_version}."
    yield f"- Code: {escape(asked.code)}{code}."
    yield f"- Versions: {', '.join(f'{escape(name)} {escape(v)}' for name, v in took.versions.items())}."
    yield f"- Started {took.started:%Y-%m-%d %H:%M:%S} UTC, finished {took.finished:%Y-%m-%d %H:%M:%S} UTC."
    if is_submitted(record):
        yield f"- File: SHA-256 {escape(str(asked.parameters.get('file_sha256')))}."
    where = " (--data: where its files lie)" if card.installed.dataset is None else ""
    yield f"- Made again by{where}:"
    yield ""
    yield "      " + card.installed.command.replace("\n", "\n      ")
    if asked.model == MIX:
        yield ""
        yield from _parts(record.facts["parts"], record.facts["weights"])


def _parts(parts: Mapping[str, str], weights: Mapping[str, float]) -> list[str]:
    order = sorted(parts, key=lambda run: (-weights[run], run))
    return pipes(
        ("part", "record", "weight"), [(parts[run], run, f"{weights[run]:.4f}") for run in order], (True, True, False)
    )


def _said(value: Any) -> str:
    """A parameter or a fact in a line: long lists of numbers by their ends."""
    if isinstance(value, bool) or value is None:
        return "not set" if value is None else str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {_said(item)}" for name, item in value.items()) + ")"
    if isinstance(value, (list, tuple)):
        shown = [_said(item) for item in value]
        return f"{len(shown)} values from {shown[0]} to {shown[-1]}" if len(shown) > 4 else f"[{', '.join(shown)}]"
    return in_a_line(value) or "(empty)"
