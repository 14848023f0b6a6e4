"""Models of a Hugging Face hub: the commit that a name stands for, and the place to open it from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.errors import RequestError

KEPT = "snapshots"  # the folder of the hub's cache whose folders are called by commits


@dataclass(frozen=True)
class HubPlace:
    """The place to open a hub's model from: its name, or the folder that it is cached in, which has no revision."""

    source: str
    revision: str | None


def hub_commit(name: str, subfolder: str = "", kind: str = "base") -> str:
    """40 hexadecimal digits: the commit that this machine has of a hub's repository, asked for where it has none.

    kind: of model, for people. RequestError where the hub does not give it. It is asked once: its own library asks six
    times for each of several files, and a wrong name on a machine without a network would take minutes.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

    file = f"{subfolder}/config.json" if subfolder else "config.json"
    try:
        found = try_to_load_from_cache(name, file)
        if isinstance(found, str) and KEPT in (parts := Path(found).parts):
            return parts[parts.index(KEPT) + 1]
        commit = get_hf_file_metadata(hf_hub_url(name, file), retry_on_errors=False).commit_hash
        reason = "it names no commit"
    except Exception as error:  # noqa: BLE001 - of the hub, of its cache, of the way there, of a name that is none
        # The first line is a status, the second the reason for it: gated, or not there.
        commit, reason = None, " ".join(filter(None, str(error).split("\n")[:3]))
    if commit is None:
        raise RequestError(
            f"{kind} '{name}' cannot be opened: there is no such folder here, this machine has cached none of that "
            f"name, and {constants.ENDPOINT} does not give it ({reason}); give 'builtin', a folder that "
            "save_pretrained wrote, or the name of a hub's model, OWNER/NAME"
        )
    return commit


def hub_place(name: str, subfolder: str = "", kind: str = "base") -> HubPlace:
    """The place of a hub's model, at the commit that ids name, whatever the hub has by now.

    Where the hub does not answer, the folder that this machine has cached it in: libraries ask the hub for every file
    that a model might have, six times each, before they take what is cached. On a machine without a network one model
    took three minutes. Errors as of ``hub_commit``.
    """
    from huggingface_hub import snapshot_download

    commit = hub_commit(name, subfolder, kind)
    if _answers():
        return HubPlace(name, commit)
    return HubPlace(snapshot_download(name, revision=commit, local_files_only=True), None)


@cache
def _answers() -> bool:
    """False where the hub cannot be asked. Tried once a process."""
    from huggingface_hub import constants, get_hf_file_metadata
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(constants.ENDPOINT, retry_on_errors=False)
    except HfHubHTTPError:  # an answer, if to another question
        return True
    except Exception:  # noqa: BLE001 - of whatever client the library uses
        return False
    return True
