"""One ridge multinomial logit over all states: fit, score, save, explain."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import numpy as np
from scipy.special import logsumexp

from harness.estimation.multinomial import ChoiceRows, Coefficients, ObservedChoices, PenaltyPath, log_rows
from harness.estimation.samples import Sample
from harness.estimation.transition_model import FromOrigin
from harness.features.discrete import Discretizer
from harness.features.frequencies import shares
from harness.features.pairs import Inputs
from harness.model import Context, Table, take_states
from harness.panel import Panel
from harness.plugins.softmax.design import DesignLayout, Part, indicators
from harness.plugins.softmax.params import SoftmaxParams
from harness.plugins.softmax.recall import pair_terms
from harness.plugins.softmax.tables import described
from harness.types import FloatArray, IntArray

PAIR_PENALTY = 1.0  # of weights that all states share: so much is seen of each that it hardly matters
CELLS_AT_ONCE = 20_000_000  # (transition, state) cells of whole rows: 160 MB
LEAST = -14.0  # ln P(leaving): a float32 P(stay) that is not yet one


class Softmax(FromOrigin):
    """u_k = x'(b_k + c_g(k)) + z_k'w for every state; by default but the origin, staying being a logit of its own."""

    def __init__(self, params: SoftmaxParams) -> None:
        super().__init__()
        self.params = params
        self.layout = DesignLayout((), (), ())
        self.group: IntArray = np.zeros(0, dtype=np.int64)  # [K]
        self.minor: IntArray = np.zeros(0, dtype=np.int64)  # [K]
        self.parts: dict[Part, Coefficients] = {}
        self.spare: FloatArray = np.zeros(0)  # [K], P(a state that no training transition went to); zero for others
        self.chosen: dict[str, Any] = {}

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        table = self.begin(train)
        self.group, self.minor = train.occupations.group_index()[0], train.occupations.minor_index()
        if train.n_states == 1 or not len(train.transitions):
            return
        known, held_out = Sample.of(train, self.discretizer, table), Sample.of(valid, self.discretizer)
        given = self.params
        self.layout = DesignLayout.fit(
            known.inputs, self.discretizer, occupations=train.occupations, pieces=given.pieces, groups=given.groups
        )
        parts: tuple[Part, ...] = ("states",) if given.staying == "plain" else ("staying", "states")
        with context.progress.bar("softmax", len(parts) * len(given.penalties)) as bar:
            for part in parts:
                self._fit_part(part, known, held_out, bar.advance)

    def _fit_part(self, part: Part, train: Sample, valid: Sample, done: Any) -> None:
        """Fits at falling penalties, each begun where the one before ended, until the held-out loss no longer falls."""
        if part == "states" and self.params.staying == "own":
            train, valid = train.switchers(), valid.switchers()
        if part == "states":
            self.spare = _spare(train)
        if not len(train):
            return
        known, held_out = (
            ObservedChoices(
                self._choices(part, s.inputs),
                (s.origin != s.target).astype(np.int64) if part == "staying" else s.target,
                s.weight,
            )
            for s in (train, valid)
        )
        given = self.params
        path = PenaltyPath(
            penalties=given.penalties,
            ridge=_ridge,
            tolerance=given.tolerance,
            iterations=given.iterations,
            threads=given.threads,
            done=done,
        )
        penalty, best = path.best(known, held_out)
        self.chosen |= {f"{part}_penalty": penalty, f"{part}_converged": best.converged}
        self.parts[part] = best.coefficients

    def _choices(self, part: Part, inputs: Inputs) -> ChoiceRows:
        """The alternatives of the rows of a part: to stay (0) or to leave (1); or the states."""
        nothing = np.zeros(0, dtype=np.int64)
        if part == "staying":
            X, two = self.layout.staying_matrix(inputs), np.full(2, -1)
            return ChoiceRows(X=X, row=nothing, alternative=nothing, Z=np.zeros((0, 0)), member=indicators(two, 0))
        given = self.params
        grouped = self.group if given.groups else np.full_like(self.group, -1)
        member, X = indicators(grouped, int(grouped.max()) + 1), self.layout.matrix(inputs)
        row, state, Z = pair_terms(inputs, self.minor) if given.recall else (nothing, nothing, np.zeros((0, 0)))
        return ChoiceRows(
            X=X,
            row=row,
            alternative=state,
            Z=Z,
            member=member,
            closed=inputs.origin if given.staying == "own" else None,
        )

    def _rows(self, inputs: Inputs) -> FloatArray:
        """float64 [n, K]: ln P of every state, of transitions that have an origin."""
        rows = np.full((len(inputs), len(self.group)), -np.log(max(len(self.group) - 1, 1)))  # nobody was seen to leave
        if "states" in self.parts:
            rows = log_rows(self._choices("states", inputs), self.parts["states"])
            self._give_unseen(rows, inputs)
        if "staying" in self.parts:
            staying = log_rows(self._choices("staying", inputs), self.parts["staying"])
            rows += np.maximum(staying[:, 1:], LEAST)
            rows[np.arange(len(rows)), inputs.origin] = staying[:, 0]
        return rows

    def _give_unseen(self, rows: FloatArray, inputs: Inputs) -> None:
        """Put the share of each unseen state where the regression, whose optimum is minus infinity, has its own."""
        unseen = self.spare > 0
        if not unseen.any():
            return
        share = np.tile(self.spare, (len(rows), 1))
        if self.params.staying == "own":
            share[np.arange(len(rows)), inputs.origin] = 0.0
        spared = share.sum(axis=1)
        rows[:, unseen] = -np.inf
        seen = logsumexp(rows, axis=1)
        alone = np.isneginf(seen)  # every state that is open to the row is unseen
        rows += np.where(alone, 0.0, np.log1p(-spared) - seen)[:, None]
        share /= np.where(alone, spared, 1.0)[:, None]
        with np.errstate(divide="ignore"):  # an origin that is closed
            rows[:, unseen] = np.log(share[:, unseen])

    def log_prob_from(self, inputs: Inputs, states: IntArray) -> FloatArray:
        if not self.parts:  # there was no transition to learn from
            return np.asarray(self.entry_log[states])
        out = np.empty(states.shape, dtype=np.float32)
        step = max(1, CELLS_AT_ONCE // len(self.codes))
        for start in range(0, len(inputs), step):
            rows = np.arange(start, min(start + step, len(inputs)))
            out[rows] = take_states(self._rows(inputs.take(rows)), states[rows])
        return out

    def save(self, folder: Path) -> None:
        arrays: dict[str, Any] = {
            "entry_log": self.entry_log,
            "group": self.group,
            "minor": self.minor,
            "spare": self.spare,
        }
        for part, coefficients in self.parts.items():
            arrays |= {f"{part}_{f.name}": getattr(coefficients, f.name) for f in fields(Coefficients)}
        np.savez(folder / "softmax.npz", **arrays)
        stored = {"codes": list(self.codes), "contexts": self.discretizer.to_json(), "layout": self.layout.to_json()}
        (folder / "softmax.json").write_text(json.dumps(stored | {"chosen": self.chosen}), encoding="utf-8")

    def load(self, folder: Path) -> None:
        stored = json.loads((folder / "softmax.json").read_text(encoding="utf-8"))
        self.codes, self.chosen = tuple(stored["codes"]), stored["chosen"]
        self.discretizer, self.layout = (
            Discretizer.from_json(stored["contexts"]),
            DesignLayout.from_json(stored["layout"]),
        )
        with np.load(folder / "softmax.npz", allow_pickle=False) as arrays:
            self.entry_log, self.spare = arrays["entry_log"], arrays["spare"]
            self.group, self.minor = arrays["group"], arrays["minor"]
            for part in get_args(Part):
                if f"{part}_pair" in arrays.files:
                    self.parts[part] = Coefficients(*(arrays[f"{part}_{f.name}"] for f in fields(Coefficients)))

    def facts(self) -> Mapping[str, Any]:
        trained = sum(int(np.count_nonzero(part.flat())) for part in self.parts.values())
        return {"parameters_trained": trained, "chosen_on_validation": self.chosen}

    def explain(self) -> Sequence[Table]:
        return described(self.parts, self.layout, self.chosen)


def _spare(sample: Sample) -> FloatArray:
    """float64 [K]: half a transition's share for each state that none of the sample went to, zero for the others.

    As ``mnl`` and ``gbm`` have it: whatever is unpenalised, the constants, would make such a state impossible.
    """
    n_states = sample.panel.n_states
    counts = np.bincount(sample.target, weights=sample.weight, minlength=n_states)
    return np.where(counts > 0, 0.0, shares(counts))


def _ridge(zeros: Coefficients, penalty: float) -> Coefficients:
    """The penalty of every coefficient; constants, the first of each equation, go free."""
    own, group = np.full_like(zeros.alternative, penalty), np.full_like(zeros.group, penalty)
    own[:1] = 0.0
    return Coefficients(own, group, np.full_like(zeros.pair, PAIR_PENALTY))
