"""Networks over careers: what is known of a transition as tensors, and heads that give P(next state)."""
