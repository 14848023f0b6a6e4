"""The import graph of the sources: every import of one module by another, wherever in the file it stands."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """One module imports another; imports for type checkers alone are none."""

    importer: str
    imported: str

    @property
    def room(self) -> str:
        return _room(self.importer)

    @property
    def imported_room(self) -> str:
        return _room(self.imported)

    def __str__(self) -> str:
        return f"{self.importer} imports {self.imported}"


@dataclass(frozen=True)
class Graph:
    """All imports between modules of ``harness``, its plugins and tasks included."""

    imports: tuple[Import, ...]

    @classmethod
    def of_checkout(cls, root: Path) -> Graph:
        files = {_module(path, root): path for top in ("harness", "plugins", "tasks") for path in _files(root / top)}
        found = [
            Import(module, imported)
            for module, path in files.items()
            for imported in _imported(ast.parse(path.read_text()), set(files))
            if imported != module
        ]
        return cls(tuple(dict.fromkeys(found)))

    def with_imports(self, further: Iterable[Import]) -> Graph:
        return replace(self, imports=(*self.imports, *further))

    def circles(self) -> list[list[str]]:
        """The modules of a circle of imports, or nothing."""
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for one in self.imports:
            sorter.add(one.importer, one.imported)
        try:
            sorter.prepare()
        except CycleError as error:
            return [list(error.args[1])]
        return []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.py") if not any(parent.is_symlink() for parent in path.parents)]


def _module(path: Path, root: Path) -> str:
    """The dotted name under which a file is installed."""
    parts = list(path.relative_to(root).with_suffix("").parts)
    if parts[0] in ("plugins", "tasks"):
        parts.insert(0, "harness")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(tree: ast.Module, modules: set[str]) -> Iterator[str]:
    checked = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in checked:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "harness":
            assert node.level == 0, "relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules else node.module


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"
