"""The program's own functions, and whether code of others has put something in their place."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType

PACKAGE = __name__.split(".", maxsplit=1)[0]


def replaced_functions(modules: Iterable[str]) -> Iterator[str]:
    """Names of this program's functions and methods that code of other modules has replaced.

    modules: those whose code is looked for, with all of the packages that they are of; the program's own are passed
    over. Code that was compiled from text, or that patches a library below, is not found.
    """
    folders = tuple(_places(modules))
    if not folders:
        return
    for name, module in sorted(sys.modules.items()):
        if name.split(".", maxsplit=1)[0] == PACKAGE and isinstance(module, ModuleType):
            for owner, attribute, value in _attributes(module):
                function = _function(value)
                if function is not None and function.__code__.co_filename.startswith(folders):
                    yield f"{owner}.{attribute}"


def _places(modules: Iterable[str]) -> Iterator[str]:
    """Files of modules, and folders of packages."""
    for top in {module.split(".", maxsplit=1)[0] for module in modules} - {PACKAGE}:
        module = sys.modules.get(top)
        file = getattr(module, "__file__", None)
        if file is not None:
            yield str(Path(file).parent) + "/" if hasattr(module, "__path__") else str(file)


def _attributes(module: ModuleType) -> Iterator[tuple[str, str, object]]:
    for name, value in list(vars(module).items()):
        yield module.__name__, name, value
        if inspect.isclass(value) and value.__module__.split(".", maxsplit=1)[0] == PACKAGE:
            for attribute, own in list(vars(value).items()):
                yield f"{value.__module__}.{value.__qualname__}", attribute, own


def _function(value: object) -> FunctionType | None:
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    if isinstance(value, property):
        value = value.fget
    return value if isinstance(value, FunctionType) else None
