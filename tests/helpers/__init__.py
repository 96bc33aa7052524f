"""What the tests share: runs, models and folders that are made for them. On the path by pyproject.toml."""
