"""Samples are made until a verdict stands."""
