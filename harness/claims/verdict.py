"""Verdicts of records on claims: paired differences of the arms, and the rule that makes one word of them.

A claim that one model surpasses every other is the intersection of as many claims as there are others: it holds only
where each difference is told from zero at its own level, which keeps the level of the whole without an adjustment
(the intersection-union test: Berger 1982, Technometrics 24(4)). That it fails somewhere is looked for among many
differences, so there p-values are adjusted for all of them at once (``Resampled.adjusted``: Romano and Wolf 2005).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.model.paper import Against, Arm, Claim
from harness.records.kinds import in_a_line, label_over_seeds
from harness.records.paired import Paired
from harness.records.record import Record
from harness.stats.inference import Estimate

LEVEL = 0.05
SUPPORTED, CONTRADICTED, UNCLEAR, UNTESTED = "supported", "contradicted", "not supported here", "not tested"

Outcome = Literal["better", "worse", "not told apart", "not run"]
Seeds = Sequence[Record]  # of one arm and task, records that differ in their seed alone
# (arm's name, task) -> the records, or a sentence that says why there are none.
Found = Mapping[tuple[str, str], Seeds | str]


@dataclass(frozen=True)
class Comparison:
    """A claim's own arm against another.

    difference: log-likelihood per transition of the claim's arm less that of the other, in nats, paired on persons;
    its p two-sided, p_adjusted for all comparisons of the claim. record: of the other, of its first seed. missing: why
    there is none. seeds: how many there are of the other, where there are several.
    """

    arm: str
    label: str
    decides: bool
    outcome: Outcome
    difference: Estimate | None = None
    record: str | None = None
    missing: str | None = None
    seeds: int | None = None


@dataclass(frozen=True)
class Verdict:
    """The verdict on one claim. label, record: of its own arm, None where that was not run.

    seeds: how many there are of that, where there are several; record is the first one's.
    """

    claim: str
    text: str
    task: str
    verdict: str
    reason: str
    label: str
    record: str | None
    comparisons: tuple[Comparison, ...]
    seeds: int | None = None


def judge(claim: Claim, found: Found) -> Verdict:
    """The verdict on a claim.

    "supported": better than all that decide. "contradicted": worse than one of them, after adjustment. "not supported
    here": neither, and some of the intervals hold zero. "not tested": something that decides was not run, and what was
    run does not speak against the claim. RequestError where records do not count the same transitions.
    """
    ours = found[claim.ours.name, claim.task]
    if isinstance(ours, str):
        untested = tuple(_not_run(other, found[other.arm.name, claim.task], None) for other in claim.against)
        return Verdict(
            claim=claim.name,
            text=claim.text,
            task=claim.task,
            verdict=UNTESTED,
            reason=f"{claim.ours.summary}: {ours}",
            label=claim.ours.summary,
            record=None,
            comparisons=untested,
        )
    comparisons = _compared(claim, ours, found)
    verdict, reason = _decided([c for c in comparisons if c.decides])
    if doubt := _sizes(claim, ours, found):
        verdict, reason = UNTESTED, doubt
    elif verdict == SUPPORTED:
        reason += _of_size_alone(claim, found)
    return Verdict(
        claim=claim.name,
        text=claim.text,
        task=claim.task,
        verdict=verdict,
        reason=reason,
        label=label_over_seeds(ours),
        record=ours[0].id,
        comparisons=comparisons,
        seeds=_several(ours),
    )


def _several(seeds: Seeds) -> int | None:
    return len(seeds) if len(seeds) > 1 else None


def _not_run(other: Against, there: Seeds | str, ours: Seeds | None) -> Comparison:
    """A comparison before its difference is known, if it ever is."""
    if isinstance(there, str):
        return Comparison(other.arm.name, other.arm.summary, other.decides, "not run", missing=there)
    named, seeds = _named(other.arm, there, ours), _several(there)
    return Comparison(other.arm.name, named, other.decides, "not run", record=there[0].id, seeds=seeds)


def _named(arm: Arm, there: Seeds, ours: Seeds | None) -> str:
    """Another model as boards call it; another arm of the same model by what is changed, as all else is the same."""
    if ours is None or there[0].configuration.model != ours[0].configuration.model:
        return label_over_seeds(there)
    mine, theirs = ours[0].configuration.parameters, there[0].configuration.parameters
    changed = [f"{name}={in_a_line(value)}" for name, value in sorted(theirs.items()) if mine.get(name) != value]
    return f"{arm.summary} ({', '.join(changed)})" if changed else arm.summary


def _compared(claim: Claim, ours: Seeds, found: Found) -> tuple[Comparison, ...]:
    theirs = {other.arm.name: found[other.arm.name, claim.task] for other in claim.against}
    records = {name: seeds for name, seeds in theirs.items() if not isinstance(seeds, str)}
    gaps = dict(zip(records, _differences(ours, list(records.values())), strict=True))
    made = []
    for other in claim.against:
        name = other.arm.name
        comparison = _not_run(other, theirs[name], ours)
        if name in gaps:
            comparison = replace(comparison, outcome=_outcome(gaps[name]), difference=gaps[name])
        made.append(comparison)
    return tuple(made)


def _differences(ours: Seeds, theirs: Sequence[Seeds]) -> list[Estimate]:
    """Of ours less each of theirs, means over seeds, on the same draws of persons; p adjusted for all of them."""
    return [-behind for behind in Paired.over_seeds([ours, *theirs]).drawn.differences(0)[1:]]


def _outcome(gap: Estimate) -> Outcome:
    """Told from zero where both the interval and p say so, which may differ by the noise of the bootstrap."""
    if gap.p is None or gap.p >= LEVEL or gap.low <= 0 <= gap.high:
        return "not told apart"
    return "better" if gap.value > 0 else "worse"


def _decided(comparisons: Sequence[Comparison]) -> tuple[str, str]:
    """The verdict and its reason, from the comparisons that decide."""
    if worse := [c for c in comparisons if c.outcome == "worse" and _holds(c.difference)]:
        return CONTRADICTED, f"worse than {_names(worse)}"
    if unclear := [c for c in comparisons if c.outcome in ("worse", "not told apart")]:
        return UNCLEAR, f"not better, by more than chance, than {_names(unclear)}"
    better = [c for c in comparisons if c.outcome == "better"]
    if absent := [c for c in comparisons if c.outcome == "not run"]:
        sorts = dict.fromkeys(c.missing for c in absent)
        reasons = "; ".join(f"{_names([c for c in absent if c.missing == why])}: {why}" for why in sorts)
        return UNTESTED, f"better than {_names(better)}, but {reasons}" if better else reasons
    return SUPPORTED, f"better than {_names(better)}"


def _holds(gap: Estimate | None) -> bool:
    """True where a difference is told from zero among all that were looked at."""
    return gap is not None and gap.p_adjusted is not None and gap.p_adjusted < LEVEL


def _names(comparisons: Sequence[Comparison]) -> str:
    return ", ".join(c.label for c in comparisons)


def _sizes(claim: Claim, ours: Seeds, found: Found) -> str | None:
    """The reason that bases are not as a claim on their sizes has them, or None."""
    other = found[claim.against[0].arm.name, claim.task]
    if not claim.by_size or isinstance(other, str):
        return None
    small, large = (seeds[0].facts.get("parameters") for seeds in (ours, other))
    if isinstance(small, int) and isinstance(large, int) and small < large:
        return None
    told = [f"{size:,}" if isinstance(size, int) else "an unknown number of" for size in (large, small)]
    return f"the larger model has {told[0]} parameters, and the smaller one {told[1]}"


def _of_size_alone(claim: Claim, found: Found) -> str:
    """A reservation on a claim that data make up for size: size gains nothing on this panel. Empty where it does."""
    if not claim.by_size:
        return ""
    larger, smaller = (found[other.arm.name, claim.task] for other in claim.against)
    if isinstance(larger, str) or isinstance(smaller, str):
        return ""
    [gap] = _differences(larger, [smaller])
    if _outcome(gap) == "better":
        return ""
    return (
        f"; but size gains nothing here: both fine-tuned on the panel alone, the larger one is at {gap.value:+.4f}"
        f"{f' ± {gap.standard_error:.4f}' if gap.has_error else ''} nats from the smaller"
    )
