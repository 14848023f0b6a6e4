"""Several processes at one fit: each trains, and all are scored with the one that came to be kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROCESSES = 5
SCRIPT = """
import json, os, random, sys, time
from pathlib import Path
import numpy as np
from harness.data.market import MarketParams, load_market
from harness.model import Model, ModelSpec, Params, take_states
from harness.registry import load_registry
from harness.runs.fits import Fits
from harness.runs.run import Run
from harness.system.entry import Entry

place, processes = Path(sys.argv[1]), int(sys.argv[2])

class Drawn(Model):
    '''Of no two processes the same, as fits on a graphics card may be.'''

    def __init__(self, params): ...

    def fit(self, train, valid, context):
        (place / f"ready-{os.getpid()}").touch()
        while len(list(place.glob("ready-*"))) < processes:
            time.sleep(0.005)
        time.sleep(random.random() / 10)  # some save after others have published
        share = np.random.default_rng(random.getrandbits(32)).random(train.n_states) + 0.1
        self.margin = share / share.sum()

    def log_prob(self, panel, transitions, states):
        return take_states(np.tile(np.log(self.margin), (len(transitions), 1)), states)

    def save(self, folder):
        (folder / "margin.json").write_text(json.dumps(self.margin.tolist()))

    def load(self, folder):
        self.margin = np.array(json.loads((folder / "margin.json").read_text()))

registry = load_registry()
entry = Entry(ModelSpec("drawn", "of chance", Drawn, params=Params), "tests", "1", "harness.model.task")
panel = load_market(MarketParams(persons=30))
run = Run(model=entry, params=Params(), tasks=(registry.task("next_occ"),), panel=panel)
run.fit_name  # the code is read once
children = []
for _ in range(processes):
    if (child := os.fork()) == 0:
        random.seed()
        fitted = Fits(cache=place / "cache", open_panel=registry.open_panel).fit(run)
        (place / f"said-{os.getpid()}").write_text(json.dumps(fitted.model.margin.tolist()))
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def test_the_second_takes_the_first_ones(tmp_path: Path) -> None:
    line = [sys.executable, "-c", SCRIPT, str(tmp_path), str(PROCESSES)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    [kept] = (tmp_path / "cache" / "fits").iterdir()
    margin = json.loads((kept / "model" / "margin.json").read_text())
    assert [json.loads(path.read_text()) for path in tmp_path.glob("said-*")] == [margin] * PROCESSES
