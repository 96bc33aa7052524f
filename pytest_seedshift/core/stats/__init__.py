"""Statistics of verdicts. Pure numbers."""
