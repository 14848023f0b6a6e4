"""Stage three: a conditional logit (McFadden 1974) of the state within the group, on attributes of the pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.estimation.choices import PairCounts, thinned
from harness.estimation.logits import Chosen, conditional_covariance, conditional_logit
from harness.estimation.samples import FOLDS, Sample
from harness.features.pairs import PairFeatures, Pairs
from harness.plugins.mnl.attributes import Attributes, columns, names
from harness.plugins.mnl.estimates import EstimateTable, Sizes, rows_of, why_no_errors
from harness.types import FloatArray

PENALTY = 1.0


@dataclass(frozen=True)
class StateStage:
    """A fitted stage three. weights: float64 [columns]."""

    features: PairFeatures
    attributes: Attributes
    weights: FloatArray
    estimates: tuple[EstimateTable, ...]


def fit_states(counts: PairCounts, train: Sample, most: int, seed: int) -> StateStage:
    """From the switches of training, frequencies counted on other persons. most: pairs to fit on."""
    pairs, label = thinned(*counts.choices(train), most, seed)
    blank = Attributes.of(train.panel.occupations)
    features = counts.count(train)
    Z = _cross_fitted(counts, train, pairs=pairs, blank=blank, width=len(names(features)))
    row = pairs.row[pairs.begin]
    chosen = Chosen(pairs, label, Z, train.weight[row])
    fitted = conditional_logit(chosen, PENALTY)
    covariance = conditional_covariance(chosen, fitted, PENALTY, train.person[row])
    length = np.diff(np.append(pairs.begin, len(pairs)))
    equal = -float(chosen.weight @ np.log(length)) if len(length) else 0.0
    sizes = Sizes(
        weight=chosen.weight,
        person=train.person[row],
        log_likelihood=fitted.log_likelihood,
        log_null=equal,
        penalty=0.0,
        further=(
            f"ridge penalty {PENALTY:g} on every term as it is measured, in likelihood and Hessian",
            f"{len(pairs):,} pairs of a switch and a state of the group gone to",
        ),
        null="with equal shares",
        without_errors=why_no_errors(train.person[row], len(fitted.estimates)),
    )
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    explained = EstimateTable(
        stage="state",
        title="Conditional logit of the state within the destination's group",
        terms=names(features),
        outcomes=("",),
        value=rows_of(fitted.estimates[:, None]),
        error=rows_of(error[:, None]),
        notes=sizes.notes(),
    )
    counted = blank.counted(train, counts.group, counts.strengths)
    return StateStage(features, counted, fitted.estimates, (explained,) if len(length) else ())


def _cross_fitted(counts: PairCounts, train: Sample, pairs: Pairs, blank: Attributes, width: int) -> FloatArray:
    """float64 [q, width]: columns of pairs, what is counted in them counted on other persons."""
    Z, fold = np.empty((len(pairs), width)), train.fold()[pairs.row]
    for f in range(FOLDS):
        others, mine = train.others(f), fold == f
        attributes = blank.counted(others, counts.group, counts.strengths)
        Z[mine] = columns(counts.count(others), attributes, train.inputs, pairs.keep(mine))
    return Z
