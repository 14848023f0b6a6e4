"""The import closure of modules: which code a result depends on, and that nothing else changes its digest."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.paths import ROOT

from harness.system import sources

SCORED_BY = ["harness.runs.fits", "harness.runs.scoring"]


class Checkout:
    """A copy of the sources that may be edited, and the digests of models as a new process finds them there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for top in ("harness", "plugins", "tasks"):
            shutil.copytree(ROOT / top, folder / top, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))

    def digests(self) -> dict[str, str]:
        models = ["marginal", "oracle", "llm", "mnl"]
        code = (
            "import json; from harness.system.sources import digest, file_of\n"
            f"assert str(file_of('harness.errors')).startswith({str(self.folder)!r})\n"
            f"print(json.dumps({{m: digest('harness.plugins.' + m, *{SCORED_BY}) for m in {models}}}))"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        found: dict[str, str] = json.loads(done.stdout)
        return found

    def edit(self, file: str, pattern: str, by: str) -> None:
        path = self.folder / file
        text, times = re.subn(pattern, by, path.read_text(), count=1)
        assert times == 1, f"{pattern} is not in {file}"
        path.write_text(text)

    def move(self, old: str, new: str) -> None:
        """A module or a package by another name, and every import of it."""
        here, there = (
            self.folder.joinpath(*name.replace("harness.plugins", "plugins").split(".")) for name in (old, new)
        )
        if not here.is_dir():
            here, there = here.with_suffix(".py"), there.with_suffix(".py")
        here.rename(there)
        for path in self.folder.rglob("*.py"):
            path.write_text(re.sub(rf"\b{re.escape(old)}\b(?=[. ])", new, path.read_text()))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {model for model, digest in before.items() if after[model] != digest}


def test_a_comment_a_docstring_a_layout_and_a_move_change_nothing(checkout: Checkout) -> None:
    before = checkout.digests()
    checkout.edit("harness/records/evidence.py", r'\A"""', '"""Another first line. ')
    checkout.edit("harness/records/evidence.py", r"\Z", "\n# a comment at the end\n")
    checkout.edit("harness/model/contract.py", r"\"\"\"Seed of every", '"""The seed of every')  # of an attribute
    checkout.edit("plugins/marginal.py", r"\nimport numpy as np\n", "\n\n\nimport numpy as np  # arrays\n")
    checkout.move("harness.stats.calibration", "harness.stats.slopes")
    checkout.move("harness.plugins.llm.scoring", "harness.plugins.llm.pricing")
    assert checkout.digests() == before


def test_a_constant_changes_the_models_that_depend_on_it(checkout: Checkout) -> None:
    found = [checkout.digests()]

    def after(file: str, pattern: str, by: str) -> set[str]:
        checkout.edit(file, pattern, by)
        found.append(checkout.digests())
        return changed(*found[-2:])

    everything = {"marginal", "oracle", "llm", "mnl"}
    assert after("harness/records/evidence.py", r"\bnp\.round\(values, ", "np.round(values + 0, ") == everything
    assert after("harness/data/market/posterior.py", r"(\d)\.0\b", r"\1.5") == {"oracle"}
    assert after("plugins/llm/scoring/trie.py", r"\Z", "\nFURTHER = 1\n") == {"llm"}
    assert after("plugins/mnl/solve.py", r"\Z", "\nFURTHER = 1\n") == {"mnl"}
    assert after("harness/cli/run.py", r"\Z", "\nFURTHER = 1\n") == set()
    assert after("harness/render/boards/table.py", r"\Z", "\nFURTHER = 1\n") == set()
    assert after("harness/system/progress.py", r"\Z", "\nFURTHER = 1\n") == set()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stranger's package of a model: imports that are relative, inside functions, and for type checkers alone."""
    folder = tmp_path / "stranger"
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text("from .model import Model\n\n__all__ = ['Model']\n")
    (folder / "model.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from stranger.types_only import T\n"
        "class Model:\n    def fit(self):\n        from .deep import inner\n        return inner.ONE\n"
    )
    (folder / "types_only.py").write_text("T = int\n")
    (folder / "unused.py").write_text("ONE = 1\n")
    (folder / "deep" / "__init__.py").write_text("")
    (folder / "deep" / "inner.py").write_text("import numpy\nfrom harness.model import take_states\nONE = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for cached in (sources.digest, sources.file_of, sources._place, sources._source):
        cached.cache_clear()


def test_a_closure_follows_what_is_imported_and_no_more(package: Path) -> None:
    found = sources.closure("stranger")
    own = {name for name in found if name.startswith("stranger")}
    assert own == {"stranger", "stranger.model", "stranger.deep.inner"}
    assert "harness.model.contract" in found  # where the facade has the name from
    assert "harness.model.audit" not in found  # the facade's other names are not asked for
    assert not any(name.startswith(("numpy", "harness.system")) for name in found)


def test_a_digest_is_read_once_a_process(package: Path) -> None:
    before = sources.digest("stranger")
    (package / "deep" / "inner.py").write_text("ONE = 2\n")
    assert sources.digest("stranger") == before  # as the code is that the process has loaded
    for cached in (sources.digest, sources.file_of, sources._place, sources._source):
        cached.cache_clear()
    assert sources.digest("stranger") != before
