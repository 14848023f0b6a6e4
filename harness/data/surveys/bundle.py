"""The files of one download: a folder, a zip, or a single file."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import RequestError

MOST_UNPACKED = 16_000_000_000  # bytes that a zip may hold
MANY = 10_000  # files
VALUES = (".csv", ".dct", ".dat", ".txt", ".gz", ".parquet")  # of several forms of one table, the one named is read


@dataclass(frozen=True)
class Bundle:
    """Files that were downloaded together. name: what messages call it."""

    name: str
    files: tuple[Path, ...]

    def ending(self, *endings: str) -> tuple[Path, ...]:
        """Files whose names end so, in any case, in the order of their names."""
        return tuple(path for path in self.files if path.name.lower().endswith(endings))

    def missing(self, needed: str) -> RequestError:
        """The error of a bundle without a file that is needed."""
        held = ", ".join(path.name for path in self.files[:8]) or "nothing"
        return RequestError(f"{self.name}: no {needed} in it; it holds {held}")


@contextmanager
def opened(source: Path) -> Iterator[Bundle]:
    """The bundle at a path; a zip is unpacked into a folder that goes afterwards. RequestError where there is none."""
    if source.is_dir():
        files = sorted(path for path in source.rglob("*") if path.is_file())
        if len(files) > MANY:
            raise RequestError(f"{source}: holds {len(files):,} files: name the folder of the download")
        yield Bundle(str(source), tuple(files))
    elif source.is_file() and source.suffix.lower() == ".zip":
        with tempfile.TemporaryDirectory(prefix="harness-import-") as folder:
            yield Bundle(str(source), tuple(_unzipped(source, Path(folder))))
    elif source.is_file():
        stem = source.name.split(".")[0]
        same = (path for path in source.parent.iterdir() if path.name.split(".")[0] == stem and path.is_file())
        beside = sorted(path for path in same if path == source or not path.name.lower().endswith(VALUES))
        yield Bundle(str(source), tuple(beside))
    else:
        raise RequestError(f"{source}: there is no such file or folder")


def _unzipped(source: Path, folder: Path) -> list[Path]:
    try:
        with zipfile.ZipFile(source) as packed:
            size = sum(item.file_size for item in packed.infolist())
            if size > MOST_UNPACKED or len(packed.infolist()) > MANY:
                raise RequestError(f"{source}: unpacks to {size / 1e9:.3g} GB: unpack it, and name the folder")
            packed.extractall(folder)
    except zipfile.BadZipFile as error:
        raise RequestError(f"{source}: is no whole zip ({error}): download it again") from error
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__MACOSX" not in path.parts)
