"""Where the repository and what lies beside it are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"  # real careers, which are not in the repository
SURVEY = SHARED / "nlsy97"
RESULTS = ROOT / "leaderboards" / "results"  # the committed record files
