"""Makes docs/reliability.md: ``make reliability``; or one part anew: ``python -m reliability --part NAME``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from helpers.paths import ROOT

from reliability.page import PARTS, page


def main() -> int:
    """Measure the parts that are asked for and write the page of all that were measured; 1 where one surprised."""
    asked = argparse.ArgumentParser(prog="python -m reliability", description=__doc__)
    asked.add_argument("--part", action="append", choices=sorted(PARTS), help="Measure this part alone. Repeatable.")
    asked.add_argument("--work", type=Path, default=ROOT / "build" / "reliability", help="Folder of what was measured.")
    asked.add_argument("--out", type=Path, default=ROOT / "docs" / "reliability.md", help="The page.")
    asked.add_argument("--scale", type=float, default=1.0, help="Sizes, as a share of the usual ones.")
    given = asked.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    surprises = []
    for name in given.part or PARTS:
        begun = time.monotonic()
        found = PARTS[name].measure(given.scale)
        found["seconds"] = round(time.monotonic() - begun)
        found["date"] = time.strftime("%Y-%m-%d")
        (given.work / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
        surprises += [f"{name}: {surprise}" for surprise in found.get("surprises", [])]
        sys.stderr.write(f"{name}: {found['seconds']} s\n")
    measured = {name: json.loads(file.read_text()) for name in PARTS if (file := given.work / f"{name}.json").exists()}
    given.out.write_text(page(measured))
    sys.stderr.write("".join(f"{surprise}\n" for surprise in surprises))
    return int(bool(surprises))


if __name__ == "__main__":
    sys.exit(main())
