"""Bodies: rotations, the skeleton, where its joints are, when they rest, how they move."""
