"""Corpora, windows and splits: from files to arrays."""
