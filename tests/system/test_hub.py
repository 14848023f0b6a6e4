"""Models of a hub: asked for once, and opened from the cache where the hub does not answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")
CACHED, THERE = "a" * 40, "b" * 40
SCRIPT = """
import json
from harness.errors import RequestError
from harness.system.hub import hub_commit, hub_place

def said(ask, name):
    try:
        found = ask(name)
        return found if isinstance(found, str) else [found.source, found.revision]
    except RequestError as error:
        return str(error)

found = {name: said(hub_commit, f"org/{name}") for name in ("cached", "there", "nowhere")}
print(json.dumps(found | {"place": said(hub_place, "org/cached"), "again": said(hub_place, "org/cached")}))
"""


class OneModel(BaseHTTPRequestHandler):
    """A hub that has one model."""

    asked: list[str]

    def do_HEAD(self) -> None:
        self.asked.append(self.path)
        there = self.path == "/org/there/resolve/main/config.json"
        self.send_response(200 if there else 404)
        told = {"X-Repo-Commit": THERE, "ETag": '"e"', "Content-Length": "2"}
        for name, value in (told if there else {"X-Error-Code": "RepoNotFound"}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def hub() -> Iterator[tuple[str, list[str]]]:
    """The address of a hub, and the paths that it was asked for."""

    class Handler(OneModel):
        asked: list[str] = []  # noqa: RUF012 - of this hub alone

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", Handler.asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A cache of the hub that holds one model."""
    repository = tmp_path / "hub" / "models--org--cached"
    (repository / "snapshots" / CACHED).mkdir(parents=True)
    (repository / "snapshots" / CACHED / "config.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(CACHED)
    return tmp_path


def asked(home: Path, endpoint: str) -> tuple[dict[str, Any], str]:
    """Answers of a process of its own by name, and the errors that it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found, done.stderr


def test_a_hub_that_answers_is_asked_once_for_a_name(home: Path) -> None:
    with hub() as (endpoint, paths):
        found, told = asked(home, endpoint)
    assert (found["cached"], found["there"]) == (CACHED, THERE)
    assert found["nowhere"].startswith("base 'org/nowhere' cannot be opened: there is no such folder here")
    assert "Repository Not Found for url" in found["nowhere"]
    assert found["place"] == found["again"] == ["org/cached", CACHED]
    assert [path for path in paths if "config.json" in path] == [
        "/org/there/resolve/main/config.json",
        "/org/nowhere/resolve/main/config.json",
    ]
    assert len(paths) == 3  # and once whether there is anybody
    assert not told


def test_without_a_network_a_cached_model_is_a_folder_and_a_wrong_name_one_line(home: Path) -> None:
    with hub() as (endpoint, _):
        pass
    found, told = asked(home, endpoint)
    assert found["cached"] == CACHED
    assert found["place"] == found["again"] == [str(home / "hub" / "models--org--cached" / "snapshots" / CACHED), None]
    for name in ("there", "nowhere"):
        assert f"{endpoint} does not give it (" in found[name]
        assert "\n" not in found[name]
    assert not told
