"""The ``harness`` command, and ``python -m harness``, which is what launchers of several processes start."""

from __future__ import annotations

from harness.cli import main as work
from harness.system.supervisor import supervise


def main() -> None:
    """The command, under supervision (``harness.system.supervisor``)."""
    supervise(work)


if __name__ == "__main__":
    main()
