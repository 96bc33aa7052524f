"""`python -m pytest_seedshift COMMAND`: what there is to do with a run besides running it."""

from __future__ import annotations

import sys

from pytest_seedshift.commands import main

if __name__ == "__main__":
    sys.exit(main())
