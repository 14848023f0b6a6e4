"""The measurements behind docs/reliability.md, which ``python -m reliability`` makes, and the tests that hold them."""
