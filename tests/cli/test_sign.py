"""Signatures by SSH keys: made by ``harness sign``, told by boards, and refused where they are of other bytes."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.commands import typed

LINE = ("run", "--task", "switch", "--model", "uniform", "--model", "marginal", "--model", "markov")
MODELS = ("marginal", "markov", "uniform")
PANEL = "market-persons-40-seed-1"

if shutil.which("ssh-keygen") is None:
    pytest.skip("no ssh-keygen on this machine", allow_module_level=True)


def key_of(folder: Path, name: str) -> Path:
    key = folder / name
    line = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)]
    subprocess.run(line, check=True, capture_output=True)
    return key


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three records; the keys of ann and bob, who may sign, and of eve, who may not."""
    folder = tmp_path_factory.mktemp("signed")
    done = typed(folder, *LINE, "--set", "data.persons=40", "--records", "boards/results")
    assert done.returncode == 0, done.stderr
    lines = []
    for name in ("ann", "bob", "eve"):
        public = key_of(folder, name).with_suffix(".pub").read_text().strip()
        lines += [f"{name}@example.org {public}"] if name != "eve" else []
    (folder / "signers").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "here"))


def sign(here: Path, key: str, *names: str) -> None:
    done = typed(here, "sign", *names, "--key", key, "--records", "boards/results")
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        assert (here / line).read_text().startswith("-----BEGIN SSH SIGNATURE-----")


def board(here: Path, *more: str) -> tuple[int, str]:
    places = ("--records", "boards/results", "--boards", "boards")
    done = typed(here, "leaderboard", *places, *more)
    return done.returncode, done.stderr


def record(here: Path, model: str) -> Path:
    [path] = (here / "boards" / "results" / PANEL).glob(f"switch-{model}-*.json")
    return path


def signers_told(here: Path) -> dict[str, tuple[bool | None, str | None]]:
    rows = json.loads((here / "boards" / PANEL / "switch.json").read_text())["rows"]
    return {row["model"]: (row.get("signed"), row.get("signed_by")) for row in rows}


def test_a_board_says_who_signed_where_it_is_asked(here: Path) -> None:
    sign(here, "ann", f"{PANEL}/switch/markov", record(here, "uniform").stem[-16:])
    sign(here, "bob", str(record(here, "uniform")))  # in place of ann's
    assert board(here)[0] == 0
    assert set(signers_told(here).values()) == {(None, None)}
    assert "signed" not in (here / "boards" / PANEL / "switch.md").read_text()
    assert board(here, "--signers", "signers")[0] == 0
    assert signers_told(here) == {
        "markov": (True, "ann@example.org"),
        "uniform": (True, "bob@example.org"),
        "marginal": (False, None),
    }
    for form in ("md", "tex", "csv"):
        text = (here / "boards" / PANEL / f"switch.{form}").read_text()
        assert "ann@example.org" in text
    markdown = (here / "boards" / PANEL / "switch.md").read_text()
    assert "| signed by |" in markdown
    assert "| unsigned |" in markdown
    rows = csv.DictReader(io.StringIO((here / "boards" / PANEL / "switch.csv").read_text()))
    assert {row["model"]: row["signed_by"] for row in rows}["uniform"] == "bob@example.org"
    assert "bob@example.org" in (here / "boards" / "index.html").read_text()
    assert board(here, "--signers", "signers", "--check")[0] == 0


def test_other_bytes_and_other_keys_are_refused_by_file(here: Path) -> None:
    for key, model in zip(("ann", "eve", "bob"), MODELS, strict=True):
        sign(here, key, str(record(here, model)))
    edited = record(here, "uniform")
    edited.write_text(edited.read_text().replace('"fit_seconds": ', '"fit_seconds": 1'))
    swapped = record(here, "marginal")  # the signature of another record by one who may sign
    shutil.copy(f"{record(here, 'uniform')}.sig", f"{swapped}.sig")
    status, said = board(here, "--signers", "signers")
    assert status == 2
    assert f"{edited.name}: its signature is not of its bytes by bob@example.org" in said
    assert f"{swapped.name}: its signature is not of its bytes by bob@example.org" in said
    assert f"{record(here, 'markov').name}: signed by a key that signers does not have" in said
    edited.with_name(f"{edited.name}.sig").unlink()
    status, said = board(here, "--signers", "signers")
    assert status == 2
    assert edited.name not in said
    assert signers_told(here) == {"uniform": (False, None)}


def test_a_signature_for_another_purpose_is_none(here: Path) -> None:
    path = record(here, "markov")
    line = ["ssh-keygen", "-Y", "sign", "-q", "-f", "ann", "-n", "git", str(path)]
    subprocess.run(line, cwd=here, check=True, capture_output=True)
    status, said = board(here, "--signers", "signers")
    assert status == 2
    assert f"{path.name}: its signature is not of its bytes by ann@example.org, for labor-harness" in said


def test_tables_are_signed_too(here: Path) -> None:
    assert board(here, "--signers", "signers")[0] == 0
    table = here / "boards" / PANEL / "switch.json"
    sign(here, "ann", str(table))
    assert board(here, "--signers", "signers", "--check")[0] == 0
    shutil.copy(f"{table}.sig", table.with_name("switch.md.sig"))
    status, said = board(here, "--signers", "signers", "--check")
    assert status == 2
    assert "switch.md: its signature is not of its bytes" in said
    assert "to be signed anew: " in board(here)[1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("sign", f"{PANEL}/switch/markov", "--key", "nobody"), "--key nobody: no such file"),
        (("sign", f"{PANEL}/switch/markov", "--key", "signers"), "--key signers: ssh-keygen does not sign with it"),
        (("sign", f"{PANEL}/switch/gbm", "--key", "ann"), "no panel/task/model is called so"),
        (("leaderboard", "--boards", "boards", "--signers", "nobody"), "--signers nobody: no such file"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(made: Path, line: tuple[str, ...], message: str) -> None:
    done = typed(made, *line, "--records", "boards/results")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_ssh_keygen_the_line_says_so(made: Path) -> None:
    line = ("sign", f"{PANEL}/switch/markov", "--key", "ann", "--records", "boards/results")
    done = typed(made, *line, PATH="")
    assert done.returncode == 2
    assert "signatures need ssh-keygen (OpenSSH 8.2 or later)" in done.stderr
