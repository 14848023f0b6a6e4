"""The columns that trees of destinations see, of a (transition, alternative) pair, by the names that people read.

Numbers about the person are features of ``harness.features``, by their names there; the rest describes the alternative
and is made by ``harness.features.pairs``.
"""

from __future__ import annotations

from harness.estimation.choices import Step
from harness.features.discrete import Discretizer
from harness.features.pairs import PairFeatures
from harness.plugins.gbm.params import GbmParams
from harness.plugins.gbm.trees import TreeColumn

# Numeric features that a pair is given beside its own columns; a panel has some of them.
NUMBERS: dict[Step, tuple[str, ...]] = {
    "group": (
        "age",
        "year",
        "records",
        "distinct_states",
        "tenure",
        "group_tenure",
        "since_employed",
        "records_employed",
    ),
    "state": ("age", "year", "records", "distinct_states"),
}
# Columns of PairFeatures.names that are made of no one feature: what they say, and how the score may go with them.
OF_ALTERNATIVES: dict[str, tuple[str, int]] = {
    "held_records": ("records spent in it", 1),
    "held_spells": ("times it was taken up", 0),
    "held_since": ("years since it was held", -1),
    "log_margin": ("ln share of all switches", 0),
    "base": ("ln shrunk share of the origin's switches", 1),
    "stay_rate": ("share of stayers in it", 0),
    "same": ("is the origin's own", 0),
    "alternative": ("which it is", 0),
}


def columns(step: Step, features: PairFeatures, discretizer: Discretizer, params: GbmParams) -> list[TreeColumn]:
    """The columns of ``PairFeatures.matrix``, in order."""
    affinities = [TreeColumn(f"affinity of {name}", name) for name in features.affinities.tables]
    names = features.names(discretizer.numbers)[len(affinities) :]
    own, numbers = names[: len(OF_ALTERNATIVES)], names[len(OF_ALTERNATIVES) :]
    described = []
    for name in own:
        said, sign = OF_ALTERNATIVES[name]
        categorical = name == "alternative" and step == "group" and params.categorical
        described.append(TreeColumn(f"{step}: {said}", "", categorical, sign if params.monotone_destinations else 0))
    return [*affinities, *described, *(TreeColumn(name, name) for name in numbers)]
