"""Experiments beside pass and fail."""
