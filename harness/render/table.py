"""The columns of a board, once, for every form that shows them to a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import exp

from harness.inference import Estimate
from harness.leaderboard import Board, Row

NONE = "–"


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, the cell of a row, and whether cells are numbers (set to the right)."""

    heading: str
    cell: Callable[[Row], str]
    number: bool = True


def number(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:.{digits}f}"


def with_error(estimate: Estimate | None, digits: int) -> str:
    if estimate is None:
        return NONE
    return f"{estimate.value:.{digits}f} ± {estimate.standard_error:.{digits}f}"


def perplexity_cell(row: Row) -> str:
    """Two decimals, and one more where perplexity is near its floor of one."""
    digits = 2 if row.perplexity.value >= 3 else 4
    return with_error(row.perplexity, digits)


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
    if mass.tolerance is None and mass.log_mean is not None and mass.log_error is not None:
        value *= exp(mass.log_mean)
        return f"≈ {value:.2f} ± {value * mass.log_error:.2f}"
    return number(value, 2 if value >= 3 else 4)


def mass_cell(row: Row) -> str:
    if row.sums_to_one:
        return "1"
    return NONE if row.mass is None else f"{row.mass.mean:.3f} ± {row.mass.standard_error:.3f}"


def _figure(key: str, digits: int) -> Callable[[Row], str]:
    return lambda row: number(row.figures.get(key), digits)


def columns(board: Board, costs: bool = True) -> list[Column]:
    """Those that at least one row can fill; costs: with what each run took."""
    rows = board.rows
    chosen = [
        Column("#", lambda r: str(r.rank)),
        Column("model", lambda r: r.label, number=False),
        Column("perplexity", perplexity_cell),
        Column("log-likelihood", _figure("log_likelihood", 1)),
    ]
    if any(r.mcfadden_r2 is not None for r in rows):
        chosen.append(Column("McFadden R²", lambda r: number(r.mcfadden_r2, 4)))
    if any(r.regret is not None for r in rows):
        chosen.append(Column("regret, nats", lambda r: with_error(r.regret, 4)))
    titles = {"top_1": "top-1", "top_5": "top-5", "auc": "AUC", "log_loss": "log loss", "brier": "Brier"}
    titles["calibration_slope"] = "calibration slope"
    if any(not r.sums_to_one for r in rows):
        chosen[3:3] = [Column("by the chain rule", open_cell), Column("renormalised", closed_cell)]
    known = {"log_likelihood", "perplexity", "perplexity_open", "calibration_intercept"}
    keys = [*titles, *sorted({key for row in rows for key in row.figures} - known - set(titles))]
    for key in keys:
        if any(r.figures.get(key) is not None for r in rows):
            chosen.append(Column(titles.get(key, key), _figure(key, 4)))
    if any(not r.sums_to_one for r in rows):
        chosen.append(Column("mass", mass_cell))
    return [*chosen, *_cost_columns()] if costs else chosen


def _cost_columns() -> list[Column]:
    return [
        Column("fit, s", lambda r: number(r.measured.fit_seconds, 1)),
        Column("score, s", lambda r: number(r.measured.score_seconds, 1)),
        Column("peak, MB", lambda r: number(r.measured.peak_memory_mb, 0)),
        Column("parameters trained", lambda r: NONE if r.parameters_trained is None else f"{r.parameters_trained:,}"),
        Column("device", lambda r: r.measured.device, number=False),
    ]


def _treatment(row: Row) -> str:
    """Whether a row's figures are those of rows that sum to one."""
    if row.mix_of is not None:
        return f"{row.label}: of what its parts said, some of which may leave probability outside the choice set."
    if row.mass is None or row.mass.tolerance is None:
        return (
            f"{row.label}: ranked by the chain rule; what renormalising would make of it is estimated from the "
            "transitions that were weighed, ± the standard error of that sample."
        )
    return (
        f"{row.label}: renormalised over the choice set at every transition, the sum of each row known to within "
        f"{row.mass.tolerance:.1g} nats and taken at its upper bound; 'by the chain rule': the perplexity before that."
    )


def _of_weights(board: Board) -> str:
    return (
        f"Weighted by `{board.weights}`, divided by its mean over all records of the panel: every figure counts a "
        "transition for the weight of its later record; one of weight zero is left out. Transitions and persons are "
        "counted as they are."
    )


def notes(board: Board) -> list[str]:
    """What a reader must know to read the table rightly, a sentence each."""
    lines = ["perplexity: exp(-log-likelihood / transitions), ± its standard error, persons resampled."]
    if board.weights is not None:
        lines = [
            _of_weights(board),
            "perplexity: exp(-log-likelihood / sum of weights), ± its standard error, persons resampled.",
        ]
    if any(r.mcfadden_r2 is not None for r in board.rows):
        lines.append("McFadden R²: 1 - log-likelihood / that of `marginal`.")
    if any(r.regret is not None for r in board.rows):
        lines.append(
            "regret: how far below the true probabilities (`oracle`), in nats per transition, paired on persons."
        )
    if any(r.figures.get("auc") is not None for r in board.rows):
        lines.append("AUC: of the event, on probabilities rounded to 1/10,000.")
    if any(r.figures.get("calibration_slope") is not None for r in board.rows):
        lines.append(
            "calibration slope: of a logit regression of the event on the log-odds of its probability; one where "
            "probabilities are as far apart as they should be, below one where they are too far."
        )
    if any(not r.sums_to_one for r in board.rows):
        lines.append(
            "mass: mean probability that a model leaves inside the choice set, ± its standard error over the "
            "transitions that were weighed; the rest it spends on what is no outcome."
        )
        lines += [_treatment(row) for row in board.rows if not row.sums_to_one]
    for row in board.rows:
        lines += _of_row(row)
    if board.superseded:
        plural = "records stand" if board.superseded > 1 else "record stands"
        lines.append(f"{board.superseded} older {plural} behind a newer one for the same request and is not shown.")
    return lines


def _of_row(row: Row) -> Iterator[str]:
    """What was done for a row that the table has no column for."""
    yield from _of_mix(row)
    if row.fitted_without_weights:
        yield f"{row.label}: fitted without the weights, each record counting one."
    if row.base:
        yield f"{row.label}: base {row.base}."
    if row.pretrained_on:
        yield f"{row.label}: pre-trained on another panel: {row.pretrained_on}."
    if row.train_also:
        yield f"{row.label}: trained on the training careers of further panels as well: {row.train_also}."
    if row.records_unseen:
        yield (
            f"{row.label}: had no room for {row.records_unseen:,} records, the oldest of their careers, at "
            f"{row.transitions_cut_short:,} of the transitions."
        )


def _of_mix(row: Row) -> Iterator[str]:
    if row.mix_of is None:
        return
    yield (
        f"{row.label}: no model but the headroom: a weighted mean of what finished runs said, its weights chosen on "
        f"the validation split ({row.mix_of}). What its parts took is not counted."
    )
    if row.mix_superseded:
        plural = "parts have" if row.mix_superseded > 1 else "part has"
        yield f"{row.label}: {row.mix_superseded} {plural} a newer record by now; 'harness mix' makes it again."
    if row.mix_without:
        yield f"{row.label}: made without {row.mix_without}."
