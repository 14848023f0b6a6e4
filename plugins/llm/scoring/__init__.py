"""Probabilities of titles, read from a language model."""
