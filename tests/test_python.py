"""The package from Python: what the command line does, with frames, pages and figures in the place of text."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from helpers.commands import typed

import harness
from harness.errors import DataError, RequestError
from harness.records.store import Store
from harness.render.results import Results


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("python")


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    """Two models on two tasks of a small market."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        return harness.run(
            "market",
            {"marginal": {"pseudo_count": 2}, "markov": {}},
            ["next_occ", "switch"],
            settings={"persons": 120},
            records=folder / "r",
            progress=False,
        )


def test_a_run_leaves_the_records_of_the_command_line(results: Results, folder: Path) -> None:
    records = Store(folder / "r").all()
    assert len(records) == 4
    assert {r.configuration.task for r in records} == {"next_occ", "switch"}
    assert {r.configuration.parameters["pseudo_count"] for r in records if r.configuration.model == "marginal"} == {2.0}
    assert len(results) == 2
    assert results["switch"].task == "switch"
    with pytest.raises(RequestError, match="there is no board of 'swich'; did you mean 'switch'"):
        results["swich"]


def test_a_frame_has_the_figures_of_the_records(results: Results, folder: Path) -> None:
    frame = results.to_frame()
    assert list(frame.columns[:5]) == ["panel", "task", "rank", "label", "perplexity_value"]
    assert len(frame) == 4
    for record in Store(folder / "r").all():
        [row] = frame[frame["record"] == record.id].to_dict("records")
        assert row["perplexity_value"] == pytest.approx(record.figures["perplexity"])
        assert row["figures_log_likelihood"] == pytest.approx(record.figures["log_likelihood"])


def test_boards_are_read_again_and_compared(results: Results, folder: Path) -> None:
    again = harness.board(folder / "r", task="next_occ")
    assert again.to_frame()["record"].tolist() == results.to_frame().query("task == 'next_occ'")["record"].tolist()
    runs = again.to_frame()["record"].tolist()
    compared = harness.compare(*runs, records=folder / "r")
    per = [np.log(value) for value in compared["perplexity"]]
    assert compared["difference"][1] == pytest.approx(per[0] - per[1])


def test_a_notebook_shows_the_page(results: Results) -> None:
    shown = results._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "markov" in shown
    assert "<script>alert" not in shown
    assert "| markov" in repr(results)
    assert "&lt;" not in repr(results)


def test_figures(results: Results, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for kind in ("forest", "differences", "reliability", "frontier"):
        file = tmp_path / f"{kind}.svg"
        figure: Any = results.plot(kind, task="switch")
        figure.savefig(file)
        assert "<svg" in file.read_text()
        shown = figure._repr_html_()
        assert shown.startswith('<img alt="figure" src="data:image/svg+xml;base64,')
    with pytest.raises(RequestError, match="has no learning curve: harness run --train-persons N"):
        results.plot("learning")
    with pytest.raises(RequestError, match="no figure is called 'forrest'; did you mean 'forest'"):
        results.plot("forrest")


def test_an_open_panel_and_a_frame_of_probabilities(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(folder / "cache"))
    panel = harness.open_panel("market", {"persons": 120})
    assert harness.describe(panel).persons == 120
    test = panel.part("test")
    later = test.transitions
    table = pd.DataFrame({"person": test.persons[test.person[later]], "year": test.year[later], "probability": 0.25})
    scored = harness.score(table, "quarter", panel, "switch", records=folder / "r2")
    [row] = scored.to_frame().to_dict("records")
    happened = test.state[later] != test.origin(later)
    expected = -float(np.mean(np.log(np.where(happened, 0.25, 0.75))))
    assert np.log(row["perplexity_value"]) == pytest.approx(expected, abs=1e-6)
    ran = harness.run(panel, ["markov"], "switch", records=folder / "r3", progress=False)
    assert ran.to_frame()["model"].tolist() == ["markov"]


def test_a_forecast_is_that_of_the_command_line(folder: Path) -> None:
    line = ["forecast", "--model", "marginal", "--set", "data.persons=120", "--set", "marginal.pseudo_count=5"]
    line += ["--from", "2019", "--horizon", "2", "--samples", "3", "--json"]
    said = json.loads(typed(folder, *line, HARNESS_CACHE=str(folder / "cache")).stdout)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        of_name = harness.forecast(
            "market",
            ["marginal"],
            since=2019,
            horizon=2,
            samples=3,
            settings={"persons": 120},
            params={"marginal": {"pseudo_count": 5}},
            progress=False,
        )
        panel = harness.open_panel("market", {"persons": 120})
        of_panel = harness.forecast(panel, {"marginal": {"pseudo_count": 5}}, 2019, 2, samples=3, progress=False)
    for made in (of_name, of_panel):
        told = made.to_dict()
        assert told["periods"] == said["periods"]
        assert told["seed"] == said["seed"]
    frame = of_name.to_frame()
    assert set(frame["forecast"]) == {"actual", "as in 2019", "marginal"}
    for _, shares in frame[frame["level"] == "statuses"].groupby(["period", "forecast"]):
        assert shares["value"].sum() == pytest.approx(1, abs=1e-5)
    assert "<table" in of_name._repr_html_()
    assert "perplexity of the actual state" in repr(of_name)
    assert of_name.save_careers(folder / "careers.parquet") == len(pd.read_parquet(folder / "careers.parquet"))
    pytest.importorskip("matplotlib")
    of_name.plot().savefig(folder / "forecast.svg")
    assert "<!-- as in 2019 -->" in (folder / "forecast.svg").read_text()


def test_a_forecast_refuses_what_it_has_no_use_for() -> None:
    with pytest.raises(RequestError, match="there is no argument 'seeds'; did you mean 'seed'"):
        harness.forecast("market", ["marginal"], seeds=3)  # type: ignore[call-arg]
    with pytest.raises(RequestError, match="samples: Input should be greater than or equal to 1"):
        harness.forecast("market", ["marginal"], samples=0)


def test_a_frame_is_read_as_a_file_is(tmp_path: Path) -> None:
    rows = [(f"p{i:02d}", 2000 + t, "xyz"[(i * t) % 3], float(i + t)) for i in range(40) for t in range(3)]
    frame = pd.DataFrame(rows, columns=["ID", "YR", "JOB", "wage"])
    columns = {"person": "ID", "year": "YR", "occupation": "JOB"}
    frame.to_csv(tmp_path / "careers.csv", index=False)
    of_file = harness.open_panel(tmp_path / "careers.csv", columns=columns)
    for given in (frame, pa.Table.from_pandas(frame)):
        panel = harness.from_frame(given, "careers", columns=columns)
        assert panel.name == "careers"
        assert panel.persons.tolist() == of_file.persons.tolist()
        assert panel.state.tolist() == of_file.state.tolist()
        assert panel.covariates["wage"].values.tolist() == of_file.covariates["wage"].values.tolist()
    with pytest.raises(RequestError, match="str is no frame that can be read"):
        harness.from_frame("careers", columns=columns)
    with pytest.raises(DataError, match="column 'JOB'"):
        harness.from_frame(frame.assign(JOB=frame["JOB"].where(frame["wage"] > 3)), columns=columns)


def test_frames_of_panel_data_are_read_as_their_authors_mean_them(tmp_path: Path) -> None:
    rows = [(f"p{i:02d}", 2000 + t, "xyz"[(i * t) % 3]) for i in range(40) for t in range(3)]
    frame = pd.DataFrame(rows, columns=["person", "year", "occupation"])
    plain = harness.from_frame(frame, "jobs")
    indexed = harness.from_frame(frame.set_index(["person", "year"]), "jobs")
    yearly = frame.assign(year=pd.PeriodIndex(frame["year"].astype(str), freq="Y"))
    assert plain.fingerprint() == indexed.fingerprint() == harness.from_frame(yearly, "jobs").fingerprint()
    quarterly = frame.assign(year=pd.PeriodIndex(frame["year"].astype(str) + "Q3", freq="Q"))
    assert harness.describe(harness.from_frame(quarterly, "jobs")).figures()[3] == ["quarters", "2000-Q3 to 2002-Q3"]
    with pytest.raises(RequestError, match=r"column mixed .*text or numbers in each column"):
        harness.from_frame(frame.assign(mixed=[1, "a"] * 60), "jobs")
    with pytest.raises(RequestError, match="name 'a/b'"):
        harness.from_frame(frame, "a/b")
    calls: list[Any] = [harness.open_panel, harness.describe, partial(harness.run, models=["markov"], records=tmp_path)]
    for call in calls:
        with pytest.raises(RequestError, match="from_frame"):
            call(frame)
    shown = repr(harness.describe(plain)).splitlines()
    assert shown[0] == "jobs"
    assert shown[1].split() == ["persons", "40"]


def test_options_of_an_open_panel_are_heeded_or_refused(folder: Path) -> None:
    panel = harness.open_panel("market", {"persons": 120})
    with pytest.raises(RequestError, match="columns: is for careers by name or path"):
        harness.describe(panel, columns={"person": "ID"})
    with pytest.raises(RequestError, match=r"--weights wt: .* has no such column"):
        harness.score(pd.DataFrame({"person": ["a"]}), "mine", panel, weights="wt", records=folder / "r2")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda at: harness.board(at / "none"), "no such folder of records"),
        (lambda at: harness.board(at / "r", task="nextocc"), "no record of task 'nextocc'; did you mean 'next_occ'"),
        (lambda at: harness.board(at / "r", data="markett"), "no record of panel 'markett'"),
        (lambda at: harness.compare("a", "b", records=at / "none"), "no such folder of records"),
        (lambda at: harness.compare(cast(Any, ["a", "b"]), records=at / "r"), r"compare\('RUN', 'RUN'\)"),
        (lambda at: harness.explain("market-persons-120-seed-1/switch/markof", at / "r"), "did you mean '.*/markov'"),
    ],
)
def test_records_that_are_not_there_are_told(
    call: Callable[[Path], object], told: str, results: Results, folder: Path
) -> None:
    assert len(results) == 2  # their records are in the folder
    with pytest.raises(RequestError, match=told):
        call(folder)


@pytest.mark.parametrize(
    ("models", "tasks", "told"),
    [
        ([], "next_occ", "models: give names"),
        (None, "next_occ", "models: give names"),
        ([("gbm", {"rounds": 3})], "next_occ", "models: give names"),
        ("markof", "next_occ", "no model is called 'markof'; did you mean 'markov'"),
        ("markov", [], "tasks: none is named"),
    ],
)
def test_models_and_tasks_that_name_nothing_are_one_line(models: Any, tasks: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=told):
        harness.run("market", models, tasks, records=tmp_path, progress=False)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"params": {"gbm": {"rounds": 3}}}, "params: 'gbm' is no model of this call; known: markov"),
        ({"time_limit": "long"}, "time_limit: 'long' is no number of seconds above 0"),
        ({"device": "gpu", "settings": {"persons": 120}}, "device 'gpu' is none that there is"),
        ({"columns": "ID"}, "columns: ID: write columns: name=value"),
        ({"century": 1930}, r"there is no argument 'century'; say how a file is read as reading=\{'century': \.\.\.\}"),
        ({"score_jobs": 0}, "score_jobs: 0 processes score nothing; ask for one or more"),
        ({"seds": 3}, "there is no argument 'seds'; did you mean 'seeds'"),
        ({"seed": -1}, "seed: Input should be greater than or equal to 0"),
        ({"params": {"markov": {"wieght": 1}}}, "'markov' has no parameter 'wieght'"),
    ],
)
def test_wrong_arguments_are_one_line(options: dict[str, object], told: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=told):
        harness.run("market", ["markov"], records=tmp_path, progress=False, **options)  # type: ignore[arg-type]


def test_the_package_imports_nothing_heavy() -> None:
    code = "import harness, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"numpy", "pandas", "torch", "pydantic", "typer", "rich", "matplotlib", "scipy"}
