"""A process that makes trials for a search: it opens the careers once, and is told values, one trial after another."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, in_one_line
from harness.records.store import Store
from harness.registry import load_registry
from harness.runs.execute import Workshop
from harness.runs.isolation.wire import ClosedError, receive, send
from harness.runs.tuning.trial import FitGivenUpError, Trials, TuneRequest
from harness.system.supervisor import die_with


def main() -> None:
    """Make trials until the other end is closed, or the parent ends."""
    die_with(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a model prints is no message

    def report(step: int, loss: float) -> bool:
        send(sink, {"event": "report", "step": step, "loss": loss})
        return bool(receive(source)[0]["go_on"])

    with redirect_stdout(sys.stderr):
        try:
            head, _ = receive(source)
            trials = _opened(head, sink)
            while trials is not None:
                head, _ = receive(source)
                try:
                    send(sink, {"event": "result", **asdict(trials.measure(head["values"], report))})
                except FitGivenUpError:
                    send(sink, {"event": "given up"})
                except HarnessError as error:
                    send(sink, {"event": "failed", "error": str(error)})
        except ClosedError:
            return


def _opened(head: dict[str, Any], sink: Any) -> Trials | None:
    """The trials of a search; None, once it is told, where they cannot be made."""
    try:
        workshop = Workshop(
            registry=load_registry(),
            store=Store(Path(head["records"])),
            cache=Path(head["cache"]),
            time_limit=head["time_limit"],
            hidden=tuple(map(Path, head["hidden"])),
        )
        trials = Trials.of(TuneRequest.model_validate(head["request"]), workshop)
    except Exception as error:  # noqa: BLE001 - told to the parent, whatever it is
        send(sink, {"event": "failed", "error": str(error) if isinstance(error, HarnessError) else in_one_line(error)})
        return None
    send(sink, {"event": "ready"})
    return trials


if __name__ == "__main__":
    main()
