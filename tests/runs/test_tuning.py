"""Searches: the space, trials on the validation split alone, stopping and going on, failures, curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from helpers.toys import entry_of
from pydantic import Field

from harness.data.write import write_panel
from harness.errors import RequestError
from harness.model import Context, Model, ModelSpec, Params, SearchRange, take_states
from harness.panel.careers import SPLITS, Panel
from harness.runs.execute import Workshop
from harness.runs.request import PanelRequest
from harness.runs.tuning.search import ParameterSearch, TrialOutcome, best_of, request_of
from harness.runs.tuning.space import ChoiceAxis, NumberAxis, given_space, space_of
from harness.runs.tuning.trial import Trials, TuneRequest
from harness.types import FloatArray, IntArray


class Knobs(Params):
    """Of ``Watched``: the further from 3, the worse."""

    level: Annotated[float, SearchRange(0.1, 30, log=True)] = Field(20.0, gt=0)
    kind: Annotated[Literal["good", "bad"], SearchRange()] = "good"
    rest: int = Field(1, ge=0, le=9)


class Watched(Model):
    """Frequencies with ``level`` too many of the state 0, that remember all states they were ever shown."""

    shown: ClassVar[set[int]] = set()
    fits: ClassVar[list[float]] = []
    reported: ClassVar[list[int]] = []
    stop_at: ClassVar[int | None] = None
    spied: ClassVar[Path | None] = None

    def __init__(self, params: Knobs) -> None:
        self.params = params

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        self.shown.update(train.state.tolist(), valid.state.tolist())
        self.fits.append(self.params.level)
        if self.spied is not None:
            self.spied.read_bytes()
        if self.stop_at == len(self.fits):
            raise KeyboardInterrupt
        if self.params.kind == "bad" and self.params.level > 5:
            raise ValueError("too much of it")
        for step in range(1, 6):
            self.reported.append(step)
            context.report(step, abs(np.log(self.params.level / 3)) + 1 / step)
        counts = np.bincount(train.state, minlength=train.n_states) + 1.0
        counts[0] += counts.sum() * abs(np.log(self.params.level / 3))
        self.margin = counts / counts.sum()

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        self.shown.update(panel.state.tolist())
        return take_states(np.tile(np.log(self.margin), (len(transitions), 1)), states)

    def save(self, folder: Path) -> None:
        (folder / "margin.json").write_text(json.dumps(self.margin.tolist()))

    def load(self, folder: Path) -> None:
        self.margin = np.array(json.loads((folder / "margin.json").read_text()))


@pytest.fixture(autouse=True)
def fresh() -> None:
    Watched.shown, Watched.fits, Watched.reported, Watched.stop_at = set(), [], [], None
    Watched.spied = None


@pytest.fixture
def watching(workshop: Workshop) -> Workshop:
    """A workshop that knows ``watched``."""
    entry = entry_of(Watched, name="watched", params=Knobs)
    models = {**workshop.registry.models, "watched": entry}
    return replace(workshop, registry=replace(workshop.registry, models=models))


def search(workshop: Workshop, data: str | Path, count: int, **changes: Any) -> ParameterSearch:
    asked = TuneRequest(panel=PanelRequest(data=str(data)), model="watched")
    trials = Trials.of(asked, workshop)
    return ParameterSearch(trials=trials, space=space_of(trials.spec, {}), count=count, **changes)


def plain(outcomes: Sequence[TrialOutcome]) -> list[dict[str, Any]]:
    """All that does not hang on a clock or on how often the search was stopped."""
    kept = ("state", "perplexity", "standard_error", "error")
    return [{"values": dict(one.values), **{name: getattr(one, name) for name in kept}} for one in outcomes]


@pytest.fixture(scope="module")
def folder(market_40: Panel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("panels") / "panel"
    write_panel(market_40, place)
    return place


def test_the_test_split_is_never_read(watching: Workshop, market_40: Panel, folder: Path, tmp_path: Path) -> None:
    """Test careers of another world give the same trials, and none of their states is ever shown to a model."""
    rows = np.flatnonzero(market_40.split[market_40.person] == SPLITS.index("test"))
    marker = next(k for k in range(market_40.n_states) if k not in market_40.state)
    state, year = market_40.state.copy(), market_40.year.copy()
    state[rows] = marker
    year[rows] += 1
    education = market_40.covariates["education"]
    values = np.where(np.isin(np.arange(len(state)), rows), -1, education.values).astype(np.int32)
    covariates = {**market_40.covariates, "education": replace(education, values=values)}
    write_panel(replace(market_40, state=state, year=year, covariates=covariates), tmp_path / "panel")
    told = search(watching, folder, 6).run()
    Watched.shown = set()
    garbled = search(replace(watching, cache=tmp_path / "other"), tmp_path / "panel", 6).run()
    assert plain(garbled) == plain(told)
    assert len(Watched.fits) == 12
    assert Watched.shown
    assert marker not in Watched.shown


def test_a_trial_that_opens_the_careers_file_fails(watching: Workshop, folder: Path) -> None:
    Watched.spied = folder / "careers.csv.gz"
    [outcome] = search(replace(watching, hidden=(folder,)), folder, 1).run()
    assert outcome.state == "failed"
    assert "which holds the outcomes that it is asked about" in str(outcome.error)


def test_a_search_finds_what_is_better_and_leaves_a_request(watching: Workshop, folder: Path) -> None:
    found = search(watching, folder, 12)
    outcomes = found.run()
    best = best_of(outcomes)
    assert best is not None
    assert outcomes[0].values == {"level": "20", "kind": "good"}
    assert best.perplexity is not None
    assert outcomes[0].perplexity is not None
    assert best.perplexity < outcomes[0].perplexity
    assert 1 < float(best.values["level"]) < 9
    request = request_of(found.trials, best)
    assert request.models == {"watched": dict(best.values)}
    assert (request.tasks, request.panel.data) == (("next_occ",), str(folder))
    assert not list((watching.cache / "fits").glob("*")), "fits of trials are of no use to anyone"


def test_a_search_that_was_stopped_goes_on_to_the_same_trials(watching: Workshop, folder: Path, tmp_path: Path) -> None:
    whole = search(watching, folder, 7).run()
    elsewhere = replace(watching, cache=tmp_path / "elsewhere")
    Watched.fits, Watched.stop_at = [], 4
    with pytest.raises(KeyboardInterrupt):
        search(elsewhere, folder, 5).run()
    Watched.stop_at = None
    assert plain(search(elsewhere, folder, 5).run()) == plain(whole[:5])
    assert len(Watched.fits) == 6, "the one that was interrupted was made twice, the others once"
    told: list[TrialOutcome] = []
    assert plain(search(elsewhere, folder, 7, tell=told.append).run()) == plain(whole)
    assert plain(told) == plain(whole[5:])


def test_a_search_that_was_killed_after_any_line_goes_on_to_the_same_trials(watching: Workshop, folder: Path) -> None:
    """Between two values of a trial, too: it is drawn again, not tried with those values alone."""
    whole = search(watching, folder, 3)
    told = plain(whole.run())
    lines = whole.path.read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines)):
        whole.path.write_bytes(b"".join(lines[:kept]))
        assert plain(search(watching, folder, 3).run()) == told, f"{kept} of {len(lines)} lines"


def test_a_search_that_was_killed_while_it_wrote_goes_on(watching: Workshop, folder: Path) -> None:
    whole = search(watching, folder, 3)
    told = plain(whole.run())
    content = whole.path.read_bytes()
    whole.path.write_bytes(content[:-20])
    Path(f"{whole.path}.lock").symlink_to(whole.path)
    assert plain(search(watching, folder, 3).run()) == told
    whole.path.write_bytes(content.replace(b'"op_code":', b'"op_co', 1))
    with pytest.raises(RequestError, match=r"damaged .*; remove it to search anew"):
        search(watching, folder, 3).run()


def test_trials_that_fail_are_told_and_kept(watching: Workshop, folder: Path) -> None:
    told: list[TrialOutcome] = []
    outcomes = search(watching, folder, 9, tell=told.append).run()
    failed = [one for one in outcomes if one.state == "failed"]
    assert failed
    assert all(one.error == "model 'watched' failed in fit: ValueError: too much of it" for one in failed)
    assert all(one.values["kind"] == "bad" for one in failed)
    assert plain(told) == plain(outcomes)
    Watched.fits = []
    assert plain(search(watching, folder, 9).run()) == plain(outcomes)
    assert Watched.fits == []


def test_poor_validation_curves_end_their_trials(watching: Workshop, folder: Path, tmp_path: Path) -> None:
    outcomes = search(watching, folder, 11).run()
    given_up = [one for one in outcomes if one.state == "given up"]
    assert given_up
    assert all(one.perplexity is None for one in given_up)
    assert not list((watching.cache / "unfinished").glob("*"))
    best = best_of(outcomes)
    assert best is not None
    assert max(abs(np.log(float(one.values["level"]) / 3)) for one in given_up) > abs(
        np.log(float(best.values["level"]) / 3)
    )
    Watched.reported = []
    everything = search(replace(watching, cache=tmp_path / "other"), folder, 9, prune=False).run()
    assert all(one.state != "given up" for one in everything)
    assert len(Watched.reported) == 5 * sum(one.state == "done" for one in everything)


def test_no_trial_begins_once_the_time_is_over(watching: Workshop, folder: Path) -> None:
    assert search(watching, folder, 5, seconds=0.0).run() == []
    assert len(search(watching, folder, 2).run()) == 2


def test_two_processes_are_not_at_one_search(watching: Workshop, folder: Path) -> None:
    from harness.system.files import locked

    one = search(watching, folder, 1)
    one.path.parent.mkdir(parents=True)
    with locked(one.path.with_suffix(".lock")), pytest.raises(RequestError, match="another process is at this search"):
        one.run()
    assert len(one.run()) == 1


class Plain(Params):
    """Without a word of where to search."""

    share: float = Field(0.5, gt=0, lt=1)
    trees: int = Field(5, ge=1, le=8)
    open_ended: float = Field(1.0, gt=0)
    exact: bool = False
    kind: Literal["a", "b"] | None = None
    threads: int = Field(1, ge=1, le=8)


def spec_of(schema: type[Params], **changes: Any) -> ModelSpec:
    return entry_of(Watched, params=schema, **changes).item


def test_a_space_follows_from_the_schema() -> None:
    assert space_of(spec_of(Plain, runtime_params=("threads",)), {"trees": "3"}) == {
        "share": NumberAxis(0.001, 0.999),
        "exact": ChoiceAxis(("true", "false")),
        "kind": ChoiceAxis(("a", "b")),
    }
    assert space_of(spec_of(Knobs), {}) == {
        "level": NumberAxis(0.1, 30, log=True),
        "kind": ChoiceAxis(("good", "bad")),
    }
    with pytest.raises(RequestError, match="does not say where its parameters are to be searched"):
        space_of(spec_of(Knobs), {"level": "1", "kind": "good"})


def test_a_space_may_be_the_users() -> None:
    given = {"share": "0.1..0.9:log", "trees": "2..4", "kind": ["a", "b"], "open_ended": {"low": 1, "high": 2}}
    assert given_space(spec_of(Plain), given, {}) == {
        "share": NumberAxis(0.1, 0.9, log=True),
        "trees": NumberAxis(2, 4, whole=True),
        "kind": ChoiceAxis(("a", "b")),
        "open_ended": NumberAxis(1, 2),
    }


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("shares", "0.1..0.2", "no parameter 'shares'; did you mean 'share'"),
        ("share", "0.1..2", "share=2: Input should be less than 1"),
        ("share", "0.5..0.1", "give the lower end first"),
        ("share", "0.1..0.5:ln", "'ln' is no scale"),
        ("share", "0.1", "two values or more"),
        ("trees", "1.5..3", "whole number"),
        ("kind", "a,c", "kind=c: "),
        ("kind", {"low": 1}, "write kind=low..high"),
        ("exact", "true,false", "leave one out"),
    ],
)
def test_a_space_that_makes_no_sense_is_told(name: str, value: Any, fault: str) -> None:
    with pytest.raises(RequestError, match=fault):
        given_space(spec_of(Plain), {name: value}, {"exact": "true"})


def test_a_range_that_makes_no_sense_is_refused() -> None:
    for wrong in ({"low": 1.0}, {"low": 2.0, "high": 1.0}, {"low": 0.0, "high": 1.0, "log": True}):
        with pytest.raises(ValueError, match=r"two ends|no range|above zero"):
            SearchRange(**wrong)  # type: ignore[arg-type]


def test_networks_report_their_validation_curve(market_30: Panel, resumes: Panel, workshop: Workshop) -> None:
    """Every epoch once; nothing of pre-training, whose validation careers are others."""
    spec = workshop.registry.model("career").item
    params = spec.params.model_validate(
        {"epochs": 3, "fewest_steps": 1, "pretrain_epochs": 1, "layers": 1, "width": 4, "inner": 4, "members": 2}
    )
    seen: list[tuple[int, float]] = []
    model = spec.build(params)
    scratch = workshop.cache / "scratch"
    scratch.mkdir(parents=True)
    context = Context(
        seed=0,
        scratch=scratch,
        cache=workshop.cache,
        resumes=resumes.select(np.arange(20)),
        report=lambda step, loss: seen.append((step, round(loss, 6))),
    )
    model.fit(market_30.part("train"), market_30.part("valid"), context)
    losses = model.facts()["validation_loss"][0]
    assert seen == [(1, losses[1]), (2, losses[2]), (3, losses[3])]
