"""Text for a terminal: what others wrote does not steer it, and every encoding can show it."""

from __future__ import annotations

import io
import re
from typing import TextIO

# Escape sequences and other controls but tabs and line ends, and what turns the direction of writing.
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text with every character that would steer a terminal written out, as \\u001b."""
    return STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def write_out_what_cannot_be_encoded(*streams: TextIO) -> None:
    """Make streams of an encoding that lacks a character write it out, as \\u2019, where they would raise."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_unicode(stream: TextIO) -> bool:
    """True where the stream can hold every character."""
    return (stream.encoding or "utf-8").lower().replace("-", "").startswith("utf")
