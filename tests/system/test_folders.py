"""Published folders: a damaged one is told, and a kill leaves all of the old one or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.system.folders import MANIFEST, damage, publishing, standing


def published(folder: Path, **files: str) -> Path:
    with publishing(folder, anew=True) as draft:
        (draft / "deep").mkdir()
        for name, text in files.items():
            (draft / "deep" / name).write_text(text)
    return folder


def test_every_kind_of_damage_is_told(tmp_path: Path) -> None:
    folder = published(tmp_path / "fit", weights="1 2 3", trees="4")
    assert damage(folder) is None
    (folder / "deep" / "trees").write_text("5")
    assert damage(folder) == "deep/trees has changed"
    (folder / "deep" / "trees").unlink()
    assert damage(folder) == "deep/trees is missing"
    published(folder, weights="1 2 3")
    (folder / "more").write_text("")
    assert damage(folder) == "more was added"
    (folder / MANIFEST).write_text("[")
    assert damage(folder) == f"{MANIFEST} cannot be read"
    (folder / MANIFEST).unlink()
    assert damage(folder) == f"no {MANIFEST}"


def test_a_new_one_takes_the_place_of_the_old(tmp_path: Path) -> None:
    published(tmp_path / "fit", weights="old", gone="")
    published(tmp_path / "fit", weights="new")
    assert (tmp_path / "fit" / "deep" / "weights").read_text() == "new"
    assert damage(tmp_path / "fit") is None
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]


def test_a_kill_while_the_old_one_goes_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = published(tmp_path / "fit", weights="old")

    def killed(path: Path, ignore_errors: bool = False) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.system.folders.shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        published(folder, weights="new")
    monkeypatch.undo()
    assert not folder.exists() or damage(folder) is None


def test_what_another_process_published_meanwhile_stays(tmp_path: Path) -> None:
    folder = tmp_path / "fit"
    with publishing(folder, anew=True) as draft:
        (draft / "own").write_text("mine")
        published(folder, weights="theirs")
    assert (folder / "deep" / "weights").read_text() == "theirs"
    assert damage(folder) is None


def test_a_later_one_takes_nothing_that_was_not_there_when_it_was_begun(tmp_path: Path) -> None:
    """Of two processes that found nothing the second ends, saving all the while, after the first has published."""
    folder = tmp_path / "fit"
    nothing = standing(folder)
    first = standing(published(folder, weights="first"))
    with publishing(folder, instead_of=nothing) as draft:
        (draft / "weights").write_text("second")
    assert standing(folder) == first
    assert (folder / "deep" / "weights").read_text() == "first"
    with publishing(folder, instead_of=first) as draft:
        (draft / "weights").write_text("third")
    assert (folder / "weights").read_text() == "third"
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]
