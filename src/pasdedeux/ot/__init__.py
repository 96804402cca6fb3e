"""Transport: ground costs, entropic optimal transport and entropic Gromov-Wasserstein."""
