"""Careers sampled past a year, and how far they are from what happened."""

from __future__ import annotations

from harness.forecasts.plan import Plan, pooled, until

__all__ = ["Plan", "pooled", "until"]
