"""Seconds to the same penalised likelihood: softmax's and mnl's multinomial logits against what else estimates one.

Real moves of the NLSY97, to its 20, 60, 120 and 480 most frequent destinations. Every method is given its loosest
tolerance that ends within ``SHORT`` nats an observation of the best that any has found; a method is left out of sizes
that would take it minutes. Seconds are of processor time, all threads together.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from helpers.timing import Benchmark
from scipy import sparse

from harness.estimation import multinomial
from harness.estimation.multinomial import ChoiceRows, Coefficients, Problem, fit
from harness.estimation.samples import Sample
from harness.features import catalogue as features
from harness.features.discrete import Discretizer
from harness.panel.careers import Panel
from harness.plugins.mnl.solve import Labelled, fit_ridge, problem
from harness.plugins.softmax.design import DesignLayout
from harness.types import FloatArray, IntArray

pytestmark = pytest.mark.slow

STATES = (20, 60, 120, 480)
ROWS, PENALTY, SHORT = 20_000, 4.0, 1e-4
TERMS = ("age", "year", "tenure", "group_tenure", "records", "spells", "distinct_states", "origin_spells")
MORE = ("records_employed", "records_studying", "records_without_work", "spells_without_work", "longest_tenure")
NEWTON, TORCH_CHOICE = 60, 120  # most states that these are asked for


@dataclass(frozen=True)
class Work:
    """X: float64 [n, d] or CSR, a constant first. y: int64 [n], every class there is."""

    X: Any
    y: IntArray

    @property
    def classes(self) -> int:
        return int(self.y.max()) + 1

    def value(self, coefficients: FloatArray) -> float:
        """The penalised log-likelihood an observation, of coefficients [d, classes] with constants unpenalised."""
        U = np.asarray(self.X @ coefficients)
        top = U.max(axis=1)
        log_sum = top + np.log(np.exp(U - top[:, None]).sum(axis=1))
        told = float((U[np.arange(len(self.y)), self.y] - log_sum).sum())
        return (told - PENALTY / 2 * float((coefficients[1:] ** 2).sum())) / len(self.y)


Method = Callable[[Work, float], FloatArray]  # (work, tolerance) -> coefficients [d, classes]


def by_softmax(work: Work, tolerance: float) -> FloatArray:
    nothing = np.zeros(0, dtype=np.int64)
    X = sparse.csr_matrix(work.X)
    choices = ChoiceRows(X, nothing, nothing, np.zeros((0, 0)), sparse.csr_matrix((work.classes, 0)))
    zeros = Coefficients.zeros(choices)
    ridge = np.full_like(zeros.alternative, PENALTY)
    ridge[0] = 0.0
    asked = Problem(choices, work.y, np.ones(len(work.y)), replace(zeros, alternative=ridge))
    return fit(asked, zeros, tolerance, 2000).coefficients.alternative


def centred(others: FloatArray) -> FloatArray:
    """[d, classes] whose rows sum to zero, from [d, classes - 1] against the first class."""
    every = np.column_stack([np.zeros(len(others)), others])
    return np.asarray(every - every.mean(axis=1, keepdims=True))


def by_mnl(work: Work, tolerance: float) -> FloatArray:
    """The stage as ``mnl`` fits it; its own stopping rule, whatever the tolerance."""
    data = Labelled(work.X, work.y, np.ones(len(work.y)))
    start = np.zeros((work.X.shape[1], work.classes - 1))
    return centred(fit_ridge(data, PENALTY, 2000, start).coefficients)


def by_newton(work: Work, tolerance: float) -> FloatArray:
    """statsmodels' default, Newton, of the same likelihood, after sixty of its lbfgs' steps: from zero it diverges."""
    model: Any = problem(Labelled(work.X, work.y, np.ones(len(work.y))), PENALTY)
    begin = np.zeros(work.X.shape[1] * (work.classes - 1))
    near = model.fit(begin, method="lbfgs", maxiter=60, disp=0, skip_hessian=True)
    start = np.ravel(near.params, order="F")
    found = model.fit(start, method="newton", maxiter=20, disp=0, tol=tolerance, skip_hessian=True)
    return centred(np.asarray(found.params).reshape(work.X.shape[1], -1, order="F"))


def by_scikit_learn(work: Work, tolerance: float) -> FloatArray:
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=1 / PENALTY, tol=tolerance, max_iter=2000).fit(work.X[:, 1:], work.y)
    return np.vstack([found.intercept_, found.coef_.T])


def by_torch_choice(work: Work, tolerance: float) -> FloatArray:
    """torch-choice's conditional logit with coefficients by item, and torch's LBFGS, the first of its optimisers."""
    import torch
    from torch_choice.data import ChoiceDataset
    from torch_choice.model import ConditionalLogitModel

    n, d = work.X.shape
    X = torch.from_numpy(np.asarray(work.X, dtype=np.float32))
    chosen = torch.from_numpy(work.y)
    data = ChoiceDataset(item_index=chosen, session_index=torch.arange(n), session_x=X, num_items=work.classes)
    model = ConditionalLogitModel(
        coef_variation_dict={"session_x": "item-full"},
        num_param_dict={"session_x": d},
        num_items=work.classes,
        weight_initialization="zero",
    )
    weights = next(iter(model.parameters()))
    best: Any = torch.optim.LBFGS(
        model.parameters(), max_iter=2000, tolerance_change=tolerance, line_search_fn="strong_wolfe"
    )

    def loss() -> Any:
        best.zero_grad()
        ridge = PENALTY / 2 * (weights[:, 1:] ** 2).sum()
        value = (model.negative_log_likelihood(data, chosen, is_train=True) + ridge) / n
        value.backward()
        return value

    best.step(loss)
    return np.asarray(weights.detach().numpy().astype(np.float64).T)


def moves(panel: Panel, states: int) -> tuple[IntArray, IntArray]:
    """Transitions of training persons that went to one of the most frequent destinations, and which: int64 [n] each."""
    t = panel.transitions
    left = t[panel.state[t] != panel.origin(t)]
    frequent = np.argsort(-np.bincount(panel.state[left], minlength=panel.n_states), kind="stable")[:states]
    place = np.full(panel.n_states, -1)
    place[frequent] = np.arange(states)
    kept = left[place[panel.state[left]] >= 0][:ROWS]
    return kept, np.unique(place[panel.state[kept]], return_inverse=True)[1]


def dense(panel: Panel, states: int) -> Work:
    """Thirteen standardised numbers, two levels of gender and a constant."""
    kept, y = moves(panel, states)
    design = features.build(panel, kept)
    X = np.nan_to_num(design.matrix((*TERMS, *MORE)))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    women = np.asarray(design["gender"] == 0, dtype=np.float64)
    return Work(np.column_stack([np.ones(len(X)), X, women]), y)


def seconds_to_the_same(work: Work, methods: Mapping[str, Method]) -> dict[str, float]:
    """Processor seconds of each method at its loosest tolerance that is not ``SHORT`` of the best."""
    best = work.value(by_softmax(work, 1e-8))
    found = {}
    for name, method in methods.items():
        for tolerance in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8):
            begun = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                coefficients = method(work, tolerance)
            spent = time.process_time() - begun
            if work.value(coefficients) > best - SHORT:
                found[name] = spent
                break
        else:
            found[name] = float("nan")
    return found


def test_growth_with_the_states(benchmark: Benchmark, survey: Panel, meter: Any) -> None:
    pytest.importorskip("torch_choice")
    train = survey.part("train")
    meter.say(f"\nprocessor seconds to within {SHORT:g} nats of the optimum, penalty {PENALTY:g}")
    found: dict[int, dict[str, float]] = {}
    for states in STATES:
        work = dense(train, states)
        methods: dict[str, Method] = {"softmax": by_softmax, "mnl": by_mnl, "scikit-learn": by_scikit_learn}
        if states <= NEWTON:
            methods["statsmodels, Newton"] = by_newton
        if states <= TORCH_CHOICE:
            methods["torch-choice"] = by_torch_choice
        found[states] = seconds_to_the_same(work, methods)
        told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in found[states].items())
        meter.say(f"{states} states, {len(work.y):,} moves, {work.X.shape[1]} terms: {told}")
    work = dense(train, 120)
    benchmark.pedantic(by_softmax, args=(work, 1e-6), rounds=2)
    benchmark.extra_info |= {f"{n} states": seconds for n, seconds in found.items()}
    assert found[20]["softmax"] < found[20]["scikit-learn"]
    assert found[60]["softmax"] < found[60]["scikit-learn"]
    assert found[60]["softmax"] < found[60]["statsmodels, Newton"]
    assert found[120]["softmax"] < found[120]["torch-choice"]


def test_the_sparse_design_of_softmax(benchmark: Benchmark, survey: Panel, meter: Any) -> None:
    train = survey.part("train").select(np.arange(1200))
    discretizer = Discretizer.fit(features.build(train, train.transitions), train.n_states)
    sample = Sample.of(train, discretizer).switchers()
    layout = DesignLayout.fit(sample.inputs, discretizer, train.occupations, 6, groups=True)
    work = Work(layout.matrix(sample.inputs), np.unique(sample.target, return_inverse=True)[1])
    found = seconds_to_the_same(work, {"softmax": by_softmax, "scikit-learn": by_scikit_learn})
    ratio = found["scikit-learn"] / found["softmax"]
    meter.say(
        f"\n{len(work.y):,} moves, {work.classes} states, {work.X.shape[1]:,} sparse terms: "
        f"{found}, {ratio:.1f} times as fast as scikit-learn"
    )
    benchmark.pedantic(by_softmax, args=(work, 1e-5), rounds=1)
    benchmark.extra_info["times faster than scikit-learn"] = round(ratio, 2)
    assert ratio > 1


def test_dense_columns_and_one_thread_a_product(
    benchmark: Benchmark, survey: Panel, meter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same climb as it was before: one sparse product, in blocks of a million cells, and a BLAS with threads."""
    train = survey.part("train").select(np.arange(400))
    discretizer = Discretizer.fit(features.build(train, train.transitions), train.n_states)
    sample = Sample.of(train, discretizer).switchers()
    layout = DesignLayout.fit(sample.inputs, discretizer, train.occupations, 6, groups=True)
    work = Work(layout.matrix(sample.inputs), np.unique(sample.target, return_inverse=True)[1])

    def before() -> FloatArray:
        with monkeypatch.context() as former:
            former.setattr(multinomial, "often_filled", lambda X: np.zeros(0, dtype=np.int64))
            former.setattr(multinomial, "one_thread_a_product", nullcontext)
            former.setattr(multinomial, "BLOCK_CELLS", 1_000_000)
            return by_softmax(work, 1e-5)

    costs = meter.in_turns({"now": (lambda: by_softmax(work, 1e-5), 1), "before": (before, 1)}, 2)
    ratio = costs["before"].cpu / costs["now"].cpu
    meter.say(
        f"\n{len(work.y):,} moves, {work.classes} states: {costs['now'].cpu:.2f} processor seconds, "
        f"{costs['before'].cpu:.2f} before: {ratio:.1f} times"
    )
    assert work.value(costs["now"].rows) == pytest.approx(work.value(costs["before"].rows), abs=1e-6)
    benchmark.pedantic(by_softmax, args=(work, 1e-5), rounds=1)
    assert ratio > 1.2


@pytest.mark.filterwarnings("ignore")  # statsmodels', of a climb that was to stop half way
def test_peers_end_at_the_same_shares(survey: Panel) -> None:
    """The methods that are timed do the same work: they give the same probabilities."""
    work = dense(survey.part("train"), 20)
    U = [np.asarray(work.X @ method(work, 1e-9)) for method in (by_softmax, by_mnl, by_newton, by_scikit_learn)]
    shares = [np.exp(u - u.max(axis=1, keepdims=True)) for u in U]
    shares = [s / s.sum(axis=1, keepdims=True) for s in shares]
    for other in shares[1:]:
        np.testing.assert_allclose(other, shares[0], atol=6e-3)
