"""Remarks on a sound panel that are worth a second look: nothing here stops a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.data.checks.findings import Findings
from harness.data.checks.telling import telling
from harness.data.checks.twins import Twins, twins
from harness.panel.careers import Panel
from harness.panel.occupations import Status

WORDS_FOR_MISSING = ("NA", "N/A", "NaN", "nan", "None", "NULL", "null", ".", "-")
MOST_TWINS = 20  # pairs that are told one by one
FEW = 10  # occupations that need no groups


def remark(panel: Panel, findings: Findings) -> None:
    """Notes on covariates that give the outcome away, on careers in two splits, and on missing values in words."""
    for one in telling(panel):
        findings.note(
            panel.name,
            f"{one.text}: is this known of the person, or of the job of that same year? Then it tells a model the "
            "outcome; leave it out, or give each record the value of the one before",
            column=one.covariate,
        )
    for name, covariate in panel.covariates.items():
        for word in WORDS_FOR_MISSING:
            if word in covariate.levels:
                message = "is taken as a value like any other; leave the entry blank if it means that none is known"
                findings.note(panel.name, message, column=name, value=word)
    if _is_ungrouped(panel):
        message = (
            "every occupation is a group of its own: mnl and gbm lose their middle stage; --occupations NAME brings "
            "the groups and titles of a code list ('harness data lists' names them)"
        )
        findings.note(panel.name, message, column="occupation")
    found = twins(panel)
    for pair in found[:MOST_TWINS]:
        findings.note(panel.name, _of_pair(pair), column="person", value=pair.first)
    if len(found) > MOST_TWINS:
        findings.note(panel.name, f"{_of_splits(found)}: {MOST_TWINS} of them are told above", column="person")


def _is_ungrouped(panel: Panel) -> bool:
    states = panel.occupations
    groups = [group for group, status in zip(states.groups, states.statuses, strict=True) if status is Status.EMPLOYED]
    return FEW < len(groups) == len(set(groups))


def cautions(panel: Panel) -> tuple[str, ...]:
    """Sentences on a panel whose figures may look better than models are; they name no person."""
    return panel.once("cautions", _cautions)


def _cautions(panel: Panel) -> tuple[str, ...]:
    said = [
        f"The covariate '{one.covariate}' {one.text}, and models that use covariates are shown it there: their figures "
        "say little of a year whose covariates are still to come."
        for one in telling(panel)
    ]
    if found := twins(panel):
        said.append(f"{_of_splits(found)}: a model that learned them by heart is asked of them as if they were new.")
    return tuple(said)


def _of_pair(pair: Twins) -> str:
    plural = "s" if abs(pair.shift) > 1 else ""
    years = f", {abs(pair.shift)} year{plural} {'later' if pair.shift > 0 else 'earlier'}" if pair.shift else ""
    return (
        f"the career ({pair.splits[0]}) is that of person '{pair.second}' ({pair.splits[1]}{years}): {pair.records} of "
        f"{pair.of} records are the same, which chance does not explain; keep one of the two, or both in one split"
    )


def _of_splits(found: Sequence[Twins]) -> str:
    """'12 careers stand in two splits under two names (10 in test and train, ...)'."""
    times = Counter(" and ".join(sorted(pair.splits)) for pair in found)
    told = ", ".join(f"{count:,} in {splits}" for splits, count in sorted(times.items()))
    stand = "career stands" if len(found) == 1 else "careers stand"
    return f"{len(found):,} {stand} in two splits under two names ({told})"
