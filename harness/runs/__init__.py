"""Fit, score and record one model on one panel, and all that makes a record again."""
