"""Starts the process of an isolated model, and talks to it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness import errors
from harness.errors import HarnessError, RequestError, RunError
from harness.model.contract import Context
from harness.panel import Corpus
from harness.runs.isolation.wire import Arrays, ClosedError, packed, receive, send
from harness.system.cache import borrow, lendable
from harness.system.hidden_files import named_paths
from harness.system.progress import Bar

SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/proc", "/sys")
DEVICES = ("/dev",)


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """The surroundings of isolated models.

    cache: the user's, of which they are lent what no run left there. hidden: files and folders of the data. modules:
    those that bring plugins.
    """

    cache: Path
    hidden: tuple[Path, ...]
    modules: tuple[str, ...]


class WorkerProcess:
    """A process with one model in it. kind: the class of the contract that the model is of."""

    def __init__(self, model: str, isolation: Isolation, params: Mapping[str, Any]) -> None:
        self.model = model
        readable = sorted({path.resolve() for path in _readable(isolation, params) if path.exists()})
        _require_hidden(isolation.hidden, readable)
        room = tempfile.TemporaryDirectory(prefix="harness-isolated-")
        self._room = Path(room.name).resolve()
        borrow(isolation.cache, self._room / "cache")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
        environment |= {"HARNESS_CACHE": str(self._room / "cache"), "TMPDIR": str(self.folder("tmp"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.runs.isolation.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self.folder("work"),
            env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        )
        self._end = weakref.finalize(self, _end, self._process, room)
        writable = [str(self._room), *DEVICES]
        told = {"model": model, "params": dict(params), "readable": [*map(str, readable)], "writable": writable}
        reply, _ = self.call({"do": "build", **told})
        self.kind = str(reply["kind"])

    def folder(self, name: str) -> Path:
        """A new folder that both processes can write to."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._room))

    def call(self, head: Mapping[str, Any], arrays: Arrays | None = None, context: Context | None = None) -> Any:
        """The answer's head and arrays. context: of a fit, whose progress is told and whose panels are opened here.

        HarnessError as the model raised it; RunError for anything else, and where the process has ended.
        """
        source, sink = self._streams()
        try:
            send(sink, head, arrays)
            with ExitStack() as bars:
                shown: list[Bar] = []
                while True:
                    reply, found = receive(source)
                    if reply["event"] == "answer":
                        return reply, found
                    if reply["event"] == "error":
                        raise _error(reply)
                    if context is not None:
                        self._serve(reply, context, bars, shown)
        except ClosedError:
            status = self._process.wait()
            raise RunError(f"model '{self.model}' ended its process, with status {status}, in {head['do']}") from None

    def _serve(self, event: Mapping[str, Any], context: Context, bars: ExitStack, shown: list[Bar]) -> None:
        """Do what the other process asks for while it fits."""
        kind = event["event"]
        if kind == "panel":
            self._send_panel(event["place"], context)
        elif kind == "shard":
            self._send_shard(event, context)
        elif kind == "note":
            context.progress.note(event["text"])
        elif kind == "bar":
            shown.append(bars.enter_context(context.progress.bar(event["text"], event["total"])))
        elif kind == "bar ends":
            if shown:
                shown.pop()
            if not shown:
                bars.close()
        elif kind == "advance" and shown:
            shown[-1].advance(event["amount"])
        elif kind == "describe" and shown:
            shown[-1].describe(event["text"])

    def _send_panel(self, place: str, context: Context) -> None:
        _, sink = self._streams()
        try:
            if context.open_panel is None:
                raise RequestError("there is no panel to open here")
            head, arrays = packed(context.open_panel(place))
        except HarnessError as error:
            head, arrays = {"error": str(error)}, {}
        send(sink, head, arrays)

    def _send_shard(self, event: Mapping[str, Any], context: Context) -> None:
        _, sink = self._streams()
        try:
            corpus = dict(enumerate([*context.also, context.resumes])).get(event["corpus"])
            if not isinstance(corpus, Corpus):
                raise RequestError("there is no corpus here")
            head, arrays = packed(corpus.panel(event["number"]))
        except HarnessError as error:
            head, arrays = {"error": str(error)}, {}
        send(sink, head, arrays)

    def _streams(self) -> tuple[IO[bytes], IO[bytes]]:
        source, sink = self._process.stdout, self._process.stdin
        assert source is not None
        assert sink is not None
        return source, sink


def _error(reply: Mapping[str, Any]) -> Exception:
    kind = getattr(errors, reply["kind"], None) if reply["kind"] else None
    if isinstance(kind, type) and issubclass(kind, RequestError | RunError) and kind is not errors.DataError:
        return kind(reply["text"])
    return RunError(reply["text"]) if reply["kind"] else IsolatedError(reply["text"])


class IsolatedError(Exception):
    """An exception of a model, as its process told it; blamed on it like one that it raises here."""


def _readable(isolation: Isolation, params: Mapping[str, Any]) -> Iterator[Path]:
    """Files and folders that the other process may read: programs, code, bases, and what parameters name."""
    yield from map(Path, (*SYSTEM, sys.prefix, sys.base_prefix))
    yield from (Path(path) for path in sys.path if path and Path(path).resolve() != Path.cwd())
    for module in {"harness", *(name.split(".")[0] for name in isolation.modules)}:
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None:
            folder = Path(spec.origin).parent
            yield from (folder, *folder.glob("*/")) if spec.submodule_search_locations else (Path(spec.origin),)
    yield from lendable(isolation.cache)
    yield from (path.resolve() for kept in lendable(isolation.cache) if kept.is_dir() for path in kept.glob("[!.]*"))
    yield Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    yield from named_paths(params)


def _require_hidden(hidden: tuple[Path, ...], readable: list[Path]) -> None:
    for path in hidden:
        for folder in readable:
            if path.resolve().is_relative_to(folder):
                raise RequestError(
                    f"--isolated: the data, {path}, lies in {folder}, which the model must be able to read: move the "
                    "data to a folder of its own"
                )


def _end(process: subprocess.Popen[bytes], room: tempfile.TemporaryDirectory[str]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    room.cleanup()
