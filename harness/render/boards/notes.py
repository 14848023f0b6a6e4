"""Sentences below a board's table: what a reader must know to read it rightly."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.boards.board import Board
from harness.boards.rows import Row
from harness.stats.plausibility import LOSS_LEFT, SURPRISES_LEFT
from harness.system.words import counted

CODE = re.compile(r"`([\w.-]+)`")  # in a note: what is set as code; all else of it is text, whoever named it

OF_SIGNATURES = (
    "signed by: whose SSH key stands by the bytes of the record file, by the list that the board was made with. That "
    "its numbers are right it does not say: `harness verify` tests that."
)
OF_SEEDS = (
    "seeds: a row of several seeds is the mean over them, its perplexity exp(-mean log-likelihood); its errors and p "
    "are over persons and seeds together (crossed; intervals and p allow for few seeds by Student's t); sd: of "
    "perplexity from seed to seed. Other figures, and what a run took, are means over seeds."
)

OF_STATEMENTS = {
    "replication_code": "replication code: where whoever submitted it says that its code is; nobody here ran it.",
    "base_may_have_seen": (
        "may have been seen in pre-training: whether a pre-trained base of it may have met these careers, as whoever "
        "submitted it says."
    ),
}

OF_PROCESSORS = (
    "fit CPU: processor seconds of a run and of all processes that it started, as score CPU is; the others are by the "
    "clock."
)

OF_LIMITS = (
    "implausible: what no forecast reaches that was made without the answers. It beats the true probabilities, where "
    "these are known, by more than one forecast in a thousand does; or it leaves less than "
    f"{LOSS_LEFT:.0%} of the loss of the best checked model, or less than {SURPRISES_LEFT:.0%} of its surprises, or is "
    "sure, and right, of more than half of what that model leaves open, each by three standard errors."
)


def _treatment(row: Row) -> str:
    """A sentence that tells whether a row's figures are those of rows that sum to one."""
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


NAMED = 4  # models that a note lists by name


def notes(board: Board) -> list[str]:
    """Notes that a reader needs to read the table rightly, a sentence each."""
    rows = board.rows
    lines = [f"caution: {said}" for said in board.cautions]
    lines += [] if board.weights is None else [_of_weights(board)]
    per = "transitions" if board.weights is None else "sum of weights"
    lines.append(f"perplexity: exp(-log-likelihood / {per}), ± its standard error, {resampled(board)}.")
    lines += of_few(board)
    lines += _not_spot_checked(board)
    if any(row.seeds is not None for row in rows):
        lines.append(OF_SEEDS)
    lines += _of_ranks(board)
    lines += [said for field, said in OF_STATEMENTS.items() if any(getattr(row, field) for row in rows)]
    if any(r.mcfadden_r2 is not None for r in rows):
        lines.append("McFadden R²: 1 - log-likelihood / that of `marginal`.")
    if any(r.regret is not None for r in rows):
        lines.append(
            "regret: how far below the true probabilities (`oracle`), in nats per transition, paired on persons."
        )
    lines += _of_calibration(board)
    if any(not r.sums_to_one for r in rows):
        lines.append(
            "mass: mean probability that a model leaves inside the choice set, ± its standard error over the "
            "transitions that were weighed; the rest it spends on what is no outcome."
        )
        lines += [_treatment(row) for row in rows if not row.sums_to_one]
    if any(row.measured.score_processor_seconds is not None for row in rows):
        lines.append(OF_PROCESSORS)
    if board.unchecked:
        lines.append(OF_LIMITS)
    if any(row.signed is not None for row in rows):
        lines.append(OF_SIGNATURES)
    for row in rows:
        lines += _of_row(row)
    if board.superseded:
        older = counted(board.superseded, "older record stands", "older records stand")
        shown = "is" if board.superseded == 1 else "are"
        lines.append(f"{older} behind a newer one for the same request and {shown} not shown.")
    return lines


def _of_calibration(board: Board) -> list[str]:
    """On the AUC and on calibration, where a row has them."""
    lines = []
    if any(r.figures.get("auc") is not None for r in board.rows):
        lines.append("AUC: of the event, on probabilities rounded to 1/10,000.")
    if any(r.figures.get("calibration_slope") is not None for r in board.rows):
        of = board.views.event or "the event"
        lines.append(
            f"calibration slope: of a logit regression of {of} on the log-odds of its probability; one where "
            "probabilities are as far apart as they should be, below one where they are too far. calibration error: "
            "mean distance between probability and share, in ten bins of equal mass."
        )
    return lines


def at_risk(board: Board) -> str:
    """The size of the scored split in words."""
    transitions, persons = counted(board.transitions, "transition"), counted(board.persons, "person")
    return f"{transitions} at risk of {persons}; {counted(board.states, 'state')}"


def resampled(board: Board) -> str:
    """The units that the intervals resample, in words."""
    units, strata = board.source.get("units"), board.source.get("strata")
    what = "persons resampled" if units is None else f"sampling units (`{units}`) resampled"
    if strata is not None:
        what += f" within strata (`{strata}`)"
        if board.strata_alone:
            what += f", {board.strata_alone} strata of a single unit together"
    return what


def of_few(board: Board) -> Iterator[str]:
    """A sentence where there are few units to resample, or but one, of which nothing can be said."""
    person, persons = (
        ("person", "persons") if board.source.get("units") is None else ("sampling unit", "sampling units")
    )
    if board.few_units is None:
        return
    if board.few_units < 2:
        yield (
            f"No errors and no intervals: all transitions at risk are of one {person}, and nothing says what another "
            "one would have shown."
        )
    else:
        yield f"Few {persons}: {board.few_units} have a transition at risk; intervals from so few are too narrow."


def _not_spot_checked(board: Board) -> list[str]:
    """A sentence on the models that were run before every run made a spot check, where there are any."""
    names = [row.label for row in board.rows if row.not_spot_checked]
    if not names:
        return []
    whose = ", ".join(names) if len(names) <= NAMED else f"{len(names)} of {len(board.rows)} rows"
    return [f"not spot-checked, because an earlier version ran it: {whose}; 'harness run --force' runs it again."]


def _of_ranks(board: Board) -> Iterator[str]:
    """Sentences on the ranking of rows, and on those that cannot be told from the best."""
    if all(row.behind is None for row in board.rows):
        return
    best = [row.label for row in board.rows if row.in_confidence_set]
    if best:
        yield (
            "#: ranks that the model cannot be told from: those of the first model confidence set (Hansen, Lunde and "
            "Nason 2011) at 95% share the first ranks, those of the set without them the next. In the first: "
            f"{', '.join(best)}."
        )
    yield (
        "behind: log-likelihood per transition less that of the best model, ± its standard error, paired; p: of no "
        "difference, adjusted for all rows at once (Romano and Wolf 2005)."
    )


def _of_row(row: Row) -> Iterator[str]:
    """Sentences on a row's run that the table has no column for."""
    yield from _of_mix(row)
    if row.submitted:
        yield (
            f"{row.label}: submitted: its probabilities were made elsewhere, and nobody here checked that what made "
            "them had not read the careers that are held out, so it takes no rank; 'harness verify "
            f"{row.record} --file FILE' scores the file again."
        )
    if row.implausible:
        yield f"{row.label}: implausible: {row.implausible}."
    elif row.unchecked:
        yield f"{row.label}: {_held(row)}."
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
            f"{row.label}: had no room for {counted(row.records_unseen, 'record')}, the oldest of their careers, at "
            f"{row.transitions_cut_short:,} of the transitions."
        )


def _held(row: Row) -> str:
    if row.held_against is None:
        return "held against nothing, as no checked model here says more than how often persons stay"
    return f"held against {row.held_against}, it passes no such limit, which does not say how it was made"


def _of_mix(row: Row) -> Iterator[str]:
    if row.mix_of is None:
        return
    yield (
        f"{row.label}: no model but the headroom: a weighted mean of what finished runs said, its weights chosen on "
        f"the validation split ({row.mix_of}). What its parts took is not counted."
    )
    if row.unchecked:
        yield f"{row.label}: some of its parts were submitted, and nobody here checked them."
    if row.mix_superseded:
        parts = counted(row.mix_superseded, "part has", "parts have")
        yield f"{row.label}: {parts} a newer record by now; 'harness mix' makes it again."
    if row.mix_without:
        yield f"{row.label}: made without {row.mix_without}."
