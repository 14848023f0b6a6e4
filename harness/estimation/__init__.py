"""Estimators that several models share: logits, a sparse multinomial, models in three steps."""
