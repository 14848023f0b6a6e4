"""How the probability of a title is read."""
