"""Checkpoints as files: where they lie, what a folder's weights are, what their headers say, and their fingerprint."""
