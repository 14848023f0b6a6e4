"""Careers as text and as tokens."""
