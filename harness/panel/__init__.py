"""Careers as flat columns, the occupations that they are in, and what each record counts for."""

from __future__ import annotations

from harness.panel.careers import SPLITS, Covariate, Panel, Split, split_by_hash
from harness.panel.corpus import Corpus, in_memory
from harness.panel.occupations import Occupations, Status
from harness.panel.pooling import pool, require_apart, same_titles

__all__ = [
    "SPLITS",
    "Corpus",
    "Covariate",
    "Occupations",
    "Panel",
    "Split",
    "Status",
    "in_memory",
    "pool",
    "require_apart",
    "same_titles",
    "split_by_hash",
]
