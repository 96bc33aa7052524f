"""The command `seedshift COMMAND …`, also as `python -m pytest_seedshift COMMAND …`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from pytest_seedshift.core import safe_path

    safe_path.leave_out_working_directory()  # before anything else is looked for there

from pytest_seedshift.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
