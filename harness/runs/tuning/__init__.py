"""Searching a model's parameters on the validation split: the space, one trial, the study of many."""
