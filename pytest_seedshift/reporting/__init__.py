"""What people see: the terminal, pytest-html's page, the words of a verdict."""
