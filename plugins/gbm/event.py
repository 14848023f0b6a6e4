"""gbm-switch and gbm-lf-exit: trees fitted straight on the event of one binary task, on those at risk of it.

The alternative to coarsening: gbm says P(event) as the sum of the states' probabilities, whose trees were grown for
the likelihood of states; these trees are grown for that of the event alone. gbm's first step is a fit of staying, so
of switching the two differ by little more than their draws. Of leaving the labor force neither is always better: on
the test split of the NLSY97 the direct fit has an AUC of .761 and a log loss of .1704 against .753 and .1718, its
probabilities a little too far apart (calibration slope .954); on the market it has .779 and .1175 against .789 and
.1168.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import RequestError
from harness.estimation.samples import Outcomes, coarse_groups
from harness.estimation.staged import LARGEST_LOG_ODDS
from harness.estimation.transition_model import require_states
from harness.features.catalogue import FeatureTable, build
from harness.features.discrete import Discretizer
from harness.features.pairs import Inputs
from harness.model import Context, OutcomeModel, Table
from harness.model.ensemble import OutcomeEnsemble
from harness.panel import Panel
from harness.plugins.gbm.binary import Binary
from harness.plugins.gbm.params import TreeParams
from harness.plugins.gbm.question import Question
from harness.types import FloatArray, IntArray


class GbmEvent(OutcomeModel):
    """P(event | history) from boosted trees."""

    def __init__(self, params: TreeParams, question: Question) -> None:
        self.params, self.question = params, question
        self.codes: tuple[str, ...] = ()
        self.discretizer = Discretizer((), ())
        self.group: IntArray = np.zeros(0, dtype=np.int64)
        self.binary = Binary(params, question.signs)
        self.chosen: dict[str, float] = {}

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        at_risk = self.question.at_risk(train)
        if not len(at_risk):
            nobody = "nobody" if train.weight is None else "nobody of weight above zero"
            raise RequestError(
                f"{nobody} in the training split of '{train.name}' is at risk of {self.question.event}: task "
                f"'{self.question.task}' has nothing to be fitted on"
            )
        self.codes, self.group = train.occupations.codes, coarse_groups(train)
        table = build(train, at_risk)
        self.discretizer = Discretizer.fit(table, train.n_states)
        with context.progress.bar(f"gbm: {self.question.event}", None):
            samples = self._outcomes(train, table), self._outcomes(valid)
            self.binary.fit(samples, self.discretizer, self.group, context.seed)
        self.chosen = {"strength": self.binary.strength, "rounds": self.binary.trees.rounds}

    def _outcomes(self, panel: Panel, table: FeatureTable | None = None) -> Outcomes:
        """The transitions at risk and their outcomes. table: their features, where these are there already."""
        records = self.question.at_risk(panel)
        inputs, happened = (
            Inputs.of(panel, records, self.discretizer, table),
            self.question.risk.happened(panel, records),
        )
        return Outcomes.of(panel, records, inputs, happened)

    def log_event(self, panel: Panel, transitions: IntArray) -> FloatArray:
        require_states(panel, self.codes)
        log_odds = self.binary.log_odds(Inputs.of(panel, transitions, self.discretizer))
        log_odds = np.clip(log_odds, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS)
        return np.asarray(-np.logaddexp(0.0, -log_odds), dtype=np.float32)

    def save(self, folder: Path) -> None:
        np.savez(folder / "groups.npz", group=self.group)
        stored = {"codes": list(self.codes), "contexts": self.discretizer.to_json(), "chosen": self.chosen}
        (folder / "event.json").write_text(json.dumps(stored), encoding="utf-8")
        self.binary.save(folder, "event")

    def load(self, folder: Path) -> None:
        stored = json.loads((folder / "event.json").read_text(encoding="utf-8"))
        self.codes, self.chosen = tuple(stored["codes"]), stored["chosen"]
        self.discretizer = Discretizer.from_json(stored["contexts"])
        with np.load(folder / "groups.npz", allow_pickle=False) as arrays:
            self.group = arrays["group"]
        self.binary.load(folder, "event", self.discretizer, self.group)

    def facts(self) -> Mapping[str, Any]:
        return {"parameters_trained": self.binary.trees.leaves, "chosen_on_validation": self.chosen}

    def explain(self) -> Sequence[Table]:
        return [self.binary.trees.table(f"Trees of {self.question.event}", "event")] if self.codes else []


def gbm_event(params: TreeParams, question: Question) -> OutcomeModel:
    """The model of these parameters: one fit, or several whose probabilities are averaged."""
    members = [GbmEvent(params, question) for _ in range(params.members)]
    return members[0] if params.members == 1 else OutcomeEnsemble(members)
