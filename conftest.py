"""The project as its own first user; pytester runs pytest inside its tests."""

pytest_plugins = ["pytester"]
