"""Boards as one HTML page: every board and its views, in a file that needs no other."""

from harness.render.html.page import overview, render

__all__ = ["overview", "render"]
