"""Limits of a run, which a reader of its card must know before citing it, a sentence or two each."""

from __future__ import annotations

from collections.abc import Iterator

from harness.boards.card import Card
from harness.records.kinds import CAUTIONS, MIX, is_submitted
from harness.render.boards.table import number
from harness.stats.inference import FEW_UNITS
from harness.system.words import counted


def limits(card: Card) -> list[str]:
    """As plain text."""
    return [*_of_intervals(card), *_of_panel(card), *_of_run(card), *_of_age(card)]


def _of_intervals(card: Card) -> Iterator[str]:
    record = card.record
    source, evidence = record.configuration.panel.source, record.evidence
    units, strata = source.get("units"), source.get("strata")
    drawn = "persons" if units is None else f"sampling units ({units})"
    within = "" if strata is None else f", within strata ({strata})"
    yield (
        f"Intervals resample {drawn} of the test split{within}: what another sample of them could show. Another seed, "
        "another fit or another population is not in them."
    )
    here = len(evidence.ids) if evidence.units is None else len(set(evidence.units))
    if not card.intervals:
        yield f"All transitions are of one {'person' if units is None else 'sampling unit'}: there are no intervals."
    elif here < FEW_UNITS:
        yield f"Only {here} {drawn} have a transition at risk: intervals from so few are too narrow."
    without = {"auc": "AUC", "calibration_slope": "calibration slope, intercept and error"}
    if told := [words for name, words in without.items() if card.figures.get(name) is not None]:
        yield f"Without intervals, as they are no sums over persons: {', '.join(told)}."


def _of_panel(card: Card) -> Iterator[str]:
    record = card.record
    source = record.configuration.panel.source
    if card.installed.dataset is not None and card.installed.dataset.simulated:
        yield "The panel is simulated: figures say how well a model learns its generator, and not how people move."
    yield from record.facts.get(CAUTIONS, ())
    if weights := source.get("weights"):
        yield f"Every figure counts a transition for its weight ({weights}); transitions and persons are as they are."
    if record.facts.get("fitted_without_weights"):
        yield "The fit did not use the weights: each record counted one."


def _of_run(card: Card) -> Iterator[str]:
    record = card.record
    asked, facts = record.configuration, record.facts
    if record.knows_truth:
        yield "It is told the true probabilities of a simulated panel: a bound for models, and no model."
    if asked.model == MIX:
        yield "It gives no probabilities for a new career: it says what its parts know together."
        if card.place.row is not None and (lost := card.place.row.mix_superseded):
            yield f"{lost} of its parts {'have' if lost > 1 else 'has'} a newer record by now."
    if is_submitted(record):
        yield "The model behind the probabilities is not known here, nor whether it saw the careers that are held out."
    if card.place.row is not None and card.place.row.implausible:
        yield f"Implausible: {card.place.row.implausible}."
    if asked.train_persons:
        yield "It was fitted on some of the training persons only, as a point of a learning curve."
    if facts.get("records_unseen"):
        yield (
            f"It had no room for {counted(facts['records_unseen'], 'record')}, the oldest of their careers, at "
            f"{facts['transitions_cut_short']:,} of the transitions."
        )
    if facts.get("records_dropped"):
        yield f"In training it had no room for {counted(facts['records_dropped'], 'record')}."
    if not record.sums_to_one:
        yield _of_mass(card)


def _of_mass(card: Card) -> str:
    mass = card.record.mass
    if mass is None:
        return "Its rows may sum to less than one: probability outside the choice set counts against it."
    told = (
        f"It spends {1 - mass.mean:.4f} of its probability outside the choice set (± "
        f"{number(mass.standard_error, 4)}, from {counted(mass.transitions, 'transition')})"
    )
    if mass.tolerance is None:
        return f"{told}, which counts against it: figures are by the chain rule, not renormalised."
    return (
        f"{told}; figures are of rows that were renormalised over the choice set, to within {mass.tolerance:.1g} nats."
    )


def _of_age(card: Card) -> Iterator[str]:
    if card.record.slices is None:
        yield "The record is older than slices: run again, it also says for whom it holds."
    if card.code_is_here is False:
        yield "The code here is not the code of the run: run again, it is another record, and its figures may differ."
