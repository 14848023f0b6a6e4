"""A model in a process of its own, which holds masked careers alone (``harness run --isolated``)."""
