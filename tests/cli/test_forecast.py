"""``harness forecast`` as a user types it, and one year ahead against what ``harness run`` scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import installed, typed
from helpers.toys import InProcess
from pyarrow import parquet

from harness import open_panel
from harness.data.write import write_panel
from harness.forecasts import sample as forecast_careers
from harness.forecasts.plan import plan
from harness.forecasts.sample import forecast
from harness.model.contract import NoParams
from harness.model.params import validate
from harness.model.scoring import score
from harness.panel.careers import Panel
from harness.runs.execute import Workshop, fitted
from harness.runs.run import Run

SMALL = ["--data", "market", "--set", "data.persons=200", "--from", "2018"]


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess("forecast", monkeypatch, capsys)


def test_the_installed_command_prints_tables_and_writes_careers(tmp_path: Path) -> None:
    line = ["forecast", "--model", "markov", "--model", "marginal", *SMALL, "--horizon", "3", "--samples", "4"]
    made = [installed(tmp_path, *line, "--out", "careers.parquet"), typed(tmp_path, *line, "--seed", "0")]
    assert [done.returncode for done in made] == [0, 0], made[0].stderr
    assert made[0].stdout == made[1].stdout
    assert "\x1b" not in made[0].stdout + made[0].stderr
    lines = made[0].stdout.splitlines()
    assert lines[0] == "employed, % of persons (forecast less actual, with its 95% interval)"
    assert lines[1].split() == ["year", "persons", "actual", "as", "in", "2018", "markov", "marginal"]
    assert [row.split()[0] for row in lines[2:6]] == ["2019", "2020", "2021", "2019-2021"]
    assert "Stay as last known: education." in lines
    rows = parquet.read_table(tmp_path / "careers.parquet").to_pydict()
    assert made[0].stderr.splitlines()[-1] == f"{len(rows['year']):,} sampled records -> careers.parquet"
    persons = open_panel("market", {"persons": "200"}).part("test").persons
    assert set(rows["person"]) == set(persons.tolist())
    for year in (2019, 2020, 2021):
        assert rows["year"].count(year) == 2 * len(persons) * 4  # and earlier ones, of who was last seen earlier


def test_json_gives_every_year_and_its_intervals(harness: InProcess) -> None:
    line = ["--model", "marginal", "--model", "markov", *SMALL, "--samples", "4", "--json"]
    status, out, err = harness(*line, "--set", "marginal.pseudo_count=5")
    assert status == 0, err
    made = json.loads(out)
    assert (made["from"], made["years"], made["samples"]) == (2018, [2019, 2020, 2021, 2022], 4)
    assert [model["changed"] for model in made["models"]] == [{"pseudo_count": 5.0}, {}]
    assert [period["period"] for period in made["periods"]] == ["2019", "2020", "2021", "2022", "2019-2022"]
    for period in made["periods"]:
        assert [line["name"] for line in period["forecasts"]] == ["as in 2018", "marginal", "markov"]
        for found in period["forecasts"]:
            employed = found["statuses"]["difference"]["employed"]
            assert employed["low"] <= employed["value"] <= employed["high"]
            for level in ("statuses", "groups"):
                assert sum(e["value"] for e in found[level]["share"].values()) == pytest.approx(1.0, abs=1e-4)
    margins = [period["forecasts"][1]["statuses"]["share"]["employed"]["value"] for period in made["periods"]]
    assert margins == pytest.approx([margins[0]] * 5, abs=1e-6)  # the same row for everyone, always


def test_one_year_ahead_is_what_a_run_scores(workshop: Workshop) -> None:
    """The task next_occ asks about the same transition, in the panel as it really went on."""
    panel = open_panel("market", {"persons": "300"})
    made = plan(panel, 2012, 2)
    for name in ("markov", "gbm"):
        entry = workshop.registry.model(name)
        params = validate(entry.item.params, {"rounds": "5"} if name == "gbm" else {}, name)
        run = Run(model=entry, params=params, tasks=(workshop.registry.task("next_occ"),), panel=made.known)
        found = forecast(run, made, 3, workshop)
        held = as_last_known(panel.part("test"), 2012)
        scores = score(entry.item, fitted(run, workshop).model, run.tasks[0], held)
        targets = held.transitions
        next_year = (held.year[targets] == 2013) & (held.year[targets - 1] == 2012)
        place = {person: i for i, person in enumerate(made.persons.persons.tolist())}
        rows = [place[held.persons[held.person[t]]] for t in targets[next_year]]
        assert len(rows) > 30
        np.testing.assert_allclose(found.log_prob[rows, 0], scores.log_prob[next_year], atol=1e-5)


def as_last_known(panel: Panel, year: int) -> Panel:
    """The panel with every later covariate as it was in that year: what a forecast knows."""
    last = np.arange(panel.n_records)
    for i in np.flatnonzero(panel.year > year):
        last[i] = last[i - 1] if panel.offsets[panel.person[i]] < i else i
    return replace(panel, covariates={name: c.take(last) for name, c in panel.covariates.items()})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--model markow --data wage-panel", "did you mean 'markov'"),
        ("--model markov --data wage-panell", "did you mean 'wage-panel'"),
        ("--model markov --data wage-panel --from 1979", "has records from 1980 to 1987: 1979 is not a year"),
        ("--model markov --data wage-panel --from 1980", "forecast from 1981 or later"),
        ("--model markov --data wage-panel --from 1987", "name the years to forecast after it (--horizon)"),
        ("--model markov --data wage-panel --horizon 50", "forecast fewer years than 50 (--horizon)"),
        ("--model markov --data wage-panel --horizon 0", "--horizon"),
        ("--model markov --data wage-panel --horizon 1000", "--horizon"),
        ("--model markov --data wage-panel --samples 0", "--samples"),
        ("--model markov --data wage-panel --every 9", "forecast at least 9 years from 1984"),
        ("--model markov --set rat=1 --data no/such/folder", "has no parameter 'rat'"),  # before data are read
        ("--model markov --set task.entry=true --data no/such/folder", "a forecast has no task"),
        ("--model markov --out careers.csv --data no/such/folder", "written as .parquet"),
        ("--model markov --out no/careers.parquet --data no/such/folder", "there is no folder no"),
        ("--model markov --train-also market --data no/such/folder", "trained on one panel alone"),
        ("--model oracle --data wage-panel", "simulated"),
        ("--data wage-panel", "--model"),
    ],
)
def test_wrong_requests_end_with_status_2_and_say_what_is_right(line: str, message: str, harness: InProcess) -> None:
    status, out, err = harness(*line.split())
    assert status == 2, err
    assert message in err
    assert out == ""


def test_one_failed_model_does_not_stop_the_others(harness: InProcess) -> None:
    status, out, err = harness("--model", "oracle", "--model", "marginal", "--data", "wage-panel")
    assert status == 1
    assert "perplexity of the actual state" in out
    assert err.splitlines()[-1].startswith("error: oracle knows the probabilities of simulated panels only")


def test_years_that_nobody_was_seen_in_are_forecast_for_all(harness: InProcess) -> None:
    status, out, err = harness("--model", "marginal", "--data", "wage-panel", "--from", "1987", "--horizon", "2")
    assert status == 0, err
    assert "Nobody was observed in 1988, 1989: forecasts of all, with their 95% intervals." in out
    assert "perplexity" not in out


def test_interrupted_it_says_what_is_kept(harness: InProcess, tmp_path: Path) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    harness.monkeypatch.setattr(forecast_careers, "collect", stop)
    status, out, err = harness("--model", "marginal", "--data", "wage-panel", "--out", str(tmp_path / "c.parquet"))
    assert (status, out) == (130, "")
    assert "models that were fitted are kept" in err
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_one_outcome_has_nothing_to_sample(workshop: Workshop) -> None:
    spec = replace(workshop.registry.model("markov").item, name="exits", only_task="lf_exit", params=NoParams)
    run: Any = Run(
        model=replace(workshop.registry.model("markov"), item=spec),
        params=NoParams(),
        tasks=(),
        panel=open_panel("wage-panel"),
    )
    with pytest.raises(Exception, match="'exits' predicts the outcome of task 'lf_exit' alone: it has no next state"):
        forecast(run, plan(run.panel), 2, workshop)


@pytest.mark.slow
@pytest.mark.survey
def test_a_survey_is_forecast(harness: InProcess, nlsy97: Path, tmp_path: Path) -> None:
    """An eighth of the persons, for time."""
    panel = open_panel(nlsy97)
    write_panel(panel.select(np.arange(0, panel.n_persons, 8)), tmp_path / "some", "parquet")
    place = str(tmp_path / "some")
    line = ["--model", "markov", "--model", "marginal", "--data", place, "--from", "2013", "--samples", "2"]
    status, out, err = harness(*line, "--json")
    assert status == 0, err
    periods = json.loads(out)["periods"]
    first, last = periods[0]["forecasts"], periods[-2]["forecasts"]
    assert 5 < first[1]["perplexity"]["value"] < 20 < first[2]["perplexity"]["value"]
    assert last[1]["perplexity"]["value"] > 2 * first[1]["perplexity"]["value"]  # the further, the less is known
    far = [line["occupations"]["distance"]["value"] for line in first]
    assert far[0] < far[1] < far[2]
