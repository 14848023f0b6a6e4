"""How a language model is tuned."""
