"""The columns of a board, once, for every form that shows them to a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, inf

from harness.boards.board import Board, Row
from harness.stats.inference import Estimate

NONE = "–"
UNCHECKED = "submitted, not checked"
UNSIGNED = "unsigned"
CODE_COLUMN = "replication code"
SEEN_COLUMN = "may have been seen in pre-training"
ALWAYS = inf


@dataclass(frozen=True, slots=True)
class BoardColumn:
    """A column of a board: its heading, the cell of a row, and how both are shown.

    number: cells are numbers, set to the right. key: the value that rows are sorted by. importance: of two columns that
    a narrow terminal has no room for, the one of less importance goes first; one of ``ALWAYS`` never goes.
    """

    heading: str
    cell: Callable[[Row], str]
    number: bool = True
    key: Callable[[Row], float | str | None] | None = None
    importance: float = 0


def number(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:.{digits}f}"


def with_error(estimate: Estimate | None, digits: int) -> str:
    """'8.18 ± 0.16'; '8.18 ± –' where there is no error to be had."""
    return NONE if estimate is None else f"{estimate.value:.{digits}f} ± {error_text(estimate, digits)}"


def error_text(estimate: Estimate, digits: int) -> str:
    """The standard error, or a dash where there is none to be had."""
    return f"{estimate.standard_error:.{digits}f}" if estimate.has_error else NONE


def bracketed(estimate: Estimate, text: Callable[[float], str]) -> str:
    """The interval, its ends as ``text`` writes them: '[7.86, 8.50]'; a dash where there is none to be had."""
    return f"[{text(estimate.low)}, {text(estimate.high)}]" if estimate.has_error else NONE


def rank_cell(row: Row) -> str:
    """The ranks that a model cannot be told from: '1-3'."""
    if row.tied is None:
        return NONE
    first, last = row.tied
    return str(first) if first == last else f"{first}-{last}"


def label_cell(row: Row) -> str:
    """The name, and of a row that must not be taken as it stands the remark on it."""
    return f"{row.label} [{mark}]" if (mark := row_mark(row)) else row.label


def row_mark(row: Row) -> str:
    """The remark that stands beside a name: nobody here checked it, no forecast could be so good; '' for any other."""
    unchecked = "" if not row.unchecked else UNCHECKED if row.submitted else f"with {UNCHECKED}"
    return ": ".join(mark for mark in (unchecked, "implausible" if row.implausible else "") if mark)


def seeds_cell(row: Row) -> str:
    """The number of seeds, and of several the standard deviation of perplexity over them: '5, sd 0.021'."""
    return "1" if row.seeds is None else f"{row.seeds}, sd {number(row.seed_spread, digits_of(row) + 1)}"


def signed_cell(row: Row) -> str:
    """Those who signed, or that nobody did; of several seeds, that some are not signed."""
    if row.signed:
        return str(row.signed_by)
    return UNSIGNED if row.signed_by is None else f"{row.signed_by}; some {UNSIGNED}"


def p_cell(row: Row) -> str:
    """The p-value of being as good as the best model, adjusted for all rows at once."""
    p = None if row.behind is None else row.behind.p_adjusted
    return NONE if p is None else f"{p:.4f}" if p >= 0.001 else "< 0.001"


def perplexity_cell(row: Row) -> str:
    """Two decimals, and one more where perplexity is near its floor of one."""
    return with_error(row.perplexity, digits_of(row))


def digits_of(row: Row) -> int:
    """Decimals of a row's perplexity."""
    return 2 if row.perplexity.value >= 3 else 4


def open_cell(row: Row) -> str:
    """Perplexity of what a model said that may leave the choice set, before rows were renormalised."""
    if row.sums_to_one:
        return NONE
    value = row.figures.get("perplexity_open") or row.perplexity.value
    return number(value, 2 if value >= 3 else 4)


def closed_cell(row: Row) -> str:
    """The same after it: known where every row was weighed, else estimated from the sample that was."""
    mass, value = row.mass, row.perplexity.value
    if row.sums_to_one or mass is None or (mass.tolerance is None and mass.log_mean is None):
        return NONE
    if mass.tolerance is None and mass.log_mean is not None:
        value *= exp(mass.log_mean)
        return f"≈ {value:.2f} ± {number(None if mass.log_error is None else value * mass.log_error, 2)}"
    return number(value, 2 if value >= 3 else 4)


def mass_cell(row: Row) -> str:
    if row.sums_to_one:
        return "1"
    return NONE if row.mass is None else f"{row.mass.mean:.3f} ± {number(row.mass.standard_error, 3)}"


def _figure(heading: str, key: str, digits: int, importance: float = 0) -> BoardColumn:
    """A figure of the record; of less importance than any other column where a plugin brings it."""
    return BoardColumn(
        heading,
        lambda row: number(row.figures.get(key), digits),
        key=lambda row: row.figures.get(key),
        importance=importance,
    )


# Figures with a column of their own: key -> heading.
FIGURE_TITLES = {
    "top_1": "top-1",
    "top_5": "top-5",
    "auc": "AUC",
    "log_loss": "log loss",
    "brier": "Brier",
    "calibration_slope": "calibration slope",
    "calibration_error": "calibration error",
}
FIGURE_IMPORTANCE = {
    "auc": 17,
    "top_1": 11,
    "top_5": 10,
    "log_loss": 9,
    "brier": 8,
    "calibration_slope": 7,
    "calibration_error": 6,
}
NO_COLUMN = {"log_likelihood", "perplexity", "perplexity_open", "calibration_intercept"}


def columns(board: Board, costs: bool = True) -> list[BoardColumn]:
    """Those that at least one row can fill; costs: with what each run took."""
    rows = board.rows
    chosen = [
        BoardColumn("#", rank_cell, key=lambda r: r.rank, importance=ALWAYS),
        BoardColumn("model", label_cell, number=False, key=lambda r: r.label, importance=ALWAYS),
        BoardColumn("perplexity", perplexity_cell, key=lambda r: r.perplexity.value, importance=ALWAYS),
        *_seed_columns(board),
        *_open_columns(board),
    ]
    if any(r.behind is not None for r in rows):
        chosen.append(
            BoardColumn(
                "behind, nats", lambda r: with_error(r.behind, 4), key=lambda r: _value(r.behind), importance=20
            )
        )
        chosen.append(
            BoardColumn("p", p_cell, key=lambda r: None if r.behind is None else r.behind.p_adjusted, importance=18)
        )
    chosen.append(_figure("log-likelihood", "log_likelihood", 1, importance=16))
    if any(r.mcfadden_r2 is not None for r in rows):
        chosen.append(
            BoardColumn("McFadden R²", lambda r: number(r.mcfadden_r2, 4), key=lambda r: r.mcfadden_r2, importance=15)
        )
    if any(r.regret is not None for r in rows):
        chosen.append(
            BoardColumn(
                "regret, nats", lambda r: with_error(r.regret, 4), key=lambda r: _value(r.regret), importance=19
            )
        )
    for key in [*FIGURE_TITLES, *sorted({key for row in rows for key in row.figures} - NO_COLUMN - set(FIGURE_TITLES))]:
        if any(r.figures.get(key) is not None for r in rows):
            chosen.append(_figure(FIGURE_TITLES.get(key, key), key, 4, FIGURE_IMPORTANCE.get(key, 0)))
    if any(not r.sums_to_one for r in rows):
        chosen.append(
            BoardColumn("mass", mass_cell, key=lambda r: None if r.mass is None else r.mass.mean, importance=12)
        )
    if any(r.signed is not None for r in rows):
        chosen.append(BoardColumn("signed by", signed_cell, number=False, key=signed_cell, importance=22))
    chosen += _stated_columns(board)
    return [*chosen, *_cost_columns(rows)] if costs else chosen


def _stated_columns(board: Board) -> list[BoardColumn]:
    """Statements of whoever submitted a row, of a board where one has some."""
    made = [
        (
            BoardColumn(CODE_COLUMN, lambda r: r.replication_code or NONE, number=False, importance=0.5),
            "replication_code",
        ),
        (
            BoardColumn(SEEN_COLUMN, lambda r: r.base_may_have_seen or NONE, number=False, importance=0.6),
            "base_may_have_seen",
        ),
    ]
    return [column for column, field in made if any(getattr(row, field) for row in board.rows)]


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value


def _seed_columns(board: Board) -> list[BoardColumn]:
    """Of a board with a row of several seeds."""
    if all(r.seeds is None for r in board.rows):
        return []
    return [BoardColumn("seeds", seeds_cell, key=lambda r: r.seed_spread, importance=21)]


def _open_columns(board: Board) -> list[BoardColumn]:
    """Of a board with models that may leave the choice set."""
    if all(r.sums_to_one for r in board.rows):
        return []
    before = BoardColumn(
        "by the chain rule",
        open_cell,
        key=lambda r: None if r.sums_to_one else r.figures.get("perplexity"),
        importance=14,
    )
    return [before, BoardColumn("renormalised", closed_cell, importance=13)]


def _fit_seconds(row: Row) -> float | None:
    """None of what was fitted elsewhere, or as the parts of an ensemble were."""
    return None if row.submitted or row.mix_of is not None else row.measured.fit_seconds


def _fit_processor_seconds(row: Row) -> float | None:
    return None if row.submitted or row.mix_of is not None else row.measured.fit_processor_seconds


def _cost_columns(rows: Sequence[Row]) -> list[BoardColumn]:
    told = [
        BoardColumn("fit, s", lambda r: number(_fit_seconds(r), 1), key=_fit_seconds, importance=5),
        BoardColumn(
            "score, s",
            lambda r: number(r.measured.score_seconds, 1),
            key=lambda r: r.measured.score_seconds,
            importance=4,
        ),
    ]
    if any(r.measured.score_processor_seconds is not None for r in rows):
        told += [
            BoardColumn(
                "fit CPU, s",
                lambda r: number(_fit_processor_seconds(r), 1),
                key=_fit_processor_seconds,
                importance=5.5,
            ),
            BoardColumn(
                "score CPU, s",
                lambda r: number(r.measured.score_processor_seconds, 1),
                key=lambda r: r.measured.score_processor_seconds,
                importance=4.5,
            ),
        ]
    return [
        *told,
        BoardColumn(
            "peak, MB",
            lambda r: number(r.measured.peak_memory_mb, 0),
            key=lambda r: r.measured.peak_memory_mb,
            importance=3,
        ),
        BoardColumn(
            "parameters trained",
            lambda r: NONE if r.parameters_trained is None else f"{r.parameters_trained:,}",
            key=lambda r: r.parameters_trained,
            importance=2,
        ),
        BoardColumn("device", lambda r: r.measured.device, number=False, key=lambda r: r.measured.device, importance=1),
    ]


def parts(board: Board) -> list[tuple[str, tuple[Row, ...]]]:
    """The tables of a board, each with its title: the ranking, which has none, and below it what nobody here checked.

    The ranking stands there without rows where no others do.
    """
    made = [("", board.checked), (f"{UNCHECKED[0].upper()}{UNCHECKED[1:]}", board.unchecked)]
    return [(title, rows) for title, rows in made if rows] or made[:1]
