"""Signatures of files by SSH keys, as OpenSSH makes and checks them (``ssh-keygen -Y``; PROTOCOL.sshsig).

Keys that people have already, and a list of who may sign with which (``allowed_signers``, as git has it): no format and
no cryptography of our own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.errors import RequestError
from harness.system.files import write_atomically

NAMESPACE = "labor-harness"  # a signature that was made for another purpose is none of ours
ENDING = ".sig"  # after the whole name of the file that is signed
HEADER = "-----BEGIN SSH SIGNATURE-----"


def signature_of(path: Path) -> Path:
    """The file that the detached signature of a file lies in, whether it is there or not."""
    return path.with_name(path.name + ENDING)


def sign(path: Path, key: Path) -> Path:
    """Write the signature of a file's bytes beside it; the file that it lies in, which may have been there.

    key: a private key, or a public one whose private key the agent holds. RequestError where it cannot be used.
    """
    if not key.expanduser().is_file():
        raise RequestError(f"--key {key}: no such file; a private SSH key, such as ~/.ssh/id_ed25519")
    made = _ssh_keygen("sign", {"-q": None, "-f": key.expanduser(), "-n": NAMESPACE}, path)
    text = made.stdout.decode(errors="replace")
    if made.returncode != 0 or not text.startswith(HEADER):
        raise RequestError(f"--key {key}: ssh-keygen does not sign with it ({_last(made)})")
    write_atomically(signature_of(path), text)
    return signature_of(path)


def signer_of(path: Path, signers: Path) -> str | None:
    """The signer of a file, by the list of ``signers``; None where no signature lies beside it.

    RequestError, naming the file, where the signature is not of its bytes, or of nobody in the list.
    """
    signature = signature_of(path)
    if not signature.is_file():
        return None
    found = _ssh_keygen("find-principals", {"-s": signature, "-f": signers}, path)
    names = found.stdout.decode(errors="replace").splitlines()
    if found.returncode != 0 or not names:
        raise RequestError(f"{path}: signed by a key that {signers} does not have, or not at all ({_last(found)})")
    name = names[0].split(",")[0]
    checked = _ssh_keygen("verify", {"-f": signers, "-I": name, "-n": NAMESPACE, "-s": signature}, path)
    if checked.returncode != 0:
        raise RequestError(f"{path}: its signature is not of its bytes by {name}, for {NAMESPACE} ({_last(checked)})")
    return name


def require_signers(signers: Path) -> Path:
    """The file with ``~`` expanded. RequestError where it is not there, or nothing here can check signatures."""
    path = signers.expanduser()
    if not path.is_file():
        raise RequestError(
            f"--signers {signers}: no such file; a line for each who may sign: name@example.org ssh-ed25519 AAAA..."
        )
    _program()
    return path


def _program() -> str:
    found = shutil.which("ssh-keygen")
    if found is None:
        raise RequestError("signatures need ssh-keygen (OpenSSH 8.2 or later), which is not on this machine's PATH")
    return found


def _ssh_keygen(way: str, options: Mapping[str, object], of: Path) -> subprocess.CompletedProcess[bytes]:
    """The program's answer on the bytes of a file. options: each with its value, None of one that has none."""
    line = [_program(), "-Y", way]
    for option, value in options.items():
        line += [option] if value is None else [option, str(value)]
    with of.open("rb") as content:
        return subprocess.run(line, stdin=content, capture_output=True, check=False, env=os.environ | {"LC_ALL": "C"})


def _last(answer: subprocess.CompletedProcess[bytes]) -> str:
    """The last line that it said."""
    said = (answer.stderr or answer.stdout).decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(said) if line.strip()), f"status {answer.returncode}")
