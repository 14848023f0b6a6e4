"""Tuning of a language model."""
