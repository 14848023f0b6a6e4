"""A run on one page: what was run, its figures and its place, for whom it holds, and what to know before citing it.

In the spirit of Mitchell et al. (2019, "Model Cards for Model Reporting", FAT* '19): figures by group beside those of
all, each with its error, and the limits on the same page. Everything is read from record files and from what the
registry says of the model and the data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.boards.board import Board, Row, boards
from harness.boards.compare import SliceDifference, slice_differences
from harness.boards.rows import with_newer
from harness.boards.views import Curve, Reliability, Slice, reliability_of, slices_of
from harness.model.contract import ModelSpec
from harness.model.dataset import DatasetSpec
from harness.records.current import Folder
from harness.records.kinds import MIX, is_ranked, is_submitted, label, survey_design_of
from harness.records.paired import Paired, perplexity_of
from harness.records.record import Record
from harness.records.store import Store
from harness.runs.identity import code_version
from harness.runs.memorisation import MemorisationProbe
from harness.stats import inference
from harness.stats.inference import Estimate, Resampled
from harness.system.entry import Entry
from harness.types import FloatArray

MEANS = ("top_1", "top_5", "brier")  # figures that are means of what the evidence has by person


@dataclass(frozen=True)
class Installed:
    """The parts of a run that are installed on this machine, beside its record.

    model: None where it is not installed, and of what was not run by a model of the registry. dataset: None of a panel
    that was read from files. command: the line that makes the record again.
    """

    model: Entry[ModelSpec] | None
    dataset: DatasetSpec | None
    command: str


@dataclass(frozen=True, slots=True)
class BoardPlace:
    """A run's place among those of its task and panel.

    row: its line on the board; None where it has none, and why_not then says why. of: how many models are ranked there.
    best, best_record: the model in front, among those that compete. confidence_set: labels of those that cannot be told
    from it at 95%, itself included. behind: log-likelihood per transition less that of
    the best, in nats, paired; None of the best itself, and where the two are not of one version of the task or do not
    count the same transitions.
    """

    row: Row | None
    of: int
    best: str | None
    best_record: str | None
    confidence_set: tuple[str, ...]
    behind: Estimate | None
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class RelatedRun:
    """The same fit on another task, or scored otherwise. row: its line on its board, None where it has none."""

    record: str
    task: str
    label: str
    perplexity: Estimate
    row: Row | None
    of: int


@dataclass(frozen=True, slots=True)
class Card:
    """All that a page says. figures: key -> value; intervals: of those figures that have one, by key.

    slices: perplexity in each. behind, regret: how far the run is from the best model, and from the truth, in each
    (``harness.boards.compare.slice_differences``); empty of these themselves, and where there is none. code_is_here:
    True where the code of the run is the code of this machine; None where that is not known. memorisation: what its
    model makes of altered careers, where that was asked for.
    """

    record: Record
    label: str
    installed: Installed
    place: BoardPlace
    figures: Mapping[str, float | None]
    intervals: Mapping[str, Estimate]
    related: tuple[RelatedRun, ...]
    reliability: Reliability | None
    slices: tuple[Slice, ...]
    behind: tuple[SliceDifference, ...]
    regret: tuple[SliceDifference, ...]
    curve: Curve | None
    code_is_here: bool | None
    memorisation: MemorisationProbe | None = None


def card_of(record: Record, store: Store, installed: Installed) -> Card:
    """The card of a record, among all records of the folder. RequestError where one of these is damaged."""
    shelf = _PanelShelf(store, record)
    board = shelf.board(record.configuration.task)
    best = _best(board, shelf)
    place = _place(record, board, best)
    truth = next((shelf.records[row.record] for row in board.rows if row.knows_truth), None)
    named = {label(record, sizes=False), label(record, sizes=False, seeded=False)}
    return Card(
        record=record,
        label=label(record),
        installed=installed,
        place=place,
        figures=with_newer(record),
        intervals=intervals(record),
        related=_related(record, shelf, () if installed.model is None else installed.model.item.scoring_params),
        reliability=reliability_of([record]),
        slices=slices_of([[record]]),
        behind=() if best is None or place.behind is None else slice_differences(best, record),
        regret=()
        if truth is None or record.knows_truth or not _same_version(record, board)
        else slice_differences(truth, record),
        curve=next((curve for curve in board.views.curves if curve.label in named), None),
        code_is_here=_is_here(record, installed),
    )


class _PanelShelf:
    """The records of one panel, read whole where they are looked at."""

    def __init__(self, store: Store, record: Record) -> None:
        panel = record.configuration.panel
        self._folder = Folder(store)
        self.heads = [
            head
            for head in self._folder.heads(store.paths(panel.name))
            if (head.configuration.panel.name, head.configuration.panel.fingerprint) == (panel.name, panel.fingerprint)
        ]
        self._boards: dict[str, Board] = {}
        self.records: dict[str, Record] = {}

    def board(self, task: str) -> Board:
        if task not in self._boards:
            records = [self._folder.read(head) for head in self.heads if head.configuration.task == task]
            self.records |= {record.id: record for record in records}
            [self._boards[task]] = boards(records)
        return self._boards[task]


def intervals(record: Record) -> dict[str, Estimate]:
    """Of perplexity, log loss, top-1, top-5 and Brier score: person-clustered, as boards have perplexity's.

    The other figures are no functions of sums by person, and have none. Empty where a single unit has transitions.
    """
    evidence = record.arrays(*MEANS)
    columns: dict[str, FloatArray] = {"log_likelihood": np.asarray(evidence.log_likelihood, dtype=np.float64)}
    for key in MEANS:
        values = getattr(evidence, key)
        if values is not None:
            columns[key] = np.asarray(values, dtype=np.float64)
    drawn = Resampled(np.column_stack(list(columns.values())), record.evidence.counted, survey_design_of(record))
    if drawn.units < 2:
        return {}
    of = dict(zip(columns, inference.estimates(drawn.mean, drawn.means), strict=True))
    log_loss = -of.pop("log_likelihood")
    made = {"perplexity": drawn.perplexities()[0], **of}
    if "brier" in of:
        made["log_loss"] = log_loss
    return made


def _best(board: Board, shelf: _PanelShelf) -> Record | None:
    """The record of the model in front; None where none competes."""
    first = next((row for row in board.rows if row.rank == 1), None)
    return None if first is None else shelf.records[first.record]


def _place(record: Record, board: Board, best: Record | None) -> BoardPlace:
    row = next((row for row in board.rows if record.id in row.all_records), None)
    behind = None if row is None else row.behind
    if (
        row is None
        and _same_version(record, board)
        and best is not None
        and best.evidence.same_transitions(record.evidence)
    ):
        behind = Paired.of([best, record]).drawn.differences(0)[1]
    return BoardPlace(
        row=row,
        of=sum(other.rank is not None for other in board.rows),
        best=None if best is None else label(best),
        best_record=None if best is None else best.id,
        confidence_set=tuple(other.label for other in board.rows if other.in_confidence_set),
        behind=behind,
        why_not=None if row is not None else _why_not(record, board),
    )


def _same_version(record: Record, board: Board) -> bool:
    """True where its figures compare with the board's."""
    return record.configuration.task_version == board.task_version


def _why_not(record: Record, board: Board) -> str:
    asked = record.configuration
    if not _same_version(record, board):
        return f"it is of version {asked.task_version} of the task, and the board of version {board.task_version}"
    if asked.train_persons is not None:
        return "it was fitted on some of the training persons, and is a point of a learning curve"
    return "a newer record answers the same question"


def _related(record: Record, shelf: _PanelShelf, scoring_params: Sequence[str]) -> tuple[RelatedRun, ...]:
    """Nothing of what was not fitted here: a mix, a submission."""
    if record.configuration.model == MIX or is_submitted(record):
        return ()
    fit = record.configuration.fit_id(scoring_params)
    found = []
    for head in shelf.heads:
        if head.id == record.id or head.configuration.fit_id(scoring_params) != fit:
            continue
        board = shelf.board(head.configuration.task)
        other = shelf.records[head.id]
        row = next((row for row in board.rows if head.id in row.all_records), None)
        ranked = sum(one.rank is not None for one in board.rows)
        found.append(
            RelatedRun(
                record=head.id,
                task=head.configuration.task,
                label=label(other),
                perplexity=perplexity_of(other),
                row=row,
                of=ranked,
            )
        )
    return tuple(sorted(found, key=lambda other: (other.task, other.label, other.record)))


def _is_here(record: Record, installed: Installed) -> bool | None:
    if installed.model is None or not (is_ranked(record) or record.knows_truth) or is_submitted(record):
        return None
    return record.configuration.code == code_version(installed.model)
