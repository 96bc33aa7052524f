"""Regression gating: is the new version as reliable as the one before? See the README."""
