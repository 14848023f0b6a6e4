"""Digests of files: of what they say, remembered while they are as they were."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from harness.errors import RequestError
from harness.system.content import file_content, folder_content, model_content, require_content


def settled(path: Path) -> None:
    """Let a file look as if it had been there for long."""
    then = time.time() - 60
    os.utime(path, (then, then))


def test_a_file_is_known_by_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, file = tmp_path / "cache", tmp_path / "model.safetensors"
    file.write_bytes(b"one")
    settled(file)
    monkeypatch.setattr("harness.system.content.SETTLED", -1.0)  # no waiting for the time of its change
    one = hashlib.sha256(b"one").hexdigest()
    assert file_content(file) == file_content(file, cache) == one
    [memory] = (cache / "digests").iterdir()
    memory.write_text(memory.read_text().replace(one, "remembered"))
    assert file_content(file, cache) == "remembered"
    file.write_bytes(b"two")  # as long, and dated as before
    settled(file)
    assert file_content(file, cache) == hashlib.sha256(b"two").hexdigest()
    memory.write_text("{")
    assert file_content(file, cache) == hashlib.sha256(b"two").hexdigest()


def test_a_file_of_a_moment_ago_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(b"one")
    file_content(file, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_folder_is_its_parts(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "inner" / "model.safetensors").write_bytes(b"w")
    before = folder_content(tmp_path)
    (tmp_path / "notes.md").write_text("of no weight")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "index.json").write_text("{}")
    assert folder_content(tmp_path) == before
    assert model_content(str(tmp_path), "", tmp_path) == before
    (tmp_path / "inner" / "model.safetensors").write_bytes(b"v")
    after = folder_content(tmp_path)
    assert after != before
    (tmp_path / "inner" / "model.safetensors").rename(tmp_path / "model.safetensors")
    assert folder_content(tmp_path) not in (before, after)


def test_what_is_not_there_has_no_content(tmp_path: Path) -> None:
    assert model_content(str(tmp_path / "nowhere"), "", tmp_path) is None
    with pytest.raises(RequestError, match=r"nowhere\.gguf: cannot be read"):
        file_content(tmp_path / "nowhere.gguf")


def test_another_file_than_the_one_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(b"one")
    require_content(file, hashlib.sha256(b"one").hexdigest(), "x")
    with pytest.raises(RequestError, match="x is another file"):
        require_content(file, hashlib.sha256(b"two").hexdigest(), "x")
