"""Uncertainty of figures and of differences between models, with persons as the unit that is drawn.

A person's transitions are not independent, so persons are resampled with replacement (the cluster bootstrap: Cameron,
Gelbach and Miller 2008, section II.C); of a survey whose design is known, its sampling units, stratum by stratum. Every
model of one panel and task meets the same draws (``harness.stats.resampling``), so differences are paired. Of a model
that was fitted with several seeds the figure is the mean over them, and its error is over persons and seeds together
(``harness.stats.seeds``).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from math import isnan, nan

import numpy as np

from harness.errors import RequestError
from harness.stats.resampling import REPLICATES, SEED, SurveyDesign, resample, resampled_sums
from harness.stats.seeds import columns_of, interaction, mean_over_seeds, seed_errors, variance_beyond_persons
from harness.types import FloatArray, IntArray

__all__ = [
    "REPLICATES",
    "SEED",
    "Estimate",
    "Resampled",
    "SurveyDesign",
    "differences",
    "estimates",
    "holm",
    "perplexities",
    "perplexity",
    "resampled_sums",
]

Counts = IntArray | FloatArray

FEW_UNITS = 30  # drawn units below which percentile intervals are too narrow to go without a remark
LARGEST = 700.0  # nats whose exponential float64 holds: two seeds may say next to nothing


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A figure with its bootstrap standard error and 95% percentile interval.

    p: two-sided, of no difference from zero: the share of replicates that lie as far from the figure as the figure from
    zero, (1 + count) / (1 + replicates), so never 0. p_adjusted: adjusted for all comparisons made at once. Either may
    be None. Where a single unit could be drawn there is no error to be had: it and the interval are NaN, and p is 1
    (``has_error``).
    """

    value: float
    standard_error: float
    low: float
    high: float
    p: float | None = None
    p_adjusted: float | None = None

    @classmethod
    def without_error(cls, value: float) -> Estimate:
        """A figure of which no replicate says how much it varies."""
        return cls(value, nan, nan, nan)

    @property
    def has_error(self) -> bool:
        """True where the error is known, zero included."""
        return not isnan(self.standard_error)

    def __eq__(self, other: object) -> bool:
        """Alike in every part; two without error are alike in that."""
        return isinstance(other, Estimate) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def _parts(self) -> tuple[float | None, ...]:
        error = (self.standard_error, self.low, self.high) if self.has_error else (None,)
        return (self.value, *error, self.p, self.p_adjusted)

    def times(self, factor: float) -> Estimate:
        """The figure in another unit; factor above zero."""
        value, error, low, high = (factor * v for v in (self.value, self.standard_error, self.low, self.high))
        return replace(self, value=value, standard_error=error, low=low, high=high)

    def __neg__(self) -> Estimate:
        """The figure with the other sign, its interval turned round; never -0.0."""
        return replace(self, value=0.0 - self.value, low=0.0 - self.high, high=0.0 - self.low)


class Resampled:
    """M models on one set of draws: made once, it answers every question that a board asks.

    log_likelihood: float64 [P, C], sums by person in nats, a column a fit. transitions: int64 [P]; of a weighted panel
    float64 [P], sums of the weights that the log-likelihoods were multiplied by. model: of each column, the one of the
    M models, 0 to M - 1, that it is a fit of, with a seed of its own; each of another where left out. Replicates in
    which nothing is at risk are left out, as few persons may have. RequestError where nothing is at risk at all, or a
    value is not finite.

    mean: float64 [M], log-likelihood per transition, the mean over seeds. means: float64 [R, M], the same in every
    replicate, of persons and, where there are several, of seeds, independent from model to model. units: how
    many of the units that are drawn have a transition at risk; where one alone has, nothing varies: estimates are
    without error, and every p is 1.
    """

    def __init__(
        self,
        log_likelihood: FloatArray,
        transitions: Counts,
        design: SurveyDesign | None = None,
        replicates: int = REPLICATES,
        *,
        model: Sequence[int] | None = None,
    ) -> None:
        observed, drawn = resample(np.column_stack([log_likelihood, transitions]), replicates, design=design)
        if not observed[-1] > 0:
            raise RequestError("no transition is at risk: there is nothing to compare models on")
        drawn = drawn[drawn[:, -1] > 0]
        self.units = len(np.unique((np.arange(len(transitions)) if design is None else design.unit)[transitions > 0]))
        fits = columns_of(model, log_likelihood.shape[1])
        # Of persons alone, a column a model and last what is counted; the errors of seeds beside them.
        self._observed = np.append([mean_over_seeds(observed[own]) for own in fits], observed[-1])
        self._drawn = np.column_stack([*(mean_over_seeds(drawn[:, own]) for own in fits), drawn[:, -1]])
        self._of_seeds, self._errors = np.zeros(len(fits)), np.zeros((len(drawn), len(fits)))
        for m, own in enumerate(fits):
            if len(own) > 1:
                level, levels = observed[own] / observed[-1], drawn[:, own] / drawn[:, -1:]
                variance = variance_beyond_persons(level, float(interaction(level, levels).mean()))
                self._of_seeds[m], self._errors[:, m] = variance, seed_errors(level, variance, len(drawn))
        self.mean: FloatArray = self._observed[:-1] / self._observed[-1]
        self.means: FloatArray = self._drawn[:, :-1] / self._drawn[:, -1:] + self._errors

    def only(self, models: Sequence[int]) -> Resampled:
        """The same draws of these models alone, in the order given."""
        kept = list(models)
        made = copy(self)
        made.mean, made.means = self.mean[kept], self.means[:, kept]
        made._observed, made._drawn = self._observed[[*kept, -1]], self._drawn[:, [*kept, -1]]
        made._of_seeds, made._errors = self._of_seeds[kept], self._errors[:, kept]
        return made

    def perplexities(self) -> list[Estimate]:
        """exp(-mean) of each model.

        Computed from how far replicates are from the mean, so that the last digits of an error are those of the
        evidence, and not of a processor's exponential.
        """
        value = np.exp(-self.mean)
        if self.units < 2:
            return [Estimate.without_error(float(v)) for v in value]
        of_persons = np.expm1(self.mean - self._drawn[:, :-1] / self._drawn[:, -1:]).std(axis=0, ddof=1)
        ratio = np.expm1(np.minimum(self.mean - self.means, LARGEST))
        made = estimates(value, ratio, np.hypot(of_persons, np.sqrt(self._of_seeds)))
        return [
            Estimate(e.value, e.standard_error * e.value, e.value * (1 + e.low), e.value * (1 + e.high)) for e in made
        ]

    def differences(self, reference: int) -> list[Estimate]:
        """Of each model, log-likelihood per transition less the reference's, in nats, paired; above zero is better.

        Paired on persons; seeds of two models are drawn independently. With p and, over the comparisons with all models
        but the reference itself, ``adjusted``. The reference's own is zero, with a p of one.
        """
        gap, drawn = self._gaps(reference)
        if self.units < 2:
            return [replace(Estimate.without_error(float(v)), p=1.0, p_adjusted=1.0) for v in gap]
        of_persons = self._of_persons(reference, np.arange(len(gap))).std(axis=0, ddof=1)
        of_seeds = self._of_seeds + self._of_seeds[reference]
        of_seeds[reference] = 0.0
        p, adjusted = self._p(gap, drawn), self._adjusted(gap, drawn)
        made = estimates(gap, drawn, np.hypot(of_persons, np.sqrt(of_seeds)))
        return [
            replace(e, p=float(alone), p_adjusted=float(joint))
            for e, alone, joint in zip(made, p, adjusted, strict=True)
        ]

    def adjusted(self, reference: int) -> FloatArray:
        """float64 [M]: p-values of ``differences`` that keep the chance of any false finding at their level.

        Romano and Wolf's stepdown of the largest |t| (2005, Econometrica 73(4); its p-values as in their 2016,
        Statistics & Probability Letters 113), from the same replicates: never below the unadjusted, and no larger t has
        a larger p.
        """
        return self._adjusted(*self._gaps(reference))

    def pairwise(self) -> FloatArray:
        """float64 [M, M]: unadjusted p of no difference between every two models; one on the diagonal."""
        models = len(self.mean)
        p = np.ones((models, models))
        for i in range(models - 1):
            gap, drawn = self._gaps(i, np.arange(i + 1, models))
            p[i, i + 1 :] = p[i + 1 :, i] = self._p(gap, drawn)
        return p

    def _gaps(self, reference: int, models: IntArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Differences from the reference, [m] and [R, m]: of sums before they are divided, so that none is rounded."""
        chosen = np.arange(len(self.mean)) if models is None else models
        gap = (self._observed[chosen] - self._observed[reference]) / self._observed[-1]
        of_seeds = self._errors[:, chosen] - self._errors[:, [reference]]
        return gap, self._of_persons(reference, chosen) + of_seeds

    def _of_persons(self, reference: int, chosen: IntArray) -> FloatArray:
        """Differences in replicates of persons alone, [R, m]; in one layout, so that sums are alike to the last bit."""
        gaps = self._drawn[:, chosen] - self._drawn[:, [reference]]
        return np.ascontiguousarray(gaps / self._drawn[:, -1:])

    def _p(self, gap: FloatArray, drawn: FloatArray) -> FloatArray:
        if self.units < 2:
            return np.ones(len(gap))
        return np.asarray((1 + (np.abs(drawn - gap) >= np.abs(gap)).sum(axis=0)) / (1 + len(drawn)))

    def _adjusted(self, gap: FloatArray, drawn: FloatArray) -> FloatArray:
        if self.units < 2:
            return np.ones(len(gap))
        away = np.abs(drawn - gap)
        error = np.sqrt((away**2).mean(axis=0))
        certain = np.where(gap == 0, 0.0, np.inf)  # t where replicates never differ
        t = np.divide(np.abs(gap), error, out=certain, where=error > 0)
        t_drawn = np.divide(away, error, out=np.zeros_like(away), where=error > 0)
        order = np.argsort(t, kind="stable")  # the smallest first: the largest of it and all before are those left
        largest = np.maximum.accumulate(t_drawn[:, order], axis=1)
        stepped = (1 + (largest >= t[order]).sum(axis=0)) / (1 + len(drawn))
        p = np.empty(len(gap))
        p[order] = np.maximum.accumulate(stepped[::-1])[::-1]
        return p


def perplexity(
    log_likelihood: FloatArray, transitions: Counts, replicates: int = REPLICATES, design: SurveyDesign | None = None
) -> Estimate:
    """Perplexity per transition with its person-clustered standard error: log_likelihood [P], as ``Resampled``."""
    return perplexities(log_likelihood[:, None], transitions, replicates, design)[0]


def perplexities(
    log_likelihood: FloatArray, transitions: Counts, replicates: int = REPLICATES, design: SurveyDesign | None = None
) -> list[Estimate]:
    """As ``perplexity`` for M models at once on the same draws: log_likelihood is float64 [P, M]."""
    return Resampled(log_likelihood, transitions, design, replicates).perplexities()


def differences(
    log_likelihood: FloatArray,
    reference: FloatArray,
    transitions: Counts,
    replicates: int = REPLICATES,
    design: SurveyDesign | None = None,
) -> list[Estimate]:
    """Mean log-likelihood of each of M models less the reference's, in nats per transition, paired on persons.

    log_likelihood: float64 [P, M]. reference: float64 [P]. Positive: the model is better. With p-values, as
    ``Resampled.differences``.
    """
    models = Resampled(np.column_stack([log_likelihood, reference]), transitions, design, replicates)
    return models.differences(log_likelihood.shape[1])[:-1]


def estimates(values: FloatArray, replicates: FloatArray, error: FloatArray | None = None) -> list[Estimate]:
    """Figures (float64 [c]) with the error and the interval that their replicates (float64 [r, c]) show.

    error: float64 [c], standard errors that are known otherwise.
    """
    if error is None:
        error = replicates.std(axis=0, ddof=1)
    low, high = np.quantile(replicates, [0.025, 0.975], axis=0)
    return [
        Estimate(float(v), float(e), float(a), float(b)) for v, e, a, b in zip(values, error, low, high, strict=True)
    ]


def holm(p: FloatArray) -> FloatArray:
    """p-values [m] of m hypotheses, adjusted to keep the chance of any false finding, whatever their dependence.

    The i-th smallest times m - i + 1, no smaller than those before it and at most one (Holm 1979, "A simple
    sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6).
    """
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    made = np.empty(len(p))
    made[order] = np.minimum(stepped, 1.0)
    return made
