"""The model confidence set against arch run plainly, and ranks with ties against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from arch.bootstrap import MCS
from helpers.arch_set import p_by_arch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.confidence_set import ConfidenceSet, confidence_set, ranks
from harness.stats.inference import Resampled, SurveyDesign


def drawn(mean: np.ndarray, transitions: np.ndarray | None = None, replicates: int = 1000) -> Resampled:
    """Models by their log-likelihoods per transition [P, M], a transition each where no others are given."""
    counted = np.ones(len(mean), dtype=int) if transitions is None else transitions
    return Resampled(mean * counted[:, None], counted, replicates=replicates)


def simulated(seed: int, persons: int, levels: list[float], spread: float = 0.2) -> np.ndarray:
    """float64 [P, M]: what persons share, and what each model says of each beside it."""
    generator = np.random.default_rng(seed)
    alike = generator.normal(-2, 0.5, (persons, 1))
    return np.asarray(np.round(alike + np.array(levels) + generator.normal(0, spread, (persons, len(levels))), 6))


LEVELS = [0.0, -0.005, -0.02, -0.06, -0.06, -0.3, -0.9]


@pytest.mark.parametrize("seed", range(6))
def test_members_are_those_of_arch_run_plainly(seed: int) -> None:
    """One transition a person: then the bootstrap of rows that arch has of its own, blocks of one, is the right one."""
    mean = simulated(seed, 300, LEVELS)
    plain = MCS(-mean, 0.05, reps=1000, block_size=1, method="R", bootstrap="circular", seed=seed)
    plain.compute()
    ours = confidence_set(drawn(mean))
    p = plain.pvalues["Pvalue"].sort_index().to_numpy()
    np.testing.assert_allclose(ours.p, p, atol=0.05)  # two sets of draws: 3 errors of a share of 1,000 near a half
    clear = np.abs(p - 0.05) > 0.02
    assert clear.sum() >= 5
    assert ours.members[clear].tolist() == (p > 0.05)[clear].tolist()


def test_the_case_has_members_and_others() -> None:
    ours = confidence_set(drawn(simulated(0, 300, LEVELS)))
    assert 0 < ours.members.sum() < 7
    assert ours.members[0]
    assert not ours.members[5:].any()
    assert ours.p[5:].tolist() == [1 / 1001, 1 / 1001]  # never 0


@pytest.mark.parametrize("models", [1, 2, 9, 15])
@pytest.mark.parametrize("seed", range(4))
def test_every_p_is_that_of_arch(seed: int, models: int) -> None:
    """To the last digit, of the same replicates, and of models close enough that steps are many.

    But for those that have the smallest p there is because bounds rule them out at the first step.
    """
    resampled = drawn(simulated(seed, 60, [-0.01 * i for i in range(models)]))
    found = confidence_set(resampled).p
    told = found > 1 / 1001
    assert found[told].tolist() == p_by_arch(resampled, told).tolist()
    assert (p_by_arch(resampled)[~told] < 0.01).all()
    assert models < 9 or len(set(found)) > 2


def families(count: int, kinds: int, apart: float) -> np.ndarray:
    """float64 [200, count]: models of a few kinds, whose members are ``apart`` nats from one another."""
    generator = np.random.default_rng(kinds)
    kind = generator.normal(0, 0.3, (200, kinds)) + generator.normal(0, 0.02, kinds)
    alike = generator.normal(-2, 0.5, (200, 1))
    return np.asarray(alike + kind[:, np.arange(count) % kinds] + generator.normal(0, apart, (200, count)))


@pytest.mark.parametrize(("kinds", "apart"), [(1, 0.1), (4, 0.05), (4, 1e-6), (60, 0.0)])
def test_bounds_by_group_change_no_p(kinds: int, apart: float) -> None:
    """Of sixty models, whose distances are alike, or by far smaller within a kind: every pair is looked at by arch."""
    models = drawn(families(60, kinds, apart), replicates=300)
    found = confidence_set(models)
    assert found.p.tolist() == p_by_arch(models).tolist()
    assert len(set(found.p)) > 4


def test_transitions_of_a_person_are_not_independent() -> None:
    """Twenty of the same: arch's own bootstrap would be sure of a difference that thirty persons cannot show."""
    mean = simulated(3, 30, [0.0, -0.03], spread=0.15)
    as_rows = MCS(-np.repeat(mean, 20, axis=0), 0.05, reps=1000, block_size=1, bootstrap="circular", seed=0)
    as_rows.compute()
    assert len(as_rows.included) == 1
    assert confidence_set(drawn(mean, np.full(30, 20))).members.all()


def test_sampling_units_are_what_is_drawn() -> None:
    """Persons of a unit are alike: as many persons tell less."""
    mean = np.repeat(simulated(3, 30, [0.0, -0.03], spread=0.15), 20, axis=0)
    ones = np.ones(600, dtype=int)
    assert confidence_set(Resampled(mean, ones)).members.tolist() == [True, False]
    assert confidence_set(Resampled(mean, ones, SurveyDesign(np.arange(600) // 20))).members.all()


def test_ranks_are_sets_one_after_another() -> None:
    """Two alike, one well below, three alike at the end."""
    models = drawn(simulated(1, 2000, [-0.5, 0.0, -0.5, -0.2, 0.0, -0.5], spread=0.05))
    assert ranks(models, confidence_set(models)) == [(4, 6), (1, 2), (4, 6), (3, 3), (1, 2), (4, 6)]


def test_a_set_that_leaves_a_better_model_out_widens_its_rank() -> None:
    """The second differs from the best by little and always; the third by more and now and then.

    The set of the best holds the third and not the second, whose interval is widened to begin no later than the
    third's, and the third's to end no sooner.
    """
    generator = np.random.default_rng(5)
    best = generator.normal(-2, 0.5, 400)
    second = best - 0.01 + generator.normal(0, 0.01, 400)
    noise = generator.normal(0, 0.5, 400)
    third = best - 0.02 + noise - noise.mean()
    models = drawn(np.column_stack([best, second, third]))
    assert np.argsort(-models.mean).tolist() == [0, 1, 2]
    found = confidence_set(models)
    assert found.members.tolist() == [True, False, True]
    assert ranks(models, found) == [(1, 2), (1, 3), (1, 3)]


def test_the_same_model_twice_has_one_fate() -> None:
    mean = simulated(2, 300, [0.0, -0.3, -0.3, 0.0, -0.3])
    mean[:, 2], mean[:, 3] = mean[:, 1], mean[:, 0]
    models = drawn(mean)
    found = confidence_set(models)
    assert found.p[0] == found.p[3] == 1
    assert found.p[1] == found.p[2]
    assert ranks(models, found) == [(1, 2), (3, 5), (3, 5), (1, 2), (3, 5)]


def test_a_difference_that_never_varies_is_certain() -> None:
    mean = simulated(2, 100, [0.0])
    models = drawn(np.hstack([mean - 0.01, mean, mean - 0.02]))
    found = confidence_set(models)
    assert found.members.tolist() == [False, True, False]
    assert ranks(models, found) == [(2, 2), (1, 1), (3, 3)]


def test_the_same_figure_by_other_ways_is_the_same_rank() -> None:
    mean = np.array([[-1.0, -2.0, -1.5], [-2.0, -1.0, -1.5]] * 20)
    models = drawn(mean)
    found = confidence_set(models)
    assert found.members.all()
    assert ranks(models, found) == [(1, 3)] * 3


def test_one_model_alone_is_first() -> None:
    models = drawn(simulated(0, 20, [0.0]))
    found = confidence_set(models)
    assert (found.p.tolist(), found.members.tolist(), ranks(models, found)) == ([1.0], [True], [(1, 1)])


def test_one_person_alone_tells_no_model_from_another() -> None:
    models = drawn(np.array([[-1.0, -2.0, -9.0]]))
    found = confidence_set(models)
    assert (found.p.tolist(), found.members.tolist()) == ([1.0] * 3, [True] * 3)
    assert ranks(models, found) == [(1, 3)] * 3


@settings(max_examples=40)
@given(st.data())
def test_what_ranks_promise(data: st.DataObject) -> None:
    """Whatever the models: few persons, equal columns, differences without a variance, figures on a coarse grid."""
    persons, count = data.draw(st.integers(2, 30)), data.draw(st.integers(1, 9))
    generator = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    spread = data.draw(st.sampled_from([0.0, 0.02, 0.3]))
    grid = data.draw(st.sampled_from([1, 2, 6]))
    mean = generator.normal(-2, 1, (persons, 1)) + generator.normal(0, 0.2, count)
    mean = np.round(mean + spread * generator.normal(size=(persons, count)), grid)
    models = drawn(mean, generator.integers(1, 9, persons), replicates=200)
    found = confidence_set(models)
    low, high = np.array(ranks(models, found)).T
    level = models.mean
    assert found.members[level.argmax()]
    assert (found.p >= 1 / 201).all()
    assert low.min() == 1
    assert high.max() == count
    for i in range(count):
        assert low[i] <= 1 + (level > level[i]).sum()  # the rank by the figure
        assert high[i] >= (level >= level[i]).sum()
        assert (low[level > level[i]] <= low[i]).all()
        assert (high[level > level[i]] <= high[i]).all()
    same = (mean[:, :, None] == mean[:, None]).all(axis=0)
    for first, second in np.argwhere(same):
        assert (found.p[first], low[first], high[first]) == (found.p[second], low[second], high[second])
    turned = generator.permutation(count)
    models = drawn(mean[:, turned], generator.integers(1, 2, persons), replicates=200)
    again = drawn(mean, np.ones(persons, dtype=int), replicates=200)
    assert confidence_set(models).p.tolist() == confidence_set(again).p[turned].tolist()


def test_ranks_begin_with_the_set_they_are_given() -> None:
    models = drawn(simulated(1, 2000, [-0.5, 0.0, -0.2], spread=0.05))
    both = ConfidenceSet(np.array([0.01, 1.0, 0.5]), np.array([False, True, True]))
    assert ranks(models, both) == [(3, 3), (1, 2), (1, 2)]
