"""Training by gradient descent: one loop, schedules, steps, checkpoints, threads, cached bases. Needs torch."""
