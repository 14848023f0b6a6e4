"""Models of transitions: their states, and their probabilities of records that no transition leads to."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from harness.errors import RequestError
from harness.features.catalogue import FeatureTable, build
from harness.features.discrete import Discretizer
from harness.features.frequencies import entry_shares
from harness.features.pairs import Inputs
from harness.model.contract import Model
from harness.panel.careers import Panel
from harness.types import FloatArray, IntArray


def require_states(panel: Panel, codes: tuple[str, ...]) -> None:
    """RequestError where a panel's states are not those that a model was fitted on."""
    if panel.occupations.codes != codes:
        raise RequestError(f"panel '{panel.name}' has other states than the panel this model was fitted on")


class TransitionModel(Model):
    """Base of models that price transitions.

    A career's first record has no origin: the state that it is in is as likely as it is frequent among first records.
    codes: the states. entry_log: float64 [K], ln P(state of a first record). Subclasses keep both.
    """

    def __init__(self) -> None:
        self.codes: tuple[str, ...] = ()
        self.entry_log: FloatArray = np.zeros(0)

    def begin_states(self, train: Panel) -> None:
        """Keep the states, and the shares of first records."""
        self.codes, self.entry_log = train.occupations.codes, np.log(entry_shares(train))

    @abstractmethod
    def log_prob_between(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        """float [n, m], as ``log_prob``, of transitions that have an origin, n > 0; there are two states or more."""

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        require_states(panel, self.codes)
        out = np.zeros(states.shape, dtype=np.float32)
        if panel.n_states == 1:
            return out
        is_entry = panel.origin(transitions) < 0
        out[is_entry] = self.entry_log[states[is_entry]]
        later = np.flatnonzero(~is_entry)
        if len(later):
            out[later] = self.log_prob_between(panel, transitions[later], states[later])
        return np.minimum(out, 0.0)


class FromOrigin(TransitionModel):
    """Base of models that price a transition from what is known at its origin.

    discretizer: as fitted on training transitions. Subclasses keep it too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.discretizer = Discretizer((), ())

    def begin(self, train: Panel) -> FeatureTable:
        """Begin a fit: keep the states, the shares of first records and the contexts.

        Returns the features of the training transitions that count, for ``Sample.of``.
        """
        table = build(train, train.counting(train.transitions))
        self.begin_states(train)
        self.discretizer = Discretizer.fit(table, train.n_states)
        return table

    @abstractmethod
    def log_prob_from(self, inputs: Inputs, states: IntArray) -> FloatArray:
        """float [n, m], as ``log_prob``, of transitions that have an origin; there are two states or more."""

    def log_prob_between(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return self.log_prob_from(Inputs.of(panel, transitions, self.discretizer), states)
