"""``harness run --train-also``: what a language model learns of careers that only another panel holds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import open_panel
from harness.cli import main
from harness.data.write import write_panel
from harness.panel.careers import Covariate, Panel
from harness.panel.occupations import Occupations, Status
from harness.plugins.llm.params import LlmParams
from harness.plugins.llm.specs import build
from harness.system.machine import cache_folder

TINY = {
    "pool": "school",
    "base_layers": 1,
    "base_width": 32,
    "base_heads": 2,
    "base_tokens": 8_000,
    "base_batch_tokens": 256,
    "base_learning_rate": 1e-2,
    "rank": 4,
    "epochs": 4,
    "min_gain": 0.0,
    "batch_tokens": 256,
    "learning_rate": 1e-2,
    "average": 0.5,
}


def panel(name: str, titles: tuple[str, ...], states: list[list[int]], split: list[int], **changes: Any) -> Panel:
    """One career of three years for each list of states."""
    n, k = len(states), len(titles)
    kinds = Covariate("categorical", np.repeat(np.arange(n) % 2, 3), ("female", "male"), fixed=True)
    return Panel(
        name=name,
        persons=np.array([f"{name}{i}" for i in range(n)]),
        offsets=np.arange(n + 1) * 3,
        year=np.tile(np.arange(2000, 2003), n),
        state=np.array(states).reshape(-1),
        occupations=Occupations(tuple(f"{name}-{i}" for i in range(k)), titles, ("1",) * k, (Status.EMPLOYED,) * k),
        split=np.array(split),
        covariates={"gender": kinds},
        **changes,
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """home: nobody moves from nurse to clerk in training, everybody in the test split. away: everybody does."""
    folder = tmp_path_factory.mktemp("panels")
    titles = ("Registered nurses", "Office clerks", "Welders")
    home = panel("home", titles, [[0, 0, 0], [2, 2, 2]] * 12 + [[0, 0, 1]] * 6, [0] * 20 + [1] * 4 + [2] * 6)
    away = panel(
        "away", ("office  CLERKS", "Bakers", "Registered Nurses"), [[2, 2, 0], [2, 0, 0]] * 16, [0] * 30 + [1, 2]
    )
    twins = panel("twins", ("Bakers", "BAKERS", "Registered nurses"), [[2, 2, 0]] * 3, [0, 1, 2])
    drawn = np.random.default_rng(0).integers(0, 3, size=(24, 3)).tolist()  # what the base reads first
    school = panel("school", titles, drawn, [0, 1, 2] * 8)
    for made in (home, away, twins, school):
        write_panel(made, folder / made.name)
    return folder


class Harness:
    """The command, in this process, in a folder of its own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.patch, self.capture = folder, patch, capture

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self.patch.setattr(sys, "argv", ["harness", *arguments])
        self.patch.chdir(self.folder)
        with pytest.raises(SystemExit) as left:
            main()
        said = self.capture.readouterr()
        return int(left.value.code or 0), said.out, said.err


@pytest.fixture
def harness(folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Harness:
    return Harness(folders, monkeypatch, capsys)


def line(*more: str, given: dict[str, Any] | None = None) -> list[str]:
    settings = [part for name, value in (TINY | (given or {})).items() for part in ("--set", f"{name}={value}")]
    return ["run", "--task", "next_occ", "--model", "llm-lora", "--data", "home", *settings, "--json", *more]


def test_what_only_the_other_panel_shows_is_learned(harness: Harness) -> None:
    records = {}
    for name, more in {"alone": (), "both": ("--train-also", "away")}.items():
        status, out, err = harness(*line(*more))
        assert status == 0, err
        [records[name]] = json.loads(out)
    alone, both = records["alone"], records["both"]
    assert both["figures"]["log_likelihood"] > alone["figures"]["log_likelihood"] + 3
    assert "persons_pooled" not in alone["facts"]
    assert "train_also" not in alone["configuration"]
    facts = both["facts"]
    assert (facts["persons_pooled"], facts["titles_pooled"], facts["titles_matched"]) == (30, 3, 2)
    assert [also["name"] for also in both["configuration"]["train_also"]] == ["away"]
    assert facts["tokens_added"] > alone["facts"]["tokens_added"]  # words of the other panel, too
    assert said_of_validation(facts) == pytest.approx(min(facts["validation_loss"]), abs=1e-4)
    status, out, err = harness(*line("--train-also", "away"))
    assert "read from the record" in err
    status, out, err = harness(*line("--train-also", "away")[:-3], "--train-also", "away", "--set", "tolerance=0.1")
    assert status == 0, err  # another request with the same fit: what was saved is enough
    assert "llm-lora (" in out
    assert "train also away)" in out


def said_of_validation(facts: dict[str, Any]) -> float:
    """Minus the mean ln P of the validation split of --data, from what the cache holds of this fit and nothing else."""
    [fit] = [
        path.parent
        for path in (cache_folder() / "fits").glob("llm-lora-*/fit.json")
        if facts | json.loads(path.read_text())["facts"] == facts
    ]
    model = build(LlmParams(**TINY))
    model.load(fit / "model")
    valid = open_panel(Path("home")).part("valid")
    states = valid.state[valid.transitions].astype(np.int64)[:, None]
    return -float(model.log_prob(valid, valid.transitions, states).mean())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (line("--train-also", "home"), "'home' is the same panel as that of --data"),
        (line("--train-also", "nowhere"), "'nowhere' is no data set"),
        (line("--train-also", "twins"), "'twins' has one for two of its states, 'twins-0' and 'twins-1'"),
        (line("--train-also", "away", given={"tuning": "none"}), "tuning=none trains nothing: leave out --train-also"),
        (line("--train-also", "away", given={"titles": "codes"}), "leave out llm-lora.titles=codes"),
        (
            ["run", "--task", "next_occ", "--model", "markov", "--data", "home", "--train-also", "away"],
            "model 'markov' is trained on one panel alone: leave out --train-also, or ask for a model that pools "
            "panels (llm-lora)",
        ),
    ],
)
def test_what_cannot_be_pooled_is_one_clear_line(harness: Harness, arguments: list[str], message: str) -> None:
    status, _, err = harness(*arguments)
    assert status == 2
    assert message in err
    assert "Traceback" not in err
