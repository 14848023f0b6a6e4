"""Rows held against the truth where a board has it, and against the best other model that was checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.records.kinds import is_ranked, label, survey_design_of, unchecked_among
from harness.records.record import Record
from harness.stats.figures import Evidence, n_transitions
from harness.stats.plausibility import (
    LN_ODDS,
    NEARLY_SURE,
    SURE,
    certainty,
    loss_left,
    loss_of_shares,
    odds_against_truth,
    surprises_left,
)
from harness.system.words import counted

STAY = "stay"  # the level of the slice 'transition'


def held_against(records: Sequence[Record]) -> dict[str, Mapping[str, Any]]:
    """Of records, by id, the fields of their row that say what they were held against and what they passed.

    records: all of one board. The references are ranked models that say more than shares do. Of an unchecked record the
    row says so in any case; of a ranked one where it passed a limit, as a model does that knows the careers that are
    held out by a way that no check within a run can see.
    """
    apart = unchecked_among(records)
    truth = next((record for record in records if record.knows_truth), None)
    references = [record for record in records if is_ranked(record) and _says_more_than_shares(record)]
    references.sort(key=lambda record: -sum(record.evidence.log_likelihood))
    made: dict[str, Mapping[str, Any]] = {}
    for record in (record for record in records if record.id in apart):
        against = [label(one) for one in (truth, *references[:1]) if one is not None]
        passed = "; ".join(_passed(record, truth, references))
        made[record.id] = {"held_against": " and ".join(against) or None, "implausible": passed or None}
    for best in references[:1]:  # a model that is behind another is within all limits of it
        passed = "; ".join(_passed(best, truth, references[1:]))
        made |= {best.id: {"implausible": passed}} if passed else {}
    return made


def _says_more_than_shares(record: Record) -> bool:
    known = (record.slices or {}).get("transition")
    total = float(record.evidence.counted.sum())
    stays = None if known is None else sum(known[STAY].counted) / total if STAY in known else 0.0
    evidence = record.arrays()
    floor = loss_of_shares(evidence, stays, record.configuration.panel.states)
    return floor is not None and -float(evidence.log_likelihood.sum()) / total < floor


def _passed(record: Record, truth: Record | None, references: Sequence[Record]) -> Iterator[str]:
    """A clause on each limit that a record passes."""
    mine, design = record.arrays(), survey_design_of(record)
    if truth is not None and (gap := odds_against_truth(mine, truth.arrays(), design)) is not None:
        yield (
            f"it beats the true probabilities by {gap:,.1f} nats, as a forecast does by {LN_ODDS:.1f} once in a "
            "thousand times at most"
        )
    if (loss := _first(references, lambda one: loss_left(mine, one, design))) and loss[1].passed:
        yield (
            f"it leaves {loss[1].claimed:.4f} nats a transition of the {loss[1].reference:.4f} of {label(loss[0])}, "
            "the best checked model"
        )
    if (sure := _first(references, lambda one: certainty(mine, one))) and sure[1].passed:
        yield (
            f"it is sure ({SURE:g} or more) of {sure[1].sure:.1%} of the transitions and wrong in {sure[1].wrong:.2%}, "
            f"where {label(sure[0])} is nearly sure ({NEARLY_SURE:g}) of {sure[1].reference:.1%}"
        )
    if (missed := _first(references, lambda one: surprises_left(mine, one, design))) and missed[1].passed:
        mistakes = "wrongly ordered pairs of an event and none: " if mine.brier is not None else "surprises: "
        yield (
            f"{mistakes}{missed[1].claimed:.2%} in {counted(n_transitions(mine), 'transition')}, of {label(missed[0])} "
            f"{missed[1].reference:.1%}"
        )


def _first(references: Sequence[Record], held: Callable[[Evidence], Any]) -> tuple[Record, Any] | None:
    """The best reference whose evidence can be held against, and the answer; None where there is none."""
    for one in references:
        answer = held(one.arrays())
        if answer is not None:
            return one, answer
    return None
