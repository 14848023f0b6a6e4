"""Figures, calibration, resampling, inference, confidence sets and mixtures: arrays in, numbers out."""
