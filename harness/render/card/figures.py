"""The figures of a run's card: in all, on other tasks, by probability, by slice, by training persons; as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.boards.card import Card, RelatedRun
from harness.boards.compare import SliceDifference
from harness.boards.views import FEW, Level
from harness.render.boards.markdown import escape, pipes
from harness.render.boards.table import (
    FIGURE_TITLES,
    NONE,
    bracketed,
    closed_cell,
    mass_cell,
    number,
    open_cell,
    rank_cell,
    with_error,
)
from harness.render.estimates import cell
from harness.stats.inference import Estimate

MANY = 12  # levels of a dimension beyond which its ends alone are shown
ENDS = 4  # levels at either end
FIGURE_NAMES = {
    **FIGURE_TITLES,
    "log_likelihood": "log-likelihood",
    "perplexity_open": "perplexity by the chain rule",
    "calibration_intercept": "calibration intercept",
}


def figures(card: Card) -> Iterator[str]:
    """Every figure, those that have one with an interval, and where the run stands."""
    row = card.place.row
    rows = [
        (FIGURE_NAMES.get(key, key), plain_number(value), _bracket(card.intervals.get(key)))
        for key, value in card.figures.items()
        if value is not None
    ]
    if row is not None and row.mcfadden_r2 is not None:
        rows.append(("McFadden R²", number(row.mcfadden_r2, 4), NONE))
    if row is not None and row.regret is not None:
        rows.append(("regret to the truth, nats", number(row.regret.value, 4), _bracket(row.regret)))
    if card.place.behind is not None:
        behind = card.place.behind
        rows.append((f"behind {card.place.best}, nats", f"{behind.value:+.4f}", _bracket(behind)))
    yield from pipes(("figure", "value", "95% interval"), rows, (True, False, False))
    notes = list(_notes(card))
    yield from ["", *notes] if notes else []


def _notes(card: Card) -> Iterator[str]:
    place, row = card.place, card.place.row
    if place.behind is not None:
        p = place.behind.p if place.behind.p_adjusted is None else place.behind.p_adjusted
        how = (
            "adjusted for all rows of the board (Romano and Wolf 2005)" if place.row is not None else "of this one pair"
        )
        told = NONE if p is None else cell("p", p)
        yield (
            f"- Behind {escape(str(place.best))} ({place.best_record}), the best there: log-likelihood per transition "
            f"less its, paired on persons; p {told}, {how}."
        )
    if row is not None and row.mass is not None:
        yield (
            f"- Mass inside the choice set: {mass_cell(row)}. Perplexity by the chain rule {open_cell(row)}, "
            f"renormalised {closed_cell(row)}."
        )


def elsewhere(card: Card) -> list[str]:
    """The same fit on other tasks, or scored otherwise."""
    if not card.related:
        return []
    rows = [
        (other.task, other.label, other.record, _perplexity(other.perplexity), _rank(other)) for other in card.related
    ]
    return pipes(("task", "model", "record", "perplexity", "rank"), rows, (True, True, True, False, False))


def _rank(other: RelatedRun) -> str:
    return NONE if other.row is None or other.row.rank is None else f"{rank_cell(other.row)} of {other.of}"


def calibration(card: Card) -> Iterator[str]:
    """Slope, intercept, error and the reliability table."""
    told = card.reliability
    if told is None:
        return
    of = "the event" if card.record.evidence.cells is not None else "the likeliest state"
    yield (
        f"Of {of}: slope {number(told.slope, 3)} (one is right; below, probabilities lie too far apart), intercept "
        f"{number(told.intercept, 3)}, expected calibration error {number(told.error, 4)}. Bins of equal mass:"
    )
    yield ""
    rows = [(number(one.predicted, 4), number(one.observed, 4), f"{one.counted:,.0f}") for one in told.bins]
    counted = "transitions" if card.record.evidence.weight is None else "sum of weights"
    yield from pipes(("told, on average", "happened", counted), rows, (False, False, False))


def slices(card: Card) -> Iterator[str]:
    """Perplexity by slice, and how far from the best model and from the truth."""
    if not card.slices:
        return
    behind, regret = _of_level(card.behind), _of_level(card.regret)
    headings = ["by", "level", "persons", "transitions", "perplexity"]
    headings += [f"behind {card.place.best}", "adjusted p"] if behind else []
    headings += ["regret"] if regret else []
    rows, short = [], False
    for part in card.slices:
        levels = _ends(part.levels)
        short = short or len(levels) < len(part.levels)
        for level in levels:
            which = part.dimension, level.name
            cells = [*which, f"{level.persons:,}", f"{level.transitions:,}", _perplexity(level.perplexity[0])]
            cells += [with_error(behind.get(which), 4), _p(behind.get(which))] if behind else []
            cells += [_regret(regret.get(which))] if regret else []
            rows.append(cells)
    yield from pipes(headings, rows, [i < 2 for i in range(len(headings))])
    yield ""
    yield (
        f"- ± standard errors: random groups of persons are left out in turn (Kott 2001); under {FEW} persons have "
        "none. origin: the state before. transition: what happened, which no model knows before."
    )
    if behind:
        yield f"- behind: in nats per transition there, paired; p adjusted for {len(behind)} levels (Holm 1979)."
    if regret:
        yield "- regret: how far below the true probabilities there, in nats per transition, paired."
    if short:
        yield f"- Of more than {MANY} levels, the {ENDS} of least and the {ENDS} of most perplexity; --json has all."


def _of_level(levels: Sequence[SliceDifference]) -> dict[tuple[str, str], Estimate]:
    return {(one.dimension, one.level): one.difference for one in levels if one.difference is not None}


def _regret(behind: Estimate | None) -> str:
    return NONE if behind is None else with_error(-behind, 4)


def _p(estimate: Estimate | None) -> str:
    return NONE if estimate is None or estimate.p_adjusted is None else cell("p", estimate.p_adjusted)


def _ends(levels: Sequence[Level]) -> list[Level]:
    """The levels, or the least and the most perplexing of many."""
    known = sorted(
        (level for level in levels if level.perplexity[0] is not None),
        key=lambda level: 0.0 if level.perplexity[0] is None else level.perplexity[0].value,
    )
    if len(levels) <= MANY or len(known) <= 2 * ENDS:
        return list(levels)
    return [*known[:ENDS], *known[-ENDS:]]


def curve(card: Card) -> list[str]:
    """Perplexity by training persons, where the model was run on fewer."""
    if card.curve is None or len(card.curve.points) < 2:
        return []
    here = card.record.id
    rows = [
        (f"{point.train_persons:,}" + (" (this run)" if point.record == here else ""), _perplexity(point.perplexity))
        for point in card.curve.points
    ]
    return pipes(("training persons", "perplexity"), rows, (False, False))


def plain_number(value: float | None) -> str:
    """Four decimals; one of what is a thousand or more."""
    return NONE if value is None else f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4f}"


def _perplexity(estimate: Estimate | None) -> str:
    return NONE if estimate is None else with_error(estimate, 2 if estimate.value >= 3 else 4)


def interval(estimate: Estimate) -> str:
    """Perplexity, its standard error and its interval."""
    digits = 2 if estimate.value >= 3 else 4
    return f"{_perplexity(estimate)} \\[{estimate.low:,.{digits}f}, {estimate.high:,.{digits}f}\\]"


def _bracket(estimate: Estimate | None) -> str:
    return NONE if estimate is None else bracketed(estimate, plain_number)


def memorisation(card: Card) -> Iterator[str]:
    """The model on altered careers, where that was asked for."""
    found = card.memorisation
    if found is None:
        return
    rows = [(one.name, *(with_error(part, 4) for part in (one.test, one.train, one.excess))) for one in found.lines]
    level = found.level
    yield from pipes(
        ("careers", "test", "training", "training less test"),
        [(level.name, *(with_error(part, 4) for part in (level.test, level.train, level.excess))), *rows],
        (True, False, False, False),
    )
    yield ""
    heart = ", ".join(one.name for one in found.lines if one.remembered)
    told = "No alteration costs training careers clearly more."
    if heart:
        told = f"Training careers lose clearly more ({heart}): it knows a part of them by heart."
    yield (
        f"- {found.careers} careers of either split. First line: log-likelihood per transition; below, the part of it, "
        "in nats, that is lost once the careers are altered, ± standard errors over persons. Who knows careers by "
        "heart, or is fitted to them too closely, loses more on those that it was fitted on. A large loss on test "
        f"careers alone says that the altered ones are unlikely, or that a base had read these. {told}"
    )
    yield from (f"- Left out: {escape(why)}." for why in found.left_out)
