"""The card of one run."""
