"""Runs in processes of their own, one forked for each, that can be killed at any moment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# Imports once what a run needs, then forks a process for each run that it is asked for.
SERVER = """
import os, sys
from pathlib import Path
import matplotlib.figure, pytest, scipy.stats, torchmetrics.functional.image
import pytest_seedshift.models.pipeline, pytest_seedshift.scorers.clip, pytest_seedshift.scorers.classifier

for line in sys.stdin:
    word, *arguments = line.rstrip("\\n").split("\\t")
    if word == "wait":
        print(os.waitpid(int(arguments[0]), 0)[1], flush=True)
    elif process := os.fork():
        print(process, flush=True)
    else:
        os.chdir(word)
        output = os.open(arguments[0], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        try:
            code = pytest.main(arguments[1:])
            sys.stdout.flush()
        finally:
            os._exit(code)
"""


class Server:
    """Starts runs in processes of their own, without the seconds that importing torch takes."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=pipe, stdout=pipe, text=True)

    def ask(self, *words: object) -> int:
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def start(self, folder: Path, *arguments: str, output: str = "output.txt") -> int:
        """Start a run; its process."""
        return self.ask(folder, output, *arguments)

    def end(self, process: int) -> int:
        """Wait for the end of a run; its exit status, below 0 if it was killed."""
        return os.waitstatus_to_exitcode(self.ask("wait", process))
