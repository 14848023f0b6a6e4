"""Readers, one for each shape that careers come in."""
