"""Trajectories: what a sampler's state does between the seed vector and the picture, with a shift and without."""
