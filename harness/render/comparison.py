"""Runs beside one another as tables of text, for a terminal and a pipe, and as JSON-able data."""

from __future__ import annotations

from collections.abc import Sequence

from harness.boards.compare import Compared, SliceDifference
from harness.boards.transitions import DifferingTransitions, TransitionDifference, TransitionKind
from harness.render.boards.sections import Section
from harness.render.boards.table import NONE, bracketed, error_text, with_error
from harness.render.estimates import cell
from harness.stats.inference import Estimate
from harness.system.words import counted

SHOWN = 12  # levels, where not one dimension is asked for
MOVE = "transition"  # the dimension that tells who stayed
SIZE = 0.05  # of an adjusted p: below it a level's difference is sure, and comes first


def runs(compared: Sequence[Compared], weights: str | None) -> Section:
    """A row a run, the first one's difference left out; ranks and adjusted p where more than two are compared."""
    first, many = compared[0], len(compared) > 2
    ranked = any(row.tied is not None for row in compared)
    headings = ["run", "model", "perplexity", "difference", "se", "95% interval", "p"]
    headings += ["adjusted p"] if many else []
    lines = []
    for row in compared:
        gap = row.difference
        cells = [row.run, row.name, _perplexity(row.perplexity), *_signed(gap, 5), _p(gap)]
        lines.append((*([_rank(row)] if ranked else []), *cells, *([_p(gap, adjusted=True)] if many else [])))
    per = "transition" if weights is None else f"transition weighted by {weights}"
    title = f"log-likelihood per {per} less that of {first.name} ({first.run}), in nats; above 0 is better"
    return Section(
        title,
        (*(["#"] if ranked else []), *headings),
        tuple(lines),
        tuple(_notes(compared, many, ranked)),
        text=3 if ranked else 2,
    )


def _notes(compared: Sequence[Compared], many: bool, ranked: bool) -> list[str]:
    made = ["adjusted p: of no difference, for all runs at once (Romano and Wolf 2005)."] if many else []
    if ranked:
        best = ", ".join(row.name for row in compared if row.in_confidence_set)
        made.append(
            f"#: ranks, among those here, that a run cannot be told from. In the confidence set at 95%: {best}."
        )
    return made


def slices(levels: Sequence[SliceDifference], whole: bool) -> Section:
    """B less A by slice. whole: all levels in their order; else those of the surest and then largest differences."""
    shown = list(levels) if whole else sorted(_distinct(levels), key=_place)[:SHOWN]
    lines = tuple(
        (
            level.dimension,
            level.level,
            f"{level.persons:,}",
            f"{level.transitions:,}",
            f"{level.share:.1%}",
            *_signed(level.difference, 4),
            _p(level.difference, adjusted=True),
            f"{level.of_total:+.5f}",
        )
        for level in shown
    )
    looked = sum(level.difference is not None for level in levels)
    notes = [
        f"adjusted p: of no difference there, for all {looked} levels that were looked at (Holm 1979).",
        "in total: the contribution of the level to the difference over all transitions, in nats per transition.",
    ]
    if len(shown) < len(levels):
        dimensions = ", ".join(dict.fromkeys(level.dimension for level in levels))
        notes.append(
            f"{len(shown)} of {len(levels)} levels, those below {SIZE} and then the largest first; --by shows all of "
            f"one dimension: {dimensions}; or, with 'all', of each."
        )
    headings = ("by", "level", "persons", "transitions", "of all", "B less A", "se", "95% interval", "adjusted p")
    return Section("B less A, for whom", (*headings, "in total"), lines, tuple(notes), text=2)


def _distinct(levels: Sequence[SliceDifference]) -> list[SliceDifference]:
    """Without those that are of the same transitions as one before: the unemployed are a status and a group."""
    return list({(level.persons, level.transitions, level.of_total): level for level in reversed(levels)}.values())[
        ::-1
    ]


def _place(level: SliceDifference) -> tuple[bool, bool, float]:
    gap = level.difference
    if gap is None:
        return True, True, 0.0
    return False, gap.p_adjusted is None or gap.p_adjusted >= SIZE, -abs(gap.value)


def moves(levels: Sequence[SliceDifference]) -> str | None:
    """A sentence on the parts of the difference from staying, moves seen in training and moves not seen there."""
    parts = [f"{level.level} {level.of_total:+.5f}" for level in levels if level.dimension == MOVE]
    return f"of the difference, in nats per transition: {', '.join(parts)}" if parts else None


def summary(found: DifferingTransitions) -> str:
    """A sentence on the number of transitions that each run gave the higher probability, and the nats they come to."""
    return (
        f"B says more of what happened at {counted(found.better, 'transition')} ({found.gained:+,.1f} nats), A at "
        f"{found.worse:,} ({found.lost:+,.1f}); together {found.total:+,.1f}"
    )


def kinds(found: DifferingTransitions, binary: bool, weighted: bool) -> Section | None:
    """The kinds of transitions that add most to the difference; None where there are none to show."""
    rows = [*found.kinds_for_other, *found.kinds_for_first]
    if not rows:
        return None
    together = sum(row.difference for row in rows)
    notes = [
        f"{len(rows)} of {found.kinds:,} kinds, {together:+,.1f} of {found.total:+,.1f} nats. P: of what happened, the "
        "mean over the kind."
    ]
    what = "outcome" if binary else "what happened"
    return Section(
        "kinds of transitions that make most of the difference, B's and then A's, in nats" + _times(weighted),
        ("origin", what, "transitions", "P of A", "P of B", "B less A"),
        tuple(_kind(row) for row in rows),
        tuple(notes),
        text=2,
    )


def _times(weighted: bool) -> str:
    return " times the weight" if weighted else ""


def _kind(row: TransitionKind) -> tuple[str, ...]:
    happened = "(stays)" if row.origin == row.outcome else row.outcome
    probabilities = probability(row.p_first), probability(row.p_other)
    return row.origin, happened, f"{row.transitions:,}", *probabilities, f"{row.difference:+.2f}"


def transitions(found: DifferingTransitions, weighted: bool) -> Section | None:
    """The single transitions on which the runs differ most; None where there are none to show."""
    rows = [*found.for_other, *found.for_first]
    if not rows:
        return None
    headings = ("person", "year", "age", "origin", "what happened", *(["weight"] if weighted else []))
    lines = tuple((*_who(row), *([f"{row.weight:.3f}"] if weighted else []), *_said(row)) for row in rows)
    note = "P: of the outcome that the task asks for. Read from this machine's cache: no record file names transitions."
    return Section(
        "transitions on which they differ most, B's and then A's, in nats" + _times(weighted),
        (*headings, "P of A", "P of B", "B less A"),
        lines,
        (note,),
        text=5,
    )


def _who(row: TransitionDifference) -> tuple[str, ...]:
    happened = "(stays)" if row.state is not None and row.origin == row.state else row.state or NONE
    return row.person, str(row.year), row.age or NONE, row.origin or NONE, happened


def _said(row: TransitionDifference) -> tuple[str, ...]:
    return probability(row.p_first), probability(row.p_other), f"{row.difference:+.2f}"


def probability(value: float) -> str:
    """Four decimals, or two significant digits of one that is smaller than a thousandth."""
    return f"{value:.4f}" if value >= 0.001 else f"{value:.1e}"


def _perplexity(estimate: Estimate) -> str:
    return with_error(estimate, 2 if estimate.value >= 3 else 4)


def _signed(estimate: Estimate | None, digits: int) -> tuple[str, str, str]:
    """The difference, its standard error, its interval."""
    if estimate is None:
        return NONE, NONE, NONE
    told = f"{{:+.{digits}f}}".format
    return told(estimate.value), error_text(estimate, digits), bracketed(estimate, told)


def _p(estimate: Estimate | None, adjusted: bool = False) -> str:
    p = None if estimate is None else estimate.p_adjusted if adjusted else estimate.p
    return NONE if p is None else cell("p", p)


def _rank(row: Compared) -> str:
    if row.tied is None:
        return NONE
    return "-".join(map(str, dict.fromkeys(row.tied)))
