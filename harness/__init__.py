"""Harness: models of a worker's next occupation, side by side on one split with one likelihood."""

__version__ = "0.1.0"
