"""What models that are trained by gradient descent share: steps, checkpoints, threads, ensembles. Needs torch."""
