"""The loop, checkpoints, policy gradients and critics."""
