"""The built-in suite: what runs where a project has no reliability test of its own."""
