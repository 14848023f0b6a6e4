"""Commands that are killed at an operation on files, short of space, or kept from writing; and again, undisturbed."""

from __future__ import annotations

import ctypes
import gzip
import json
import mmap
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reliability.careers import write_careers
from reliability.forked import Terms, typed

DATA = ("--data", "data/careers.csv")
RECORDS = ("--records", "records")
RUN = ("run", "--task", "next_occ", "--task", "switch", *DATA, *RECORDS)
WRITES = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"})
COUNT = struct.Struct("q")
PERSONS = 150
FILLER = "filler"  # a file that takes the room of a small disk
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2  # capabilities(7): root's right to pass over permissions
CAPABILITY_VERSION = 0x20080522


@dataclass(frozen=True)
class Deed:
    """A command, and those before it, undisturbed.

    once: it refuses to do again what it has done. alone: it refuses while another process is at it.
    """

    name: str
    line: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    once: bool = False
    alone: bool = False


SHARDS = ("--to", "shards", "--shards", "2")
SEARCH = ("--try", "recall=false,true", "--trials", "2")
TWO = (*RUN, "--model", "marginal", "--model", "markov")
DEEDS = (
    Deed("run", (*RUN, "--model", "markov", "--model", "mnl")),
    Deed("leaderboard", ("leaderboard", *RECORDS, "--boards", "boards"), (TWO,)),
    Deed("score", ("score", "mine.csv", "--name", "mine", "--task", "next_occ", *DATA, *RECORDS), (TWO,)),
    Deed("mix", ("mix", *DATA, "--task", "next_occ", *RECORDS), (TWO,)),
    Deed("data convert", ("data", "convert", "data/careers.csv", "made"), once=True),
    Deed("data convert --to shards", (*("data", "convert", "data/careers.csv", "made"), *SHARDS), once=True),
    Deed("study run", ("study", "run", "study.yaml", *RECORDS)),
    Deed("tune", ("tune", "softmax", *SEARCH, *DATA, "--out", "boards/tuned.yaml"), alone=True),
)
STUDY = """\
panels: [data/careers.csv]
tasks: [next_occ]
models: [marginal, markov]
train_persons: [0, 20]
"""


def prepared(deed: Deed, folder: Path) -> Path:
    """The folder as it is before the command. RuntimeError where one of those before it fails."""
    write_careers(folder / "data" / "careers.csv", persons=PERSONS)
    for line in deed.before:
        if (done := typed(folder, line)).status:
            raise RuntimeError(done.said)
    _write_probabilities(folder)
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    return folder


def _write_probabilities(folder: Path) -> None:
    from harness.data.open import open_panel

    test = open_panel(folder / "data" / "careers.csv").part("test")
    lines = ["person,year," + ",".join(test.occupations.codes)]
    for t in test.transitions.tolist():
        lines.append(f"{test.persons[test.person[t]]},{test.year[t]},0.4,0.3,0.1,0.1,0.1")
    (folder / "mine.csv").write_text("\n".join(lines) + "\n")


def copied(before: Path, folder: Path) -> Path:
    """A copy of a prepared folder, with its times, as the cache remembers them."""
    return Path(shutil.copytree(before, folder, symlinks=True, dirs_exist_ok=True))


class Countdown:
    """Counts what a process, and those it forks, do to files of a folder; kills them at a count."""

    def __init__(self, folder: Path, at: int = 0) -> None:
        self.folder, self.at = str(folder), at
        self._count = mmap.mmap(-1, COUNT.size)

    @property
    def count(self) -> int:
        return int(COUNT.unpack_from(self._count)[0])

    def begin(self) -> None:
        """To be called in the process."""
        sys.addaudithook(self._heard)

    def _heard(self, event: str, given: tuple[Any, ...]) -> None:
        if event not in WRITES or not self._is_here(given[0]):
            return
        if event == "open" and not (isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            return
        COUNT.pack_into(self._count, 0, self.count + 1)
        if self.count == self.at:
            os.killpg(0, signal.SIGKILL)

    def _is_here(self, path: object) -> bool:
        if isinstance(path, int) or path is None:
            return False
        name = os.fsdecode(path)  # type: ignore[arg-type]
        return name.startswith(self.folder) or not name.startswith("/")


@contextmanager
def small_disk() -> Iterator[Path]:
    """A folder on a disk of its own. OSError where the system lets this process mount none."""
    if shutil.which("mount") is None:
        raise OSError("there is no mount")
    place = Path(tempfile.mkdtemp(prefix="disk-"))
    options = ["-t", "tmpfs", "-o", "size=32m", "none", str(place)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    try:
        if mounted.returncode:
            raise OSError(mounted.stderr.strip())
        yield place
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def may_mount() -> bool:
    """True where ``small_disk`` can be had."""
    try:
        with small_disk():
            return True
    except OSError:
        return False


def filled(disk: Path, left: int) -> None:
    """Leave so many bytes free."""
    told = os.statvfs(disk)
    (disk / FILLER).write_bytes(bytes(told.f_bavail * told.f_frsize - left))


def emptied(disk: Path) -> None:
    """Free what ``filled`` took."""
    (disk / FILLER).unlink()


def without_rights_of_root() -> None:
    """Have permissions count for root too."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capget(header, sets):
        raise OSError(ctypes.get_errno(), "capget")
    for i in range(3):
        sets[i] &= ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH)
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")


def outcome(folder: Path) -> dict[str, str]:
    """The files that a command leaves for others, by file, without times: records, boards, converted careers."""
    found = {}
    for top in ("records", "boards", "made"):
        for path in sorted((folder / top).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                found[path.relative_to(folder).as_posix()] = _timeless(path)
    return found


def _timeless(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(content).decode()
    if path.suffix == ".json" and b'"measured"' in content:
        with suppress(ValueError, AttributeError):  # of one that was damaged, all of it
            return json.dumps({name: value for name, value in json.loads(content).items() if name != "measured"})
    return re.sub(r"\d\d\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?\S*", "TIME", content.decode(errors="replace"))


def leftovers(folder: Path) -> list[str]:
    """Drafts and locks that nothing will ever read."""
    return [p.relative_to(folder).as_posix() for p in folder.rglob(".*") if p.name not in (".", "..")]


def again(deed: Deed, folder: Path, reference: dict[str, str], said: Path) -> str | None:
    """Type the command once more, undisturbed; a sentence where it fails or leaves other than ``reference``."""
    if deed.once and outcome(folder) == reference:
        return None
    done = typed(folder, deed.line, Terms(said_in=said))
    if done.status:
        return f"the same command then ended with {done.status}: {done.said.strip().splitlines()[-1:]}"
    made = outcome(folder)
    other = sorted(name for name in made.keys() | reference.keys() if made.get(name) != reference.get(name))
    return f"the same command then left another {other[0]}" if other else None
