"""Measures: arrays in, floats out."""
