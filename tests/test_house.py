"""The rules of the house that a reader relies on, held by reading the source: the import graph, and sizes."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from helpers.imports import Graph, Import
from helpers.paths import ROOT

HEAVY = [
    "torch",
    "transformers",
    "peft",
    "lightgbm",
    "statsmodels",
    "linearmodels",
    "sklearn",
    "scipy",
    "pandas",
    "pyarrow",
    "arch",
    "yaml",
    "optuna",
    "mlflow",
    "wandb",
]

# From the bottom up: a room imports only rooms that stand before it, wherever in a file the import stands.
ROOMS = (
    "types",
    "errors",
    "system",
    "stats",
    "panel",
    "model",
    "hookspecs",
    "features",
    "estimation",
    "training",
    "network",
    "data",
    "records",
    "registry",
    "runs",
    "boards",
    "claims",
    "forecasts",
    "submission",
    "render",
    "cli",
    "__init__",
    "__main__",
)

# The promised API: all that a plugin or a task imports of the core.
PROMISED = (
    "harness.types",
    "harness.errors",
    "harness.hookspecs",
    "harness.system",
    "harness.stats",
    "harness.panel",
    "harness.model",
    "harness.features",
    "harness.estimation",
    "harness.training",
    "harness.network",
)
# The oracle's truth is the generator of the simulated market.
FURTHER = {"harness.plugins.oracle": ("harness.data.market",)}
SOURCES = sorted(path for top in ("harness", "plugins", "tasks") for path in (ROOT / top).rglob("*.py"))


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """All nodes of a file's syntax, read once for all tests."""
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return Graph.of_checkout(ROOT)


def breaches(graph: Graph) -> list[str]:
    """Every import that the house forbids, in words."""
    found = [f"{' -> '.join(circle)}: a circle" for circle in graph.circles()]
    for one in graph.imports:
        if one.importer.startswith(("harness.plugins.", "harness.tasks.")):
            found += _of_plugin(one)
        elif one.imported.startswith(("harness.plugins", "harness.tasks")):
            found.append(f"{one}: the core knows no plugin")
        elif ROOMS.index(one.room) < ROOMS.index(one.imported_room):
            found.append(f"{one}: room '{one.imported_room}' stands above '{one.room}'")
    return found


def _of_plugin(one: Import) -> list[str]:
    own = ".".join(one.importer.split(".")[:3])
    if _lies_in(one.imported, (own, *PROMISED, *FURTHER.get(own, ()))):
        return []
    if one.imported.startswith(("harness.plugins", "harness.tasks")):
        return [f"{one}: plugins never import one another"]
    return [f"{one}: not of the promised API"]


def _lies_in(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_arrows_point_one_way(graph: Graph) -> None:
    assert breaches(graph) == []


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        (("harness.hookspecs", "harness.cli"), "room 'cli' stands above 'hookspecs'"),
        (("harness.runs.execute", "harness.runs.explain", "harness.runs.execute"), "a circle"),
        (("harness.plugins.markov", "harness.render.html.page"), "not of the promised API"),
        (("harness.plugins.markov", "harness.plugins.marginal"), "plugins never import one another"),
        (("harness.runs.fits", "harness.plugins.mnl"), "the core knows no plugin"),
    ],
)
def test_a_planted_breach_is_caught(graph: Graph, planted: tuple[str, ...], found: str) -> None:
    wrong = [Import(here, there) for here, there in pairwise(planted)]
    assert any(found in breach for breach in breaches(graph.with_imports(wrong)))


def test_the_core_names_no_model(graph: Graph) -> None:
    """Neither a plugin's model nor a parameter of one; ``marginal`` is the null model of McFadden's R2."""
    words = re.compile(r"""["'](llm-lora|gbm|mnl|softmax|markov|base_layers|tuning|shots)["']""")
    named = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in SOURCES
        if path.is_relative_to(ROOT / "harness") and not path.is_relative_to(ROOT / "harness" / "data")
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for match in [words.fullmatch(repr(node.value))]
        if match
    ]
    assert named == []


def test_every_room_has_its_place() -> None:
    rooms = {
        path.stem for path in (ROOT / "harness").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert rooms - {"plugins", "tasks"} == set(ROOMS)
    assert len(rooms) <= 25


def test_the_table_of_where_code_goes_is_the_tree() -> None:
    """Each room has a line in the table of CONTRIBUTING, and each line a room."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.split("<!-- rooms -->")[1].split("<!-- end -->")[0]
    told = {match.group(1).removesuffix(".py") for match in re.finditer(r"^\| `([\w/.]+?)/?` \|", table, re.MULTILINE)}
    tops = {"plugins", "tasks", "tests", "leaderboards", "docs"}
    assert told - tops == {f"harness/{room}" for room in ROOMS if not room.startswith("__")}
    assert tops <= told


def test_calls_name_their_arguments() -> None:
    """At most four stand by position, but of functions that take any number, and in rows of a table of data."""
    many = ("zip", "element", "frame.picture", "Progress", "varlen_attn")
    rows = {ROOT / "harness" / "data" / "market" / name for name in ("titles.py", "skills.py")}
    found = [
        f"{path}:{node.lineno}: {ast.unparse(node.func)}"
        for path in SOURCES
        if path not in rows
        for node in nodes_of(path)
        if isinstance(node, ast.Call)
        and sum(not isinstance(a, ast.Starred) for a in node.args) > 4
        and ast.unparse(node.func) not in many
        and not ast.unparse(node.func).endswith((".view", ".permute"))
    ]
    assert found == []


def test_no_two_classes_share_a_name() -> None:
    names = [node.name for path in SOURCES for node in nodes_of(path) if isinstance(node, ast.ClassDef)]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_files_and_functions_stay_small() -> None:
    large = []
    for path in SOURCES:
        lines = path.read_text().splitlines()
        large += [f"{path}: {len(lines)} lines"] if len(lines) > 310 else []
        for node in nodes_of(path):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno is not None
                body = [line for line in lines[node.lineno - 1 : node.end_lineno] if line.strip()]
                limit = 85 if path.is_relative_to(ROOT / "harness" / "cli") else 45  # options take a line each there
                large += [f"{path}: {node.name} has {len(body)} lines"] if len(body) > limit else []
    assert large == []


def test_no_heavy_import_before_it_is_needed() -> None:
    """``harness --help`` and ``harness list`` import none of the libraries that take seconds."""
    code = (
        "import sys; sys.argv = ['harness', 'list', '--json']\n"
        "from harness.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_nothing_of_unix_is_imported_before_it_is_needed() -> None:
    """Every command starts where there is neither ``resource`` nor ``fcntl``, as on Windows."""
    code = (
        "import sys\n"
        "for name in ('resource', 'fcntl', 'pwd', 'grp', 'termios'): sys.modules[name] = None\n"
        "sys.argv = ['harness', '--help']\n"
        "import harness.cli, harness.runs.execute, harness.system.files, harness.system.machine\n"
        "try: harness.cli.main()\nexcept SystemExit as end: sys.exit(end.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_large_and_no_survey_data_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert [str(f) for f in files if f.is_file() and f.stat().st_size > 1_000_000] == []
    assert [str(f) for f in files if "nlsy" in f.name.lower()] == []
