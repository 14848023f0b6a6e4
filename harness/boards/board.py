"""From record files to ranked rows. Everything here is computed from the records' evidence, nothing from a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.boards.plausibility import held_against
from harness.boards.rows import Row, Standing, row_of, with_signers
from harness.boards.views import Views, views_of
from harness.errors import RequestError
from harness.panel import time
from harness.records.current import Folder, by_panel, current, over_seeds
from harness.records.kinds import CAUTIONS, is_ranked, survey_design_of, unchecked_among
from harness.records.paired import Paired, require_same_transitions
from harness.records.record import Record, RecordHead
from harness.records.store import Store
from harness.stats.confidence_set import confidence_set, ranks
from harness.stats.inference import FEW_UNITS, Estimate, Resampled
from harness.stats.resampling import SurveyDesign
from harness.system.words import counted
from harness.types import FloatArray

__all__ = ["Board", "Row", "boards", "boards_in", "boards_with"]

NULL_MODEL = "marginal"  # the constants-only model that McFadden's R2 is measured against


@dataclass(frozen=True)
class Board:
    """One panel and one task, best model first; last the rows that nobody here checked, the best of them first.

    superseded: how many records answer a question that a newer record here answers, and are not shown. strata_alone:
    how many strata of a survey's design have a single unit, and are drawn from together. few_units: how many units are
    drawn, persons or a survey's sampling units, where they are fewer than 30; None where there are enough. cautions:
    sentences on the panel that its records say and that whoever reads a figure must know.
    """

    panel: str
    folder: str
    fingerprint: str
    source: Mapping[str, Any]
    panel_persons: int
    panel_records: int
    states: int
    task: str
    task_version: int
    outcomes: str
    persons: int
    transitions: int
    rows: tuple[Row, ...]
    superseded: int = 0
    strata_alone: int = 0
    few_units: int | None = None
    cautions: tuple[str, ...] = ()
    views: Views = field(default_factory=Views)

    @property
    def size(self) -> str:
        """The panel's size in words, with the unit of its times where that is no year."""
        unit = time.unit_of(self.source)
        every = "" if unit == "year" else f", times in {unit}s"
        return f"{counted(self.panel_persons, 'person')}, {counted(self.panel_records, 'record')}{every}"

    @property
    def weights(self) -> str | None:
        """The column whose values transitions count for, in every figure; None where each counts one."""
        return self.source.get("weights")

    @property
    def checked(self) -> tuple[Row, ...]:
        """The rows of the ranking, models that compete and what stands beside them."""
        return tuple(row for row in self.rows if not row.unchecked)

    @property
    def unchecked(self) -> tuple[Row, ...]:
        """The rows below the ranking, whose probabilities nobody here checked."""
        return tuple(row for row in self.rows if row.unchecked)


def boards(records: Iterable[Record]) -> list[Board]:
    """Every board that the records make, by panel and task.

    Records are on one board when panel contents, task, and task version agree; where several answer the same question
    (same model, parameters and seed; of what was submitted, the same name) the newest stands, as does the newest mix of
    all of a board's rows. Those that differ in their seed alone make one row. RequestError where two records that claim
    the same panel and task disagree on who is at risk.
    """
    return [_board(list(group), panel.folder) for panel in by_panel(records) for group in panel.by_task()]


@dataclass(frozen=True, slots=True)
class PlannedBoard:
    """A board before its records are read.

    key: its panel's fingerprint and its task. paths: the files of the records that it shows. superseded: how many
    others there are. signers: who signed those that are signed, by id; None where that was not asked.
    """

    key: tuple[str, str]
    folder: str
    store: Store
    paths: tuple[Path, ...]
    superseded: int
    signers: Mapping[str, str] | None = None

    def made(self) -> Board:
        """The board. RequestError where a file is no record, or records disagree on who is at risk."""
        return self._of([self.store.read(path) for path in self.paths])

    def made_of_sound(self) -> tuple[Board | None, dict[Path, RequestError]]:
        """The board of the files that are records, None where none is; and the errors of the others.

        RequestError where records disagree on who is at risk.
        """
        sound, errors = [], {}
        for path in self.paths:
            try:
                sound.append(self.store.read(path))
            except RequestError as error:
                errors[path] = error
        return (self._of(sound) if sound else None), errors

    def _of(self, records: list[Record]) -> Board:
        board = _board(records, self.folder, self.superseded)
        if self.signers is None:
            return board
        return replace(board, rows=tuple(with_signers(row, self.signers) for row in board.rows))


def planned(folder: Folder, paths: Sequence[Path] | None = None) -> list[PlannedBoard]:
    """The boards of a folder of records; of the records that no board shows, the heads alone are read.

    paths: of these files alone, whole panels' as they are.
    """
    plans = []
    for panel in by_panel(folder.heads(paths)):
        for group in panel.by_task():
            shown = current(group)
            key = panel.panel.fingerprint, group[0].configuration.task
            plans.append(
                PlannedBoard(
                    key=key,
                    folder=panel.folder,
                    store=folder.store,
                    paths=tuple(map(folder.path, shown)),
                    superseded=len(group) - len(shown),
                    signers=folder.signers_of(shown),
                )
            )
    return plans


def boards_in(store: Store) -> list[Board]:
    """As ``boards`` of all records of a folder, of which those that no board shows are not read whole."""
    return [plan.made() for plan in planned(Folder(store))]


def boards_with(records: Iterable[RecordHead], store: Store) -> list[Board]:
    """The boards that these records stand on, with all others that the folder has of their panels."""
    asked = [record.configuration for record in records]
    theirs = {(of.panel.fingerprint, of.task) for of in asked}
    paths = [path for name in sorted({of.panel.name for of in asked}) for path in store.paths(name)]
    return [plan.made() for plan in planned(Folder(store), list(dict.fromkeys(paths))) if plan.key in theirs]


def _board(group: list[Record], folder: str, superseded: int = 0) -> Board:
    """superseded: how many records were left out of the group already."""
    newest = current(group)
    smaller = [record for record in newest if record.configuration.train_persons is not None]
    whole = [record for record in newest if record.configuration.train_persons is None]
    shown = sorted(whole or smaller, key=lambda r: r.id)
    require_same_transitions([*shown, *smaller])
    head, panel = shown[0], shown[0].configuration.panel
    design = survey_design_of(head)
    models = over_seeds(shown)
    standings = _standings(models)
    views = views_of([models[i] for i in standings], over_seeds(smaller))
    rows = (row_of(models[i], standing, shown) for i, standing in standings.items())
    held = held_against(shown)
    return Board(
        panel=panel.name,
        folder=folder,
        fingerprint=panel.fingerprint,
        source=panel.source,
        panel_persons=panel.persons,
        panel_records=panel.records,
        states=panel.states,
        task=head.configuration.task,
        task_version=head.configuration.task_version,
        outcomes=head.outcomes,
        persons=len(head.evidence.ids),
        transitions=sum(head.evidence.transitions),
        rows=tuple(
            replace(row, on_frontier=at in views.frontier, **held.get(row.record, {})) for at, row in enumerate(rows)
        ),
        superseded=superseded + len(group) - len(newest),
        strata_alone=0 if design is None else design.lonely,
        few_units=_few(head, design),
        cautions=tuple(dict.fromkeys(said for record in shown for said in record.facts.get(CAUTIONS, ()))),
        views=views,
    )


def _few(record: Record, design: SurveyDesign | None) -> int | None:
    units = len(record.evidence.ids) if design is None else len(np.unique(design.unit))
    return units if units < FEW_UNITS else None


def _standings(models: Sequence[Sequence[Record]]) -> dict[int, Standing]:
    """Standings of models, each the records of its seeds, by their positions, best first; all from one set of draws."""
    paired = Paired.over_seeds(models)
    records = [seeds[0] for seeds in models]
    sums, drawn = paired.log_likelihood, paired.drawn
    perplexities = drawn.perplexities()
    apart = unchecked_among(records)
    best_first = [int(i) for i in np.argsort(-drawn.mean, kind="stable")]
    checked, unchecked = ([i for i in best_first if (records[i].id in apart) == asked] for asked in (False, True))
    rivals = [i for i in checked if is_ranked(records[i])]
    behind = _behind(drawn, rivals[0], checked, unchecked) if rivals else {}
    null = _find(records, lambda r: r.configuration.model == NULL_MODEL)
    truth = _find(records, lambda r: r.knows_truth)
    regrets = None if truth is None else [-e for e in drawn.differences(truth)]
    places = _places(drawn, rivals)
    return {
        i: Standing(
            **places.get(i, {}),
            perplexity=perplexities[i],
            behind=behind.get(i),
            mcfadden_r2=None if null is None else _mcfadden_r2(sums[:, i], sums[:, null]),
            regret=None if regrets is None or i == truth else regrets[i],
            unchecked=True if i in unchecked else None,
        )
        for i in (*checked, *unchecked)
    }


def _behind(drawn: Resampled, best: int, checked: list[int], unchecked: list[int]) -> dict[int, Estimate]:
    """Differences from the best model, by position; none of its own.

    Those of unchecked rows are adjusted among themselves, so that no number of files moves the p of a model.
    """
    found: dict[int, Estimate] = {}
    for rows in (sorted(checked), [best, *unchecked]):
        among = drawn.only(rows).differences(rows.index(best))
        found |= {i: one for i, one in zip(rows, among, strict=True) if i != best}
    return found


def _places(drawn: Resampled, rivals: list[int]) -> dict[int, dict[str, Any]]:
    """Rank, ties and the model confidence set of the models that compete, best first; empty where none does."""
    if not rivals:
        return {}
    among = drawn.only(rivals)
    best = confidence_set(among)
    tied = ranks(among, best)
    return {
        i: {
            "rank": place,
            "tied": tied[place - 1],
            "in_confidence_set": bool(best.members[place - 1]),
            "confidence_p": float(best.p[place - 1]),
        }
        for place, i in enumerate(rivals, start=1)
    }


def _mcfadden_r2(model: FloatArray, null: FloatArray) -> float | None:
    """From persons' log-likelihoods; None where the null model is certain of all, as of where the movers go to between
    two states: there is nothing to be a share of.
    """
    return 1 - float(model.sum() / null.sum()) if null.any() else None


def _find(records: list[Record], wanted: Any) -> int | None:
    return next((i for i, record in enumerate(records) if wanted(record)), None)
