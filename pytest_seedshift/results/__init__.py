"""A run on disk: written, read, merged, compared."""
