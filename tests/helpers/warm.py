"""A Python that has its libraries loaded already: torch, diffusers and their kind take 7 of a run's first 8 seconds.

A server imports them once, when it is first asked, and forks. In place of `sys.executable` the tests start a small
launcher: it hands its arguments, its folder, its environment and its three streams to the server, and behaves as the
process that runs there: it passes signals on to it, dies with it by the same signal, and takes it along when it is
killed itself. Nothing of this package and nothing of pytest is loaded before the fork. What a warm process could not do
as a cold one would, the launcher leaves to the real Python: options of the interpreter that it does not know, variables
that Python reads when it starts. One thing differs: the process that runs is no child of the launcher.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

PYTHON = sys.executable
"""The real one."""

LIBRARIES = (
    "torch",
    "torch._dynamo",
    "torchvision.transforms.v2.functional",
    "diffusers.pipelines.auto_pipeline",
    "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
    "diffusers.loaders.single_file_utils",
    "diffusers.schedulers.scheduling_ddim",
    "transformers.models.auto.image_processing_auto",
    "transformers.models.auto.modeling_auto",
    "transformers.models.clip.modeling_clip",
    "transformers.models.clip.tokenization_clip",
    "transformers.models.vit.modeling_vit",
    "transformers.models.vit.image_processing_vit",
    "open_clip",
    "matplotlib.figure",
    "matplotlib.backends.backend_svg",
    "scipy.stats",
    "torchmetrics.functional.image",
    "pydantic",
    "jinja2",
)

COMMANDS = (("pytest", "pytest", "console_main"), ("seedshift", "pytest_seedshift.__main__", "main"))
"""What lies beside it, for who looks there; each as a script of Python's packages is made."""

LAUNCHER = """#!{python} -IS
import array, json, os, signal, socket, sys

PYTHON, ADDRESS, THEIRS = {python!r}, {address!r}, {theirs!r}

def cold():
    os.execv(PYTHON, [PYTHON, *sys.argv[1:]])

arguments, flags = sys.argv[1:], []
while arguments and arguments[0] in ("-u", "-B"):
    flags.append(arguments.pop(0))
kind = arguments[0] if arguments else "-"
known = kind in ("-c", "-m") or kind.startswith("-mpytest") or not kind.startswith("-")
mine = {{name: value for name, value in os.environ.items() if name.startswith("PYTHON") and name != "PYTHONPATH"}}
if not known or mine != THEIRS:
    cold()
connection = socket.socket(socket.AF_UNIX)
try:
    connection.connect(ADDRESS)
except OSError:
    cold()
ignored = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) == signal.SIG_IGN]
request = {{
    "arguments": arguments,
    "flags": flags,
    "folder": os.getcwd(),
    "environment": dict(os.environ),
    "ignored": ignored,
}}
socket.send_fds(connection, [b"!"], [0, 1, 2])
connection.sendall(json.dumps(request).encode("utf-8", "surrogateescape") + b"\\n")
reader = connection.makefile("rb")
process = int(reader.readline())
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT):
    if number not in ignored:
        signal.signal(number, lambda number, _: os.kill(process, number))
for stream in (0, 1, 2):
    os.close(stream)  # or a reader of our output waits for us when the process has closed it
answer = reader.readline()
status = int(answer) if answer else 1
if status < 0:
    signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
    os.kill(os.getpid(), -status)
os._exit(status)
"""


@contextmanager
def python(folder: Path) -> Iterator[Path]:
    """The path of a launcher, which stands in for `sys.executable`; its server lives as long.

    Args:
        folder: for the launcher and the server's socket; its path must be short, as sockets want it.
    """
    launcher, address = folder / "python", str(folder / "socket")
    theirs = {name: value for name, value in os.environ.items() if name.startswith("PYTHON") and name != "PYTHONPATH"}
    launcher.write_text(LAUNCHER.format(python=sys.executable, address=address, theirs=theirs))
    launcher.chmod(0o755)
    for name, module, function in COMMANDS:
        command = folder / name
        command.write_text(f"#!{launcher}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n")
        command.chmod(0o755)
    server = subprocess.Popen([sys.executable, __file__, address, launcher], stdin=subprocess.PIPE)
    try:
        while not Path(address).exists():
            assert server.poll() is None, "the server of warm processes has ended"
            time.sleep(0.02)
        yield launcher
    finally:
        server.communicate(timeout=60)
    assert server.returncode == 0


# The server -------------------------------------------------------------------------------------------------------


def serve(address: str) -> tuple[dict[str, Any], list[int]] | None:
    """Fork a process for each request until our input ends; in such a process, its request and its streams."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{address}.new")
    server.listen(16)
    Path(f"{address}.new").rename(address)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: it is for whoever is at work
    while True:
        readable, _, _ = select.select([server, sys.stdin], [], [], 0.5)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if sys.stdin in readable:
            return None
        if server in readable:
            if "torch" not in sys.modules:
                load()
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                return mind(connection)
            connection.close()


def load() -> None:
    """Load the libraries."""
    for library in LIBRARIES:
        importlib.import_module(library)
    for name in [name for name in sys.modules if name.partition(".")[0] == "anyio"]:
        del sys.modules[name]  # a plugin of pytest, which warns where it cannot rewrite it
    gc.freeze()  # what is there stays, and its pages stay shared


def mind(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Fork the process of a request and tell the launcher how it ends; in that process, its request and its streams."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(connection.makefile("rb").readline())
    process = os.fork()
    if process == 0:
        connection.close()
        return request, streams
    for stream in streams:
        os.close(stream)
    with suppress(BrokenPipeError):
        connection.sendall(f"{process}\n".encode())
    watched = os.pidfd_open(process)
    readable, _, _ = select.select([watched, connection, sys.stdin], [], [])
    if watched not in readable:  # the launcher was killed, or the tests have ended
        os.kill(process, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with suppress(OSError):
        connection.sendall(f"{status}\n".encode())
    os._exit(0)


def become(request: dict[str, Any], streams: list[int], launcher: str) -> None:
    """Take on what the launcher was given: streams, folder, environment, arguments."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.modules["torch"].set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count()))  # read when loaded
    signal.signal(signal.SIGINT, signal.SIG_IGN if signal.SIGINT in request["ignored"] else signal.default_int_handler)
    if signal.SIGHUP in request["ignored"]:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.dont_write_bytecode = "-B" in request["flags"]
    unbuffered = "-u" in request["flags"]
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (
        open(number, "w", 1 if number == 2 or os.isatty(number) else -1, "utf-8", errors, closefd=False)  # noqa: SIM115
        for number, errors in ((1, "strict"), (2, "backslashreplace"))
    )
    if unbuffered:
        sys.stdout.reconfigure(write_through=True)
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
    sys.executable = launcher
    sys.path[0:1] = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]


def run(arguments: list[str]) -> None:
    """What Python does with its arguments."""
    kind = arguments.pop(0)
    if kind == "-c":
        sys.argv = ["-c", *arguments[1:]]
        sys.path.insert(0, "")
        main = sys.modules["__main__"] = ModuleType("__main__")
        main.__dict__["__builtins__"] = __builtins__
        exec(compile(arguments[0], "<string>", "exec"), main.__dict__)
    elif kind.startswith("-m"):
        module = kind[2:] or arguments.pop(0)
        sys.argv = ["-m", *arguments]
        sys.path.insert(0, str(Path.cwd()))
        runpy._run_module_as_main(module)
    else:
        sys.argv = [kind, *arguments]
        sys.path.insert(0, str(Path(kind).absolute().parent))
        runpy.run_path(kind, run_name="__main__")


def main(address: str, launcher: str) -> None:
    """Be the server, or after a fork the process that was asked for."""
    given = serve(address)
    if given is None:
        leave(0)
    become(*given, launcher)
    try:
        run(given[0]["arguments"])
    except SystemExit as error:
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
        leave(int(error.code is not None) if not isinstance(error.code, int) else error.code)
    leave(0)


def leave(status: int) -> NoReturn:
    """End as Python does, but for taking all libraries down one object at a time, which takes half a second."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = 120
    os._exit(status & 0xFF)


if __name__ == "__main__":
    main(*sys.argv[1:])
