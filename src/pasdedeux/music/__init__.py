"""Melodies, notes, keys and sound."""
