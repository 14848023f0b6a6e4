"""Those who make the trials of a search: this process, or one of its own beside others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol

from harness.errors import RequestError, RunError
from harness.runs.isolation.wire import ClosedError, receive, send
from harness.runs.tuning.trial import FitGivenUpError, Report, TrialResult, Trials
from harness.system.processors import free_processors

# The variables by which libraries are told how many threads to start.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class TrialMaker(Protocol):
    """Makes one trial at a time."""

    def measure(self, values: Mapping[str, str], report: Report) -> TrialResult:
        """As ``Trials.measure``."""
        ...

    def close(self) -> None:
        """Make none any more."""
        ...


@dataclass(frozen=True)
class OwnProcess:
    """Trials in this process."""

    trials: Trials

    def measure(self, values: Mapping[str, str], report: Report) -> TrialResult:
        return self.trials.measure(values, report)

    def close(self) -> None:
        """Nothing is open."""


class ChildProcess:
    """Trials in a process of their own; one that ends costs its trial alone, and another takes its place.

    jobs: how many there are, which share the processors.
    """

    def __init__(self, trials: Trials, jobs: int) -> None:
        self.trials, self.threads = trials, max(1, free_processors() // jobs)
        self._process: subprocess.Popen[bytes] | None = None

    def measure(self, values: Mapping[str, str], report: Report) -> TrialResult:
        try:
            sink, source = self._streams()
            send(sink, {"values": dict(values)})
            while True:
                reply, _ = receive(source)
                if reply["event"] != "report":
                    return _answer(reply)
                send(sink, {"go_on": report(reply["step"], reply["loss"])})
        except ClosedError:
            status = self._process.wait() if self._process is not None else 0
            self.close()
            raise RunError(f"the process of the trial ended with status {status}") from None

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def _streams(self) -> tuple[IO[bytes], IO[bytes]]:
        """To and from the process, started where there is none. RequestError where it cannot open the panel."""
        started = self._process is None
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "harness.runs.tuning.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | dict.fromkeys(THREADS, str(self.threads)),
            )
        sink, source = self._process.stdin, self._process.stdout
        assert sink is not None
        assert source is not None
        if started:
            workshop = self.trials.workshop
            head: dict[str, Any] = {
                "request": self.trials.request.model_dump(mode="json"),
                "cache": str(workshop.cache),
                "records": str(workshop.store.folder),
                "time_limit": workshop.time_limit,
                "hidden": [str(path) for path in workshop.hidden],
            }
            send(sink, head)
            reply, _ = receive(source)
            if reply["event"] != "ready":
                self.close()
                raise RequestError(reply["error"])
        return sink, source


def _answer(reply: Mapping[str, Any]) -> TrialResult:
    if reply["event"] == "given up":
        raise FitGivenUpError("given up")
    if reply["event"] == "failed":
        raise RunError(reply["error"])
    return TrialResult(**{name: reply[name] for name in TrialResult.__dataclass_fields__})
