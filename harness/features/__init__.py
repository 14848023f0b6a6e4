"""What is known of a transition: one vectorised design, nothing past the origin."""

from __future__ import annotations

from harness.features.catalogue import CATALOGUE, Design, Feature, build, changes, covariate_labels, known

__all__ = ["CATALOGUE", "Design", "Feature", "build", "changes", "covariate_labels", "known"]
