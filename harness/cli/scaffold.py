"""harness new-plugin: a third-party model that installs, is found, runs, and passes the test that comes with it.

The model it writes is a real one, small enough to read in a minute: shrunk transition frequencies.
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from harness.errors import RequestError
from harness.system.files import require_writable_folder
from harness.system.version import installed_version

PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{distribution}"
version = "0.1.0"
description = "A model of a worker's next occupation, for Harness."
requires-python = ">=3.11"
dependencies = ["labor-harness>={version}"]

# This line is all that makes the model known to harness.
[project.entry-points.harness]
{name} = "{module}"

[tool.setuptools]
py-modules = ["{module}"]
"""

MODULE = '''\
"""{name}: shrunk first-order transition frequencies. Replace them with a model of your own."""

from pathlib import Path

import numpy as np
from harness.hookspecs import hookimpl
from harness.model import Model, ModelSpec, Params, take_states
from pydantic import Field


class Parameters(Params):
    """Parameters that ``--set {name}.weight=2`` may change; ``harness show {name}`` prints them."""

    weight: float = Field(default=5.0, gt=0, description="transitions that the margin counts for in each row")


class {class_name}(Model):
    """P(next | origin) = (transitions + weight x margin) / (departures + weight)."""

    def __init__(self, params):
        self.params = params

    def fit(self, train, valid, context):
        K = train.n_states
        margin = np.bincount(train.state, minlength=K) + 1.0
        self.margin = margin / margin.sum()  # [K], positive for states never seen
        counts = np.zeros((K, K))
        np.add.at(counts, (train.origin(train.transitions), train.state[train.transitions]), 1)
        self.rows = counts + self.params.weight * self.margin
        self.rows /= self.rows.sum(axis=1, keepdims=True)  # [K, K], each row sums to one

    def log_prob(self, panel, transitions, states):
        origin = panel.origin(transitions)  # [n], -1 for a career's first record
        rows = np.where(origin[:, None] < 0, self.margin, self.rows[origin])
        return take_states(np.log(rows), states)

    def save(self, folder: Path):
        np.savez(folder / "model.npz", margin=self.margin, rows=self.rows)

    def load(self, folder: Path):
        with np.load(folder / "model.npz", allow_pickle=False) as saved:
            self.margin, self.rows = saved["margin"], saved["rows"]

    def facts(self):
        return {{"parameters_trained": int(self.rows.size)}}


@hookimpl
def harness_models():
    return [ModelSpec("{name}", "shrunk transition frequencies", {class_name}, params=Parameters)]
'''

TEST = '''\
"""The model is found by harness, and satisfies what every model must."""

import pytest
from harness import open_panel
from harness.model.audit import audit
from harness.registry import load_registry


@pytest.fixture(scope="module")
def registry():
    return load_registry()


def test_found(registry):
    assert registry.models["{name}"].owner == "{distribution}"


def test_satisfies_the_contract(registry):
    spec = registry.model("{name}").item
    panel = open_panel("market", registry=registry, settings={{"persons": "200"}})
    problems = [finding for finding in audit(spec, spec.params(), panel) if finding.problem]
    assert problems == []
'''

README = """\
# {distribution}

A model for Harness (labor-harness).

    pip install -e . pytest
    pytest
    harness run --task next_occ --model {name}
"""


def write_plugin(name: str, parent: Path) -> Path:
    """Write the plugin's folder, ``harness-NAME``, below ``parent``. RequestError for a bad name or an existing one."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise RequestError(
            f"'{name}' cannot name a plugin: use lower-case letters, digits and single hyphens, as in my-model"
        )
    folder = parent / f"harness-{name}"
    if folder.exists():
        raise RequestError(f"{folder} exists already; choose another name, or move it away")
    module = f"harness_{name.replace('-', '_')}"
    words = {
        "name": name,
        "distribution": f"harness-{name}",
        "module": module,
        "class_name": "".join(part.capitalize() for part in name.split("-")),
        "version": installed_version().partition("+")[0],  # no build of it: pip knows no >= of one
    }
    require_writable_folder(folder)
    (folder / "tests").mkdir(parents=True)
    for path, template in {
        "pyproject.toml": PYPROJECT,
        f"{module}.py": MODULE,
        f"tests/test_{module}.py": TEST,
        "README.md": README,
    }.items():
        (folder / path).write_text(template.format(**words), encoding="utf-8")
    return folder
