"""The results of a cell, as the bytes of one archive: made where it ran, merged where the study's records lie."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from harness.errors import RunError
from harness.records import predictions
from harness.records.record import Record
from harness.records.store import Store
from harness.system.files import replacing
from harness.system.folders import MANIFEST, damage, publishing

RECORDS, PROBABILITIES, FITS = "records", "probabilities", "fits"
LARGEST_FIT = 64 << 20  # bytes of a fit that travels; a larger one stays where it was made


def packed(records: Sequence[Record], store: Store, cache: Path, fit: Path) -> bytes:
    """The record files, their probabilities and their fit, where it is no larger than ``LARGEST_FIT``."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for record in records:
            archive.write(store.path(record.configuration), f"{RECORDS}/{record.id}.json")
            kept = predictions.path_of(cache, record.id)
            if kept.exists():
                archive.write(kept, f"{PROBABILITIES}/{record.id}.npz")
        files = [path for path in sorted(fit.rglob("*")) if path.is_file() and path.name != MANIFEST]
        if damage(fit) is None and sum(path.stat().st_size for path in files) <= LARGEST_FIT:
            for path in files:
                archive.write(path, f"{FITS}/{fit.name}/{path.relative_to(fit).as_posix()}")
    return content.getvalue()


def merge(bundle: bytes, store: Store, cache: Path) -> list[Record]:
    """Put what a cell left among the records and into the cache; the records.

    Once or many times, it comes to the same: of two records of one id the one that ended last stays, and a fit that is
    there stays. RunError for what is no bundle.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
            content = {PurePosixPath(name): archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise RunError(f"the results of a cell cannot be read ({error})") from error
    _merge_fits(content, cache)
    found = []
    for name, data in content.items():
        if name.parts[0] == RECORDS:
            record = Record.model_validate_json(data)
            if record.id != record.configuration.id():
                raise RunError(f"{name}: holds record {record.id}, which is not that of its configuration")
            found.append(_merge_record(record, content, store, cache))
    return found


def _merge_record(record: Record, content: Mapping[PurePosixPath, bytes], store: Store, cache: Path) -> Record:
    """The record that stays; probabilities go before it, so that a record that is there has them."""
    path, kept = store.path(record.configuration), predictions.path_of(cache, record.id)
    if path.exists() and (there := store.read(path)).measured.finished >= record.measured.finished and kept.exists():
        return there
    if (said := content.get(PurePosixPath(PROBABILITIES, f"{record.id}.npz"))) is not None:
        write_whole(kept, said)
    write_whole(path, content[PurePosixPath(RECORDS, f"{record.id}.json")])
    return record


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. RunError where its folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            draft.write_bytes(data)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error


def _merge_fits(content: Mapping[PurePosixPath, bytes], cache: Path) -> None:
    names = {path.parts[1] for path in content if path.parts[0] == FITS and ".." not in path.parts}
    for name in names:
        folder = cache / FITS / name
        if folder.exists():
            continue
        folder.parent.mkdir(parents=True, exist_ok=True)
        with publishing(folder) as draft:
            for path, data in content.items():
                if path.parts[:2] == (FITS, name):
                    place = draft.joinpath(*path.parts[2:])
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(data)
