"""Files of one other file: zip, and gz of what is no csv."""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from harness.data.checks.findings import Findings
from harness.data.tables.csvfile import MOST_UNPACKED, PART, gigabytes, is_regular
from harness.errors import RequestError, did_you_mean

# NotImplementedError: a method of packing that zipfile does not know; RuntimeError: a password.
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError, RuntimeError)


@contextmanager
def unpacked(
    path: Path, wanted: str | None, readable: Callable[[str], bool], findings: Findings
) -> Iterator[Path | None]:
    """The file inside, in a folder that goes at the end; None, and an error, where it cannot be unpacked.

    wanted: its name, where several can be read. RequestError, with their names, where it must be said.
    """
    with TemporaryDirectory() as folder:
        inside = None
        try:
            if is_regular(path, findings):
                inside = _unpack(path, wanted, readable, folder=Path(folder), findings=findings)
        except BROKEN as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            findings.error(path.name, f"cannot be unpacked ({reason}): copy or download it again")
        yield inside


def _unpack(
    path: Path, wanted: str | None, readable: Callable[[str], bool], folder: Path, findings: Findings
) -> Path | None:
    if path.suffix.casefold() == ".gz":
        with gzip.open(path) as stream:
            return _copied(stream, folder / path.stem, path.name, findings)
    with zipfile.ZipFile(path) as archive:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        inside = [name for name in names if readable(name) and not name.startswith("__MACOSX")]
        if wanted is not None and wanted not in inside and len(inside) > 1:
            raise RequestError(f"--object {wanted}: {path.name} holds no such file; {did_you_mean(wanted, inside)}")
        if not inside:
            findings.error(path.name, "holds no file that careers are read from")
            return None
        if wanted is None and len(inside) > 1:
            raise RequestError(f"{path.name} holds {len(inside)} files, {', '.join(inside)}: choose one, --object NAME")
        name = wanted if wanted in inside else inside[0]  # of a single file, what is wanted may be inside that
        with archive.open(name) as stream:
            return _copied(stream, folder / Path(name).name, path.name, findings)


def _copied(stream: IO[bytes] | gzip.GzipFile, target: Path, file: str, findings: Findings) -> Path | None:
    size = 0
    with target.open("wb") as out:
        while part := stream.read(PART):
            size += len(part)
            if size > MOST_UNPACKED:
                findings.error(file, f"unpacks to more than {gigabytes(MOST_UNPACKED)}: keep fewer columns or persons")
                return None
            out.write(part)
    return target
