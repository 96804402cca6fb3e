"""Listening tests: what is played, in which order, to whom, and what they answered."""
