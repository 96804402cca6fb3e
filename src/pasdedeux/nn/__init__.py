"""Learned parts, shared by the papers."""
