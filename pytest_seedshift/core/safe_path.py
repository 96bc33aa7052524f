"""Where Python looks for modules when this package is started by `python -m`."""

from __future__ import annotations

import sys


def leave_out_working_directory() -> None:
    """Take the working directory, which `python -m` puts first, off the path: a `jinja2.py` that lies there is none.

    Of a folder that somebody else has made no module may be loaded. A checkout of this package, used where it lies
    without being installed, stays on the path. pytest adds what it needs for a project's conftest itself.
    """
    if sys.flags.safe_path or not sys.path:
        return
    import os

    first, package = sys.path[0], os.path.abspath(f"{__file__}/../../..")  # noqa: PTH100
    try:
        is_here = first == "" or os.path.samefile(first, os.getcwd())  # noqa: PTH109, PTH121
    except OSError:
        is_here = True  # a folder that is not there any more
    if is_here and os.path.abspath(first) != package:  # noqa: PTH100
        del sys.path[0]
