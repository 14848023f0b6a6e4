"""A submission's statements on itself: where its code is, and if what made it may have met the careers before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import urlsplit

from harness.boards.rows import MAY_HAVE_SEEN, REPLICATION_CODE, Seen
from harness.errors import RequestError

LONGEST_URL = 300  # characters


@dataclass(frozen=True)
class Statement:
    """code: URL of replication code, None where there is none. seen: 'yes', 'no' or 'unknown' of a pre-trained base."""

    code: str | None = None
    seen: Seen | None = None

    def facts(self) -> dict[str, str]:
        """The facts of a record that say so; none of what was not stated."""
        told = {REPLICATION_CODE: self.code, MAY_HAVE_SEEN: self.seen}
        return {name: value for name, value in told.items() if value is not None}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Statement:
        """The statement that a record's facts hold."""
        return cls(facts.get(REPLICATION_CODE), facts.get(MAY_HAVE_SEEN))


def stated(code: str | None, seen: str | None) -> Statement:
    """RequestError, naming the option, where the code has no address and where the answer is none of three."""
    if code is not None and (wrong := fault_of_url(code)):
        raise RequestError(f"--code {code}: {wrong}")
    if seen not in (None, *get_args(Seen)):
        raise RequestError(f"--base-may-have-seen {seen}: write yes, no or unknown")
    return Statement(code, seen)  # type: ignore[arg-type]


def fault_of_url(url: str) -> str | None:
    """A sentence on an address that nobody could open; None where it has the form of one."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    sound = parts.scheme in ("https", "http") and "." in (parts.hostname or "")
    if not sound or not url.isprintable() or " " in url or len(url) > LONGEST_URL:
        return f"is no address of a web page, such as https://example.org/code, in {LONGEST_URL} characters"
    return None
