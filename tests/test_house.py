"""The house rules that a reader relies on, held by reading the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for top in ("harness", "plugins", "tasks") for path in (ROOT / top).rglob("*.py"))
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
]

# Inside the core arrows point one way: a module imports only from rooms below its own.
ROOMS = [
    {"types", "errors", "progress", "entry", "processes"},
    {"panel"},
    {"task", "model", "ensemble", "pooling"},
    {"events"},
    {
        "scoring",
        "calibration",
        "resampling",
        "inference",
        "confidence_set",
        "mixture",
        "weights",
        "design",
        "frequencies",
        "machine",
        "scratch",
        "settings",
    },
    {"features_history"},
    {"features"},
    {"features_contexts", "features_alternatives"},
    {"logits", "multinomial", "from_origin", "staged_samples"},
    {"staged"},
    {"training"},
    {"data"},
    {"evidence"},
    {"slices"},
    {"registry", "contract", "records"},
    {"recording", "rows"},
    {"run", "probabilities", "views"},
    {"runner", "leaderboard", "audit", "scaffold", "explain", "comparing", "differing"},
    {"ablations", "card", "claims", "forecast", "forecast_careers", "mixing", "submission"},
    {"forecast_report", "verify"},
    {"render", "forecast_files"},
    {"cli"},
    {"__main__"},
]


def module_of(path: Path) -> str:
    """The dotted name under which a file is installed."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] in ("plugins", "tasks"):
        parts.insert(0, "harness")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> list[tuple[str, bool]]:
    """(module, only for type checkers) of every import in the file, wherever it stands."""
    tree = ast.parse(path.read_text())
    checking = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in checking) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found += [(f"{node.module}.{alias.name}", id(node) in checking) for alias in node.names]
    return found


def room(module: str) -> int | None:
    name = module.split(".")[1] if "." in module else ""
    return next((i for i, names in enumerate(ROOMS) if name in names), None)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_point_one_way(path: Path) -> None:
    module = module_of(path)
    for imported, for_types in imports(path):
        if not imported.startswith("harness.") or for_types:
            continue
        if module.startswith(("harness.plugins", "harness.tasks")):
            own = ".".join(module.split(".")[:3])
            others = imported.startswith(("harness.plugins", "harness.tasks")) and not imported.startswith(own)
            assert not others, f"{module} imports {imported}: plugins import the core, never one another"
            assert not imported.startswith(("harness.cli", "harness.runs.execute", "harness.boards.board")), module
            continue
        assert not imported.startswith(("harness.plugins", "harness.tasks")), f"the core imports {imported}"
        here, there = room(module), room(imported)
        if module == "harness.data.open" and imported.startswith("harness.registry"):
            continue  # opens data sets by name, so it asks the registry, inside the function that needs it
        if here is not None and there is not None:
            assert there <= here, f"{module} imports {imported}, which lies above it"


def test_every_core_module_has_a_room() -> None:
    names = {module_of(path).split(".")[1] for path in SOURCES if module_of(path).startswith("harness.")}
    assert names - {"hookspecs", "plugins", "tasks"} == set().union(*ROOMS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 310
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            body = [line for line in text.splitlines()[node.lineno - 1 : node.end_lineno] if line.strip()]
            limit = 60 if path.is_relative_to(ROOT / "harness" / "cli") else 45  # options take a line each there
            assert len(body) <= limit, f"{node.name} has {len(body)} lines"


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


def test_nothing_large_and_no_survey_data_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert [str(f) for f in files if f.exists() and f.stat().st_size > 1_000_000] == []
    assert [str(f) for f in files if "nlsy" in f.name.lower()] == []
