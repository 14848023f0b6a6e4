"""A watch over the process that does a command's work, so that none ends without a word.

The command starts as two processes: one works, the other waits for it. A model that leaves by ``os._exit``, a native
library that crashes, the system that kills for want of memory: each ends the worker as if it had finished, or with a
number. The one that waits then says in which step of which model that was, and exits with a status that is not zero.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from types import FrameType
from typing import NoReturn

from harness.system import processes
from harness.system.launch import LAUNCHER

HEAD = struct.Struct("dq")  # the deadline, in seconds of ``time.monotonic``; the status plus one, once it has ended
LONGEST_NOTE = 400  # bytes
PASSED_ON = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
AWAITED = {*PASSED_ON, *(getattr(signal, name) for name in ("SIGCHLD", "SIGALRM") if hasattr(signal, name))}
LOOK = 1.0  # seconds between two looks at the deadline
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
SENT_BY_TERMINAL = 0x80  # si_code SI_KERNEL: the terminal sends its signals to both processes
APART = 0.5  # seconds: two interrupts that are nearer are one, which reached the worker twice
GRACE = 10.0  # seconds that a model past its deadline, or asked to end, has to come to an end by itself
INTERRUPTED = 130  # the exit status of what Ctrl-C ended

_notes: ContextVar[mmap.mmap | None] = ContextVar("_notes", default=None)


def note_step(step: str) -> None:
    """Tell the supervisor what is being done, '' for nothing in particular. Without a supervisor nothing happens."""
    if (notes := _notes.get()) is not None:
        text = step.encode()[:LONGEST_NOTE]
        notes[HEAD.size : HEAD.size + LONGEST_NOTE] = text.ljust(LONGEST_NOTE, b"\0")


def note_deadline(seconds: float | None) -> None:
    """Have the supervisor end the worker, some time after so many seconds from now; None: no longer."""
    if (notes := _notes.get()) is not None:
        notes[: struct.calcsize("d")] = struct.pack("d", time.monotonic() + seconds + GRACE if seconds else 0.0)


def supervise(work: Callable[[], None]) -> None:
    """Do the work in a child process and exit with its status; in this one where the system cannot tell signals apart.

    Of several processes of a launch each is watched by the launcher, and does its work itself.
    """
    if not hasattr(signal, "sigwaitinfo") or processes.count() > 1:
        if os.environ.get(LAUNCHER) == str(os.getppid()):
            die_with(os.getppid())
        work()
        return
    notes = mmap.mmap(-1, HEAD.size + LONGEST_NOTE)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    parent, worker = os.getpid(), os.fork()
    if worker:
        _exit_as(notes, *_wait(worker, notes))
    _notes.set(notes)
    die_with(parent)
    _interrupt_once()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    status = 1
    try:
        work()
        status = 0
    except KeyboardInterrupt:  # outside of any command, which would have said more
        status = INTERRUPTED
        sys.exit(status)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    finally:
        HEAD.pack_into(notes, 0, 0.0, status + 1)


def die_with(parent: int) -> None:
    """Have this process end when its parent does, however that ends, where the system can."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _interrupt_once() -> None:
    """Take an interrupt that comes twice, from the terminal and from the parent, for one.

    A request to end (SIGTERM) is taken as an interrupt, so that a command says what is kept and clears up; a second one
    ends the process at once, and a process that was forked from this one as well.
    """
    last, worker = -APART, os.getpid()

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal last
        again = time.monotonic() - last <= APART
        if number == signal.SIGTERM and (os.getpid() != worker or (last >= 0 and not again)):
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif not again:
            last = time.monotonic()
            signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupted)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, interrupted)


def _wait(worker: int, notes: mmap.mmap) -> tuple[int, int]:
    """Wait for the worker's end, and pass on what is sent to this process alone.

    The status as ``os.waitpid`` has it, and the SIGTERM that it followed, 0 where there was none: the worker has
    ``GRACE`` seconds to come to an end.
    """
    asked, limit = 0, float("inf")
    # Not sigtimedwait: of a process that was stopped for longer than the timeout, and goes on (Ctrl-Z, then fg), Python
    # returns a signal that nobody sent.
    signal.setitimer(signal.ITIMER_REAL, LOOK, LOOK)
    while True:
        ended, status = os.waitpid(worker, os.WNOHANG)
        if ended:
            return status, asked
        deadline = HEAD.unpack_from(notes)[0]
        if time.monotonic() > min(deadline or limit, limit):
            os.kill(worker, signal.SIGKILL)
            return os.waitpid(worker, 0)[1], asked
        sent = signal.sigwaitinfo(AWAITED)
        if sent.si_signo in PASSED_ON and sent.si_code != SENT_BY_TERMINAL:
            if sent.si_signo == signal.SIGTERM and not asked:
                asked, limit = sent.si_signo, time.monotonic() + GRACE
            os.kill(worker, sent.si_signo)


def _end_by(number: int) -> None:
    """End by a signal, as shells expect of what was asked to end by it."""
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)


def _exit_as(notes: mmap.mmap, status: int, asked: int) -> NoReturn:
    """Exit as the worker did, with a word where it did not come to its end; by the signal that it was asked by."""
    deadline, ended = HEAD.unpack_from(notes)
    doing = notes[HEAD.size :].rstrip(b"\0").decode(errors="replace")
    where = f" in {doing}" if doing else ""
    if asked and status:
        if os.WIFSIGNALED(status):
            _say(f"stopped{where}, and ended at once")
        _end_by(asked)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in PASSED_ON:
            _end_by(number)
        if number != signal.SIGKILL:
            _say(f"the process crashed{where} ({signal.Signals(number).name})")
        elif deadline and time.monotonic() > deadline:
            _say(f"stopped{where}: its --time-limit is over, and it did not end by itself")
        else:
            _say(
                f"killed{where}, most likely because memory ran out: lower what a step holds (batch_tokens, batch or "
                "the like, with --set), or run it where there is more"
            )
        os._exit(128 + number)
    code = os.WEXITSTATUS(status)
    if not ended:
        _say(f"the process was ended{where}, by os._exit or the like, with status {code}: a model must return")
    os._exit(code or (ended - 1 if ended else 1))


def _say(what: str) -> None:
    sys.stderr.write(f"error: {what}; finished records are kept\n")
    sys.stderr.flush()
