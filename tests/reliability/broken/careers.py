"""The sound careers that inputs are made of and broken."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from harness.data.open import open_panel
from harness.panel import Panel
from harness.registry import Registry, load_registry

CODES = {"0110": "Accountants, junior", "0230": "Nurses", "HOME": "Not working", "4720": "Cashiers"}
OCCUPATIONS = "code,title,soc,status\n" + "".join(
    f'{code},"{title}",{"" if code == "HOME" else f"{i + 1}1-101{i}"},'
    f"{'out of the labor force' if code == 'HOME' else 'employed'}\n"
    for i, (code, title) in enumerate(CODES.items())
)
SCHEMA = '{"gender": {"kind": "categorical", "levels": ["female", "male"]}, "wage": {"kind": "numeric"}}'
PERSONS = 24


def _careers() -> str:
    generator = np.random.default_rng(1)
    lines = ["person,year,occupation,gender,wage,split"]
    for person in range(PERSONS):
        split = ("train", "valid", "test")[person % 3]
        for t in range(4):
            code = list(CODES)[int(generator.integers(0, len(CODES)))]
            lines.append(f"{person},{1998 + t},{code},{('female', 'male', '')[person % 3]},{t * 1.5 + person},{split}")
    return "\n".join(lines) + "\n"


CAREERS = _careers().encode()


@cache
def registry() -> Registry:
    return load_registry()


@cache
def panel() -> Panel:
    """The careers as they are before they are broken."""
    folder = Path(mkdtemp(prefix="reliability-"))
    (folder / "careers.csv").write_bytes(CAREERS)
    (folder / "occupations.csv").write_text(OCCUPATIONS)
    return open_panel(folder)


def plain_id(text: str) -> str:
    """An id as its number, where it is one."""
    try:
        return f"{float(text):.0f}" if float(text).is_integer() else text
    except (ValueError, OverflowError):
        return text
