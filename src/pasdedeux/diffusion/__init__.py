"""Discrete diffusion: the mask-and-replace process, its losses and its sampling; learns nothing."""
