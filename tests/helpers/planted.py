"""A plugin in a folder of its own, which the installed command finds by PYTHONPATH."""

from __future__ import annotations

from pathlib import Path

HEAD = """
import ctypes, os, time
import numpy as np
from harness.hookspecs import hookimpl
from harness.model import Model, ModelSpec, NoParams

class Uniform(Model):
    def __init__(self, params):
        pass
    def fit(self, train, valid, context):
        self.k = train.n_states
    def save(self, folder):
        (folder / "k.txt").write_text(str(self.k))
    def load(self, folder):
        self.k = int((folder / "k.txt").read_text())
    def log_prob(self, panel, transitions, states):
        return np.full(states.shape, -np.log(self.k), dtype=np.float32)
"""
TAIL = """
@hookimpl
def harness_models():
    return [ModelSpec(name, "a model of a test", Planted{spec}) for name in {names}]
"""


def plant(folder: Path, source: str, spec: str = "", further: tuple[str, ...] = ()) -> str:
    """Write a plugin whose model ``planted`` is the class ``Planted`` of the source; the value of PYTHONPATH.

    source: may build on ``Uniform``, numpy as ``np`` and the modules ctypes, os and time. spec: further arguments of
    its ``ModelSpec``. further: names of models of the same class.
    """
    about = folder / "planted-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[harness]\nplanted = planted_model\n")
    tail = TAIL.format(spec=f", {spec}" if spec else "", names=[*further, "planted"])
    (folder / "planted_model.py").write_text(HEAD + source + tail)
    return str(folder)
