"""Keeps a process, and all that it starts, from files that it was not given (Landlock, Linux 5.13 and later).

The rule is the kernel's, so it holds for native readers and for other programs too. landlock(7) has the calls.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, alike on every architecture
VERSION_ASKED = 1
PATH_BENEATH = 1
NO_NEW_PRIVILEGES = 38  # PR_SET_NO_NEW_PRIVS of prctl(2)
READ = 0b1101  # execute, read a file, read a folder
WRITE = 0b1_1111_1111_0010  # write, remove and make files, folders, links and sockets
ON_FILES = 0b111  # of these, the ones that a rule for a single file can have
MOVE, TRUNCATE, DEVICES = 1 << 13, 1 << 14, 1 << 15  # which later versions know


def is_known() -> bool:
    """True where the kernel can restrict a process."""
    return os.name == "posix" and os.uname().sysname == "Linux" and _version() > 0


def restrict(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """From now on, this process opens what lies below these files and folders, and nothing else; False where it can.

    readable: also executable. writable: readable too.
    """
    if not is_known():
        return False
    version = _version()
    handled = READ | WRITE | (MOVE if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    handled |= DEVICES if version >= 5 else 0
    libc = ctypes.CDLL(None)
    attribute = ctypes.c_uint64(handled)
    rules = _call(libc.syscall, (CREATE_RULESET, ctypes.byref(attribute), ctypes.c_size_t(8), 0))
    if rules < 0:
        return False
    try:
        for paths, rights in ((readable, READ), (writable, handled)):
            for path in paths:
                _allow(libc, rules, path, rights)
        _call(libc.prctl, (NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        return _call(libc.syscall, (RESTRICT_SELF, rules, 0)) == 0
    finally:
        os.close(rules)


def _version() -> int:
    return _call(ctypes.CDLL(None).syscall, (CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_ASKED))


def _call(function: Callable[..., int], numbers: tuple[Any, ...]) -> int:
    """The C library's answer; below zero where the call failed."""
    return int(function(*numbers))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("folder", ctypes.c_int32))


def _allow(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there cannot be read either
    try:
        rule = _Beneath(rights if path.is_dir() else rights & (ON_FILES | TRUNCATE | DEVICES), opened)
        _call(libc.syscall, (ADD_RULE, rules, PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(opened)
