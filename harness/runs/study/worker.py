"""A process that carries out cells, one after another, as they are sent to it: ``python -m harness.runs.study.worker``.

Like a command it is two processes, so that a crash is told in words (``harness.system.supervisor``): the study reads
them where this one ends.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import redirect_stdout
from dataclasses import asdict

from harness.registry import load_registry
from harness.runs.isolation.wire import ClosedError, receive, send
from harness.runs.study.place import LastPanels, PassedOn, WorkPlace, do_work
from harness.system.machine import cache_folder
from harness.system.supervisor import die_with, note_step, supervise


def main() -> None:
    """Carry out cells until the other end is closed, or the parent ends."""
    die_with(os.getppid())
    supervise(_serve)


def _serve() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the study's to answer
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a model prints is no message
    registry = load_registry()

    def tell(text: str, share: float | None) -> None:
        send(sink, {"event": "step", "text": text, "share": share})

    def note(text: str) -> None:
        send(sink, {"event": "note", "text": text})

    place = WorkPlace(
        registry=registry,
        cache=cache_folder(),
        open_panels=LastPanels(registry).open,
        progress=PassedOn(tell, note),
    )
    with redirect_stdout(sys.stderr):
        while True:
            try:
                head, _ = receive(source)
            except ClosedError:
                return
            done = do_work(head["work"], head["told"], place)
            note_step("")
            send(sink, {"event": "ended", **asdict(done)})


if __name__ == "__main__":
    main()
