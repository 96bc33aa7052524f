"""Test whether text-to-image diffusion models stay true to the prompt when their initial noise is shifted."""

__version__ = "0.1.0"
