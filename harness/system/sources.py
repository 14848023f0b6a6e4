"""The code that a result depends on: the import closure of modules, as syntax trees.

A file counts as its syntax tree without docstrings, comments, type-checking blocks and import statements, and without
its name. So a comment, a moved module or another layout of lines is the same code, and a changed constant is not. No
file is imported to be read, and no list of files is kept by hand.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.system.content import remembered
from harness.system.machine import cache_folder

# No figure depends on a package that knows nothing of careers, nor on the signatures of hooks.
PLUMBING = ("harness.system", "harness.hookspecs")
IMPORTS = (ast.Import, ast.ImportFrom)
UNSAID = {"kind", "type_comment"}  # how a constant was written, and a comment


@cache
def digest(*modules: str) -> str:
    """64 hexadecimal digits of SHA-256 over the import closure of the modules, whatever their files are called.

    It is read from disk once a process and then stays, as the code that the process has loaded does.
    """
    return hashlib.sha256("".join(sorted(closure(*modules).values())).encode()).hexdigest()


def closure(*modules: str) -> dict[str, str]:
    """Digest of every module that these import, directly or not, and of themselves: name -> hexadecimal digits.

    Imports inside functions count. Followed are modules of the packages that the given ones lie in, and of ``harness``
    but for ``PLUMBING``. Of a package that only hands on names, those asked for are followed to where they are
    defined.
    """
    packages = {name.split(".")[0] for name in modules} | {"harness"}
    found: dict[str, str] = {}
    seen: set[tuple[str, str | None]] = set()
    waiting: list[tuple[str, str | None]] = [(name, None) for name in modules]
    while waiting:
        asked = waiting.pop()
        module, name = asked
        if asked in seen or module.split(".")[0] not in packages or _is_plumbing(module):
            continue
        seen.add(asked)
        source = _source(module)
        if source is None:
            continue
        if name is not None and source.hands_on and name in source.origins:
            waiting.append(source.origins[name])
            continue
        if module not in found:
            found[module] = source.digest
            waiting += source.imports
    return found


@dataclass(frozen=True)
class Source:
    """One module as its closure needs it.

    imports: (module, name) of every import; the name is None where the whole module is meant. origins: the same by the
    name that the import binds. hands_on: the file defines nothing itself, and only gives names of others.
    """

    digest: str
    imports: tuple[tuple[str, str | None], ...]
    origins: dict[str, tuple[str, str | None]]
    hands_on: bool


@cache
def _source(module: str) -> Source | None:
    """None where there is no Python file of that name."""
    path = file_of(module)
    if path is None:
        return None
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = remembered(path, cache_folder(), f"code {_own_code()}", lambda: _read(path))
    origins = [origin for told in found["imports"] for origin in _origins(*told, package=package)]
    return Source(
        digest=found["digest"],
        imports=tuple(origin for _, origin in origins),
        origins=dict(origins),
        hands_on=found["hands_on"],
    )


def _read(path: Path) -> dict[str, Any]:
    """A file's digest, its imports as (level, module, names and what they are bound to), and whether it hands on."""
    reader = _Reader()
    tree = ast.parse(path.read_bytes(), str(path))
    reader.read(tree)
    imports = [
        (
            node.level if isinstance(node, ast.ImportFrom) else None,
            node.module if isinstance(node, ast.ImportFrom) else None,
            [(alias.name, alias.asname or alias.name) for alias in node.names],
        )
        for node in reader.imports
    ]
    return {
        "digest": hashlib.sha256("\0".join(reader.words).encode()).hexdigest(),
        "imports": imports,
        "hands_on": all(isinstance(node, IMPORTS) or _is_docstring(node) or _is_all(node) for node in tree.body),
    }


@cache
def _own_code() -> str:
    """A digest of this file, which says how others are read."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


@cache
def file_of(module: str) -> Path | None:
    """The Python file of a module, found by its package's folder; None where there is none."""
    found = _place(module)
    return Path(found.file) if found is not None and found.file is not None and found.file.endswith(".py") else None


@dataclass(frozen=True, slots=True)
class FoundModule:
    """A module's file, None of a folder without one, and the folders that its own modules are looked for in."""

    file: str | None
    folders: tuple[str, ...]


@cache
def _place(module: str) -> FoundModule | None:
    parent, _, name = module.rpartition(".")
    if not parent:
        return _place_of_top(module)
    around = _place(parent)
    if around is None:
        return None
    inside = [os.path.join(folder, name) for folder in around.folders]
    if packages := tuple(folder for folder in inside if os.path.isfile(os.path.join(folder, "__init__.py"))):
        return FoundModule(os.path.join(packages[0], "__init__.py"), packages)
    if files := [f"{folder}.py" for folder in inside if os.path.isfile(f"{folder}.py")]:
        return FoundModule(files[0], ())
    loaded = sys.modules.get(module)  # installed elsewhere than beside its parent
    origin = getattr(loaded, "__file__", None)
    return None if origin is None else FoundModule(origin, tuple(getattr(loaded, "__path__", ())))


def _place_of_top(module: str) -> FoundModule | None:
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    return None if spec is None else FoundModule(spec.origin, tuple(spec.submodule_search_locations or ()))


def _is_plumbing(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in PLUMBING)


def _is_for_checkers(node: ast.AST) -> bool:
    if not isinstance(node, ast.If) or node.orelse:
        return False
    test = node.test
    return (test.id if isinstance(test, ast.Name) else getattr(test, "attr", None)) == "TYPE_CHECKING"


def _is_all(node: ast.stmt) -> bool:
    """The node only lists the names that a package hands on."""
    return isinstance(node, ast.Assign) and [getattr(target, "id", None) for target in node.targets] == ["__all__"]


def _origins(
    level: int | None, module: str | None, names: list[tuple[str, str]], *, package: str
) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """The name that each import of a statement binds, and the (module, name) that it stands for.

    level, module: of ``from ... import``; level is None of a plain import. names: and what each is bound to.
    """
    if level is None:
        for name, bound in names:
            yield bound, (name, None)
        return
    parts = package.split(".")[: 1 - level or None] if level else []
    whole = ".".join([*parts, *([module] if module else [])])
    for name, bound in names:
        inner = f"{whole}.{name}"
        yield bound, (inner, None) if file_of(inner) else (whole, name)


class _Reader:
    """Writes a tree as words, the same in every version of Python, and finds its imports on the way."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.imports: list[ast.Import | ast.ImportFrom] = []

    def read(self, node: ast.AST) -> None:
        """Append the words of a node; empty fields are not said."""
        words = self.words
        words.append(type(node).__name__)
        for name in node._fields:
            value = getattr(node, name, None)
            if type(value) is list:
                if not value:
                    continue
                words.append(name)
                for item in value:
                    self._read_item(item)
            elif isinstance(value, ast.AST):
                if name != "ctx":
                    words.append(name)
                    self._read_item(value)
            elif (value is not None or type(node) is ast.Constant) and name not in UNSAID:
                words += (name, repr(value))
        words.append(".")

    def _read_item(self, item: object) -> None:
        if isinstance(item, IMPORTS):
            self.imports.append(item)
        elif not isinstance(item, ast.AST):
            self.words.append(repr(item))
        elif not _is_docstring(item) and not _is_for_checkers(item):
            self.read(item)


def _is_docstring(node: ast.AST) -> bool:
    """True of a string that stands alone: of a module, a class, a function, or an attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
