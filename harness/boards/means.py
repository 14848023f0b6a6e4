"""The records of several seeds as one line: means of their figures, of what they spend, and of what they took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log
from statistics import fmean, stdev

from harness.records.record import Mass, Measured

OF_LOGARITHMS = ("perplexity", "perplexity_open")  # exponentials of a mean: so is their mean


def mean_figures(seeds: Sequence[Mapping[str, float | None]]) -> Mapping[str, float | None]:
    """The mean over seeds of every figure that all have; of one seed its figures as they are.

    Of perplexities the geometric one, which is exp of minus the mean over seeds of the log-likelihood per transition.
    """
    if len(seeds) == 1:
        return seeds[0]
    made: dict[str, float | None] = {}
    for key in seeds[0]:
        known = [value for value in (figures.get(key) for figures in seeds) if value is not None]
        if len(known) < len(seeds):
            made[key] = None
        elif key in OF_LOGARITHMS:
            made[key] = exp(fmean(map(log, known)))
        else:
            made[key] = fmean(known)
    return made


def spread(values: Sequence[float]) -> float:
    """The standard deviation of two values or more, n - 1 in its denominator."""
    return stdev(values)


def mean_mass(seeds: Sequence[Mass | None]) -> Mass | None:
    """The mean over seeds, and the mean of their errors, which bounds its own: all weighed the same transitions.

    tolerance: the widest. None where a seed has none.
    """
    known = [mass for mass in seeds if mass is not None]
    if len(known) < len(seeds):
        return None
    if len(known) == 1:
        return known[0]

    tolerances = [mass.tolerance for mass in known if mass.tolerance is not None]
    return Mass(
        mean=fmean(mass.mean for mass in known),
        standard_error=_over([mass.standard_error for mass in known]),
        transitions=known[0].transitions,
        log_mean=_over([mass.log_mean for mass in known]),
        log_error=_over([mass.log_error for mass in known]),
        tolerance=max(tolerances) if len(tolerances) == len(known) else None,
    )


def mean_cost(seeds: Sequence[Measured]) -> Measured:
    """Mean seconds, the largest memory, from the first start to the last end; else as the first seed has it.

    Processor seconds of several seeds where all have them.
    """
    if len(seeds) == 1:
        return seeds[0]
    return seeds[0].model_copy(
        update={
            "fit_seconds": fmean(one.fit_seconds for one in seeds),
            "score_seconds": fmean(one.score_seconds for one in seeds),
            "fit_processor_seconds": _over([one.fit_processor_seconds for one in seeds]),
            "score_processor_seconds": _over([one.score_processor_seconds for one in seeds]),
            "peak_memory_mb": max(one.peak_memory_mb for one in seeds),
            "started": min(one.started for one in seeds),
            "finished": max(one.finished for one in seeds),
        }
    )


def _over(values: Sequence[float | None]) -> float | None:
    """The mean; None where one of the values is none."""
    told = [value for value in values if value is not None]
    return fmean(told) if len(told) == len(values) else None


def processor_cost(cost: Measured) -> float | None:
    """Processor seconds of fit and scores; None where they are not known, and of what a GPU did, which has none."""
    fit, score = cost.fit_processor_seconds, cost.score_processor_seconds
    return None if fit is None or score is None or cost.device != "cpu" else fit + score


def cost_seconds(cost: Measured) -> float:
    """The seconds that boards compare: of processors, which say nothing of who else was there, else by the clock."""
    used = processor_cost(cost)
    return cost.fit_seconds + cost.score_seconds if used is None else used
