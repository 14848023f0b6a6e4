"""Soft targets: whose they are, what a network is taught by them, and which models may teach."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.commands import installed, typed
from helpers.toys import Frequencies, Homebody, entry_of, homeward, run_all
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import open_panel
from harness.errors import RequestError
from harness.model import Context, ModelSpec
from harness.model.soft_targets import SoftTargets, soft_targets
from harness.model.teaching import FOLDS, TeacherParams
from harness.network.transitions import TransitionTable
from harness.panel import Panel
from harness.plugins.career import build
from harness.plugins.career.network import Network
from harness.plugins.career.params import CareerParams
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.runs.isolation import sandbox
from harness.runs.run import Run
from harness.runs.teachers import teacher_content, teacher_of
from harness.runs.verify import run_of

TAUGHT = TeacherParams(teacher="frequencies", teacher_share=0.25)
SHORT: dict[str, Any] = {"epochs": 3, "fewest_steps": 80, "width": 16, "inner": 32, "layers": 1, "batch_tokens": 256}


def context(folder: Path, teacher: ModelSpec | None) -> Context:
    return Context(seed=1, scratch=folder, cache=folder, teacher=teacher)


@pytest.fixture
def targets_of(tmp_path: Path) -> Callable[[Panel], SoftTargets]:
    def found(train: Panel) -> SoftTargets:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        taught = soft_targets(TAUGHT, train, train, context(folder, entry_of(Frequencies).item))
        assert taught is not None
        return taught

    return found


def test_nobody_is_taught_by_their_own_outcomes(targets_of: Callable[[Panel], SoftTargets]) -> None:
    """The teacher counts states: whoever changes theirs changes what others are told, and nothing that they are."""
    panel = homeward(40)
    before = targets_of(panel)
    state = panel.state.copy()
    state[panel.offsets[7] : panel.offsets[8]] = 8
    after = targets_of(replace(panel, state=state))
    own = panel.person[panel.transitions] == 7
    assert np.array_equal(before.probability[own], after.probability[own])
    changed = (before.probability != after.probability).any(axis=1)
    told = np.unique(panel.person[panel.transitions][changed])
    assert len(told) == 40 - 40 // FOLDS  # all that are in other parts


def test_a_teacher_of_counts_by_hand(targets_of: Callable[[Panel], SoftTargets]) -> None:
    """Two persons teach each other: (count + 1) / total, a quarter of it beside three quarters of the outcome."""
    panel = homeward(2)
    taught = targets_of(panel)
    found = taught.take(np.arange(22), panel.state[panel.transitions].astype(np.int64))
    for person in (0, 1):
        other = panel.state[panel.offsets[1 - person] : panel.offsets[2 - person]]
        counts = np.bincount(other, minlength=9) + 1
        expected = np.tile(0.25 * counts / counts.sum(), (11, 1))
        own = panel.state[panel.offsets[person] + 1 : panel.offsets[person + 1]]
        expected[np.arange(11), own] += 0.75
        np.testing.assert_allclose(found[person * 11 : person * 11 + 11], expected, atol=2e-4)


@settings(max_examples=100)
@given(seed=st.integers(0, 1000), share=st.floats(0.01, 1.0))
def test_targets_follow_a_career_whose_states_are_exchanged(seed: int, share: float) -> None:
    draw = np.random.default_rng(seed)
    said = draw.dirichlet(np.ones(5), size=6).astype(np.float16)
    career, target = np.array([0, 0, 1, 1, 1, 2]), draw.integers(0, 5, 6)
    permutations = np.stack([draw.permutation(5) for _ in range(3)])
    plain = SoftTargets(probability=said, share=share, loss=0.0, career=career)
    rows = draw.permutation(6)[:4]
    before = plain.take(rows, target[rows])
    after = plain.exchange(permutations).take(rows, permutations[career[rows], target[rows]])
    np.testing.assert_allclose(before.sum(axis=1), 1.0, rtol=1e-5)
    for row, one, other in zip(rows, before, after, strict=True):
        assert np.array_equal(other[permutations[career[row]]], one)


def test_what_is_learned_is_the_mean_of_ln_p_by_the_targets(tmp_path: Path) -> None:
    panel = homeward(6)
    taught = SoftTargets(
        probability=np.random.default_rng(0).dirichlet(np.ones(9), size=66).astype(np.float16),
        share=0.4,
        loss=0.0,
        career=panel.person[panel.transitions].astype(np.int64),
    )
    model: Any = build(CareerParams(**SHORT), "transformer")
    model.fit(panel, panel, Context(seed=0, scratch=tmp_path, cache=tmp_path))
    network, table = model._network, replace(TransitionTable.of(panel, model._encoding), taught=taught)
    batch = table.batch(np.arange(6))
    assert isinstance(network, Network)
    with torch.no_grad():
        found, rows = network(batch), network.rows(batch, torch.arange(66))
    by_hand = (taught.take(np.arange(66), table.target) * rows.numpy()).sum(axis=1)
    np.testing.assert_allclose(found.numpy(), by_hand, rtol=1e-4, atol=1e-5)


def test_a_network_says_what_its_teacher_says(tmp_path: Path) -> None:
    panel, said = homeward(120), []
    for share in (None, 1.0):
        folder = tmp_path / str(share)
        folder.mkdir()
        given: dict[str, Any] = {} if share is None else {"teacher": "homebody", "teacher_share": share}
        plain = {"exchange": 0, "exchange_across": 0, "weight_decay": 0, "average": 0.9, "fewest_steps": 200}
        model = build(CareerParams(**(SHORT | plain | given)), "transformer")
        # Nobody is held out, so that the last weights are kept: the outcomes speak against this teacher.
        nobody = panel.select(np.array([], dtype=np.int64))
        model.fit(panel, nobody, context(folder, entry_of(Homebody).item))
        rows = model.log_prob(panel, panel.transitions, np.full((len(panel.transitions), 1), 3))
        said.append(float(np.exp(rows).mean()))
    assert said[0] < 0.15
    assert said[1] > 0.8


def test_a_part_that_is_done_is_not_made_again(tmp_path: Path) -> None:
    teacher, panel = entry_of(Frequencies).item, homeward(20)
    Frequencies.fits = 0
    whole = soft_targets(TAUGHT, panel, panel, context(tmp_path, teacher))
    assert Frequencies.fits == FOLDS
    (tmp_path / "teacher-2.npy").unlink()
    again = soft_targets(TAUGHT, panel, panel, context(tmp_path, teacher))
    assert Frequencies.fits == FOLDS + 1
    assert whole is not None
    assert again is not None
    assert np.array_equal(whole.probability, again.probability)


def test_members_have_one_teacher(tmp_path: Path) -> None:
    panel = homeward(20)
    params = CareerParams.model_validate({**SHORT, "fewest_steps": 1, "epochs": 1, "teacher": "counts", "members": 3})
    Frequencies.fits = 0
    model = build(params, "transformer")
    model.fit(panel, panel, context(tmp_path, entry_of(Frequencies, name="counts").item))
    assert Frequencies.fits == FOLDS
    losses = model.facts()["training_loss_of_teacher"]
    alone = build(params.model_copy(update={"members": 1}), "transformer")
    (tmp_path / "alone").mkdir()
    alone.fit(panel, panel, context(tmp_path / "alone", entry_of(Frequencies, name="counts").item))
    assert losses == alone.facts()["training_loss_of_teacher"]


def test_one_person_cannot_be_taught(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="needs two training persons"):
        soft_targets(TAUGHT, homeward(1), homeward(1), context(tmp_path, entry_of(Frequencies).item))


@pytest.mark.parametrize(
    ("teacher", "why"),
    [
        ("gmb", "did you mean 'gbm'"),
        ("llm-lora", "has no whole rows of probabilities that sum to one"),
        ("oracle", "knows how the careers were simulated"),
        ("gbm-switch", "predicts switch alone"),
    ],
)
def test_a_model_that_cannot_teach_is_refused_before_anything_is_read(tmp_path: Path, teacher: str, why: str) -> None:
    found = installed(tmp_path, "run", "--task", "next_occ", "--model", "career", "--set", f"teacher={teacher}")
    assert found.returncode == 2
    assert found.stdout == ""
    assert why in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_who_taught_is_part_of_what_a_run_is(registry: Registry, tmp_path: Path) -> None:
    """Its code counts as the model's own: the fit is another when the teacher is, and is not verified by another."""
    panel, entry = open_panel("market", {"persons": 120}), registry.model("career")
    params = entry.item.params.model_validate({**SHORT, "teacher": "markov"})
    teacher = teacher_of(entry.item, params, registry)
    assert teacher is not None
    assert teacher.item.name == "markov"
    run = Run(model=entry, params=params, tasks=(registry.task("switch"),), panel=panel, teacher=teacher)
    [record] = run_all(run, Workshop(registry=registry, store=Store(tmp_path / "r"), cache=tmp_path / "c"))
    assert record.configuration.contents["teacher"] == teacher_content(teacher)
    assert 0 < record.facts["training_loss_of_teacher"] < 5
    assert run_of(record, registry, panel, "cpu").fit_name == run.fit_name
    other = replace(run, teacher=replace(teacher, version="0.0.1"))
    assert other.fit_name != run.fit_name
    asked = record.configuration.model_copy(update={"contents": dict(other.contents)})
    with pytest.raises(RequestError, match=r"career\.teacher=markov has another content here"):
        run_of(record.model_copy(update={"configuration": asked}), registry, panel, "cpu")


def test_what_a_teacher_only_names_is_part_of_it_too() -> None:
    plain = entry_of(Frequencies)
    named = [entry_of(Frequencies, contents=lambda _, of=of: {"encoder": of}) for of in ("a" * 64, "b" * 64)]
    assert len({teacher_content(one) for one in (plain, *named)}) == 3


def test_a_teacher_has_none_of_its_own(registry: Registry) -> None:
    taught = entry_of(Frequencies, name="taught", teacher=lambda _: "markov")
    known = replace(registry, models=registry.models | {"taught": taught})
    career = registry.model("career").item
    with pytest.raises(RequestError, match="teacher=taught learns from a teacher of its own"):
        teacher_of(career, career.params.model_validate({"teacher": "taught"}), known)


@pytest.mark.slow
@pytest.mark.skipif(not sandbox.is_known(), reason="needs a kernel with Landlock")
def test_an_isolated_model_is_taught_in_its_own_process(tmp_path: Path) -> None:
    line = ["run", "--task", "switch", "--model", "career", "--set", "data.persons=120", "--json", "--set"]
    brief = SHORT | {"epochs": 1, "fewest_steps": 10}
    short = [part for name, value in brief.items() for part in ("--set", f"{name}={value}")]
    line += ["teacher=markov", *short]
    found = [
        typed(tmp_path, *line, HARNESS_CACHE=str(tmp_path / "open")),
        installed(tmp_path, *line, "--isolated", HARNESS_CACHE=str(tmp_path / "shut")),
    ]
    assert [one.returncode for one in found] == [0, 0], found[1].stderr
    losses = {json.loads(one.stdout)[0]["figures"]["log_likelihood"] for one in found}
    assert len(losses) == 1
