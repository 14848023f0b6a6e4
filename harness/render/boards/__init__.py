"""Boards in each form: Markdown, LaTeX, csv, JSON."""
