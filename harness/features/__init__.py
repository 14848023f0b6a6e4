"""Features of transitions: one vectorised table, nothing past the origin."""

from __future__ import annotations

from harness.features.catalogue import CATALOGUE, Feature, FeatureTable, build, changes, covariate_labels, known

Design = FeatureTable  # its former name

__all__ = ["CATALOGUE", "Design", "Feature", "FeatureTable", "build", "changes", "covariate_labels", "known"]
