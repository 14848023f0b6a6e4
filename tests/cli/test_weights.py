"""``--weights`` as a user types it: run, leaderboard, compare, ablate, forecast, show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import typed
from helpers.toys import InProcess

from harness import open_panel
from harness.data.write import write_panel
from harness.forecasts.plan import plan, pooled, until
from harness.forecasts.report import Report
from harness.forecasts.sample import forecast
from harness.model.contract import NoParams
from harness.panel.careers import Covariate, Panel
from harness.panel.weights import weighted
from harness.records.store import Store
from harness.registry import Registry
from harness.render.forecast import notes
from harness.runs.execute import Workshop
from harness.runs.request import PanelRequest
from harness.runs.run import Run
from harness.stats.inference import Estimate
from harness.system.progress import Silent


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Careers with a weight that falls with the person, zero for some; and with a column of ones."""
    market = open_panel("market", {"persons": "200"})
    weight = np.where(market.person % 10 == 0, 0.0, 3.0 - market.person / 100)
    columns = {"pweight": Covariate("numeric", weight, fixed=True), "one": Covariate("numeric", np.ones(len(weight)))}
    return replace(market, name="survey", covariates={**market.covariates, **columns}, source={})


@pytest.fixture(scope="module")
def folder(panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("weights")
    write_panel(panel, where / "survey")
    write_panel(replace(panel, persons=np.char.add("x", panel.persons)), where / "other")
    return where


def test_a_weighted_run_has_a_board_of_its_own(folder: Path) -> None:
    models = ["--model", "marginal", "--model", "markov"]
    plain = typed(folder, "run", "--task", "all", *models, "--data", "survey", "--json")
    told = typed(folder, "run", "--task", "all", *models, "--data", "survey", "--weights", "pweight")
    assert (plain.returncode, told.returncode) == (0, 0), told.stderr
    assert "survey weighted by pweight: switch" in told.stdout
    assert "Weighted by `pweight`, divided by its mean over all records of the panel" in told.stdout
    assert "calibration slope" in told.stdout
    assert "survey:" not in told.stdout
    records = Store(folder / "leaderboards" / "results").all()
    assert {r.configuration.panel.name for r in records} == {"survey", "survey weighted by pweight"}
    for record in records:
        figures = {(r.configuration.model, r.configuration.task, r.evidence.weight is None): r.figures for r in records}
        key = (record.configuration.model, record.configuration.task)
        assert figures[*key, True]["perplexity"] != figures[*key, False]["perplexity"]
    checked = typed(folder, "leaderboard")
    assert checked.returncode == 0, checked.stderr
    again = typed(folder, "leaderboard", "--check")
    assert again.returncode == 0, again.stderr
    of_switch = [r for r in records if r.evidence.weight and r.configuration.task == "switch"]
    pair = [r.id for r in of_switch]
    compared = typed(folder, "compare", *pair)
    assert "log-likelihood per transition weighted by pweight" in compared.stdout
    told_json = json.loads(typed(folder, "compare", *pair, "--json").stdout)["runs"][1]["difference"]
    first, second = (np.array(r.evidence.log_likelihood) for r in of_switch)
    assert told_json["value"] == pytest.approx((second - first).sum() / sum(of_switch[0].evidence.weight or []))
    mixed = next(r.id for r in records if not r.evidence.weight and r.configuration.task == "switch")
    assert typed(folder, "compare", pair[0], mixed).returncode == 2


def test_a_constant_column_gives_the_figures_of_none(folder: Path) -> None:
    line = ["run", "--task", "switch", "--task", "next_occ", "--model", "markov", "--data", "survey", "--json"]
    ones = json.loads(typed(folder, *line, "--weights", "one").stdout)
    assert [record["configuration"]["panel"]["source"]["weights"] for record in ones] == ["one", "one"]
    plain = json.loads(typed(folder, *line).stdout)
    assert [record["figures"] for record in ones] == [record["figures"] for record in plain]


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("run", ["--task", "switch", "--model", "marginal", "--data", "survey"]),
        ("ablate", ["career", "--data", "survey"]),
        ("forecast", ["--model", "marginal", "--data", "survey"]),
    ],
)
@pytest.mark.parametrize(
    ("column", "said"),
    [
        (
            "pwieght",
            "error: --weights pwieght: 'survey' has no such column; numeric covariates: did you mean 'pweight'?",
        ),
        ("education", "error: --weights education: the column is categorical in 'survey'"),
    ],
)
def test_what_cannot_be_a_weight_is_refused(
    folder: Path, command: str, line: list[str], column: str, said: str
) -> None:
    done = typed(folder, command, *line, "--weights", column)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_ablations_are_weighted(folder: Path) -> None:
    quick = {"epochs": 1, "fewest_steps": 2, "width": 8, "inner": 16, "layers": 1}
    line = [word for name, value in quick.items() for word in ("--set", f"{name}={value}")]
    done = typed(
        folder, "ablate", "career", "--arm", "one-softmax", *line, "--data", "survey", "--weights", "pweight", "--json"
    )
    assert done.returncode == 0, done.stderr
    lines = json.loads(done.stdout)
    of = {r.id: r for r in Store(folder / "leaderboards" / "results").all()}
    sums = [np.array(of[line["record"]].evidence.log_likelihood) for line in lines]
    total = sum(of[lines[0]["record"]].evidence.weight or [])
    assert lines[1]["difference"]["value"] == pytest.approx(float((sums[1] - sums[0]).sum()) / total)
    assert lines[0]["perplexity"]["value"] == pytest.approx(np.exp(-sums[0].sum() / total))


def test_further_panels_are_weighted_where_they_can_be(folder: Path, panel: Panel, registry: Registry) -> None:
    main = weighted(panel, "pweight")
    other = str(folder / "other")
    request = PanelRequest(train_also=(other,), pretrain=other)
    [further] = request.open_further(main, registry, Silent())
    resumes = request.open_resumes(main, registry, Silent())
    for learned in (further, resumes):
        assert isinstance(learned, Panel)
        assert learned.weight == pytest.approx(main.weight)
        assert "pweight" not in learned.covariates
    [plain] = request.open_further(panel, registry, Silent())
    assert isinstance(plain, Panel)
    assert plain.weight is None
    assert "pweight" in plain.covariates


def test_show_says_who_uses_weights(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    show = InProcess("show", monkeypatch, capsys)
    assert "weights: each record counts for its weight in the fit" in show("markov")[1]
    assert "weights: not used in the fit, in scoring alone" in show("llm-lora")[1]


# --- forecasts


def test_a_forecast_says_how_it_is_weighted(folder: Path) -> None:
    line = ["forecast", "--model", "marginal", "--data", "survey", "--from", "2018", "--horizon", "2", "--samples", "2"]
    done = typed(folder, *line, "--weights", "pweight")
    assert done.returncode == 0, done.stderr
    assert "Weighted by pweight: in shares, likelihoods and distances a person counts" in done.stdout
    assert "test persons whose last record up to 2018 has weight zero." in done.stdout
    made = json.loads(typed(folder, *line, "--weights", "pweight", "--json").stdout)
    assert made["weights"] == "pweight"
    plain = json.loads(typed(folder, *line, "--json").stdout)
    assert "weights" not in plain
    ones = json.loads(typed(folder, *line, "--weights", "one", "--json").stdout)
    assert ones["periods"] == plain["periods"]
    assert made["periods"] != plain["periods"]


def test_the_panel_as_it_was_known_keeps_its_weights(panel: Panel) -> None:
    main = weighted(panel, "pweight")
    known = until(main, 2015)
    assert known.weight is not None
    assert main.weight is not None
    np.testing.assert_array_equal(known.weight, main.weight[main.year <= 2015])
    assert pooled(main, 2015).weight is not None


def one_year_ahead(panel: Panel, registry: Registry, workshop: Workshop, name: str = "markov") -> Report:
    """The first sampled row hangs on what is known alone, not on draws."""
    made = plan(panel, 2017, 1, every=1)
    entry = registry.model(name)
    run_ = Run(model=entry, params=entry.item.params(), tasks=(registry.task("next_occ"),), panel=made.known)
    return Report.of(made, 2, 0, [forecast(run_, made, 2, workshop)])


def seen_in_2017(panel: Panel) -> np.ndarray:
    """bool [P]: who is known in that year, so that the first sampled record is that of the year which is forecast."""
    return np.bincount(panel.person[panel.year == 2017], minlength=panel.n_persons) > 0


def test_in_a_forecast_a_weight_is_what_as_many_persons_are(
    panel: Panel, registry: Registry, workshop: Workshop
) -> None:
    times = np.arange(panel.n_persons) % 4
    counted = replace(panel, weight=times[panel.person].astype(float), source={"weights": "w"})
    copies = panel.select(np.repeat(np.arange(panel.n_persons), times))
    copies = replace(copies, persons=np.array([f"copy {i}" for i in range(copies.n_persons)]))
    lines = []
    for one in (counted, copies):
        seen = one.select(np.flatnonzero(seen_in_2017(one)))
        [period] = one_year_ahead(seen, registry, workshop).periods
        lines.append(period)
    followed = np.bincount(panel.person[panel.year == 2018], minlength=panel.n_persons) > 0
    counting = times[seen_in_2017(panel) & followed & (panel.split == 2)]
    assert (lines[0].persons, lines[1].persons) == (int((counting > 0).sum()), int(counting.sum()))
    for first, second in zip(lines[0].lines, lines[1].lines, strict=True):
        for level in ("statuses", "occupations"):
            shares = [[e.value for e in line.shares[level].share] for line in (first, second)]
            assert shares[0] == pytest.approx(shares[1], abs=1e-6)
            assert _value(first.shares[level].distance) == pytest.approx(
                _value(second.shares[level].distance), abs=1e-6
            )
            assert _value(first.shares[level].error) == pytest.approx(_value(second.shares[level].error), abs=1e-6)
        if first.perplexity is not None:
            assert _value(first.perplexity) == pytest.approx(_value(second.perplexity), rel=1e-5)
            assert _value(first.status_perplexity) == pytest.approx(_value(second.status_perplexity), rel=1e-5)
            for status, figures in first.events.items():
                expected = {
                    k: None if v is None else pytest.approx(v, abs=1e-5) for k, v in second.events[status].items()
                }
                assert figures == expected


def _value(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


def test_a_forecast_by_a_model_fitted_without_says_so(panel: Panel, registry: Registry, workshop: Workshop) -> None:
    entry = registry.model("uniform")
    without = replace(entry, item=replace(entry.item, uses_weights=False))
    made = plan(weighted(panel, "pweight"), 2017, 1)
    run_ = Run(model=without, params=NoParams(), tasks=(registry.task("next_occ"),), panel=made.known)
    report = Report.of(made, 1, 0, [forecast(run_, made, 1, workshop)])
    assert "uniform: fitted without the weights, each record counting one." in notes(report)


def test_no_scale_of_the_weights_moves_a_forecast(panel: Panel, registry: Registry, workshop: Workshop) -> None:
    """Nor the distance that careers drawn from the forecast itself would have."""
    tens = replace(panel, weight=np.full(panel.n_records, 10.0))
    pair = [one_year_ahead(p, registry, workshop, "uniform").periods[0].lines[1] for p in (panel, tens)]
    for level, shares in pair[0].shares.items():
        other = pair[1].shares[level]
        for mine, theirs in ((shares.right, other.right), (shares.distance, other.distance)):
            assert mine is not None
            assert theirs is not None
            assert [mine.value, mine.low, mine.high] == pytest.approx([theirs.value, theirs.low, theirs.high])
    assert pair[0].shortfall == pytest.approx(pair[1].shortfall)
