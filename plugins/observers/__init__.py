"""Observers: finished runs told to MLflow and to Weights & Biases, where they are asked to be."""
