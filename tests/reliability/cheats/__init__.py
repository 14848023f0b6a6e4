"""Planted models of every kind that we could think of: dishonest, broken, and honest ones for control."""

from __future__ import annotations

from reliability.cheats.answers import ANSWERS
from reliability.cheats.honest import HONEST
from reliability.cheats.model import Cheat
from reliability.cheats.process import PROCESS
from reliability.cheats.remembering import REMEMBERING
from reliability.cheats.shown import SHOWN

FAMILIES: dict[str, tuple[Cheat, ...]] = {
    "reads what it is shown": SHOWN,
    "knows from elsewhere": REMEMBERING,
    "answers that are none": ANSWERS,
    "ends or changes the process": PROCESS,
    "honest": HONEST,
}
CORPUS = tuple(cheat for family in FAMILIES.values() for cheat in family)
