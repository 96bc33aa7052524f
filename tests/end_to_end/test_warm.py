"""The Python that stands in for `sys.executable` in these tests behaves as that one does; see `warm`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from helpers.warm import PYTHON

pytestmark = [
    pytest.mark.usefixtures("memory", "warm_executable"),
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="warm processes need Linux"),
]

SCRIPT = """
import os, sys
print(sys.argv, __name__, os.getcwd(), os.environ["MINE"], sys.stdin.read())
print("to stderr", file=sys.stderr)
sys.exit(%s)
"""


def both(*arguments: str, **given) -> list[subprocess.CompletedProcess]:
    assert sys.executable != PYTHON
    return [
        subprocess.run([python, *arguments], capture_output=True, text=True, check=False, **given)
        for python in (sys.executable, PYTHON)
    ]


@pytest.mark.parametrize("status", ["0", "3", "None", "'in words'", "-1"])
def test_arguments_streams_folder_environment_and_status(tmp_path, status):
    (tmp_path / "script.py").write_text(SCRIPT % status)
    for arguments in (["-c", SCRIPT % status, "a", "-b"], ["script.py", "a"], ["-m", "script", "--c"]):
        warm, cold = both(*arguments, cwd=tmp_path, input="given", env={**os.environ, "MINE": "mine"})
        assert warm.returncode == cold.returncode
        assert warm.stderr == cold.stderr
        assert warm.stdout.replace("-m", str(tmp_path / "script.py")) == cold.stdout.replace("-m", "script.py")


def test_an_error_has_its_traceback(tmp_path):
    warm, cold = both("-c", "def f(): raise ValueError('mine')\nf()", cwd=tmp_path)
    assert warm.returncode == cold.returncode == 1
    assert warm.stderr.splitlines()[-1] == cold.stderr.splitlines()[-1] == "ValueError: mine"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_it_ends_by_the_signal_by_which_its_process_has_ended(tmp_path, number):
    warm, cold = both("-c", f"import os; os.kill(os.getpid(), {int(number)})", cwd=tmp_path)
    assert warm.returncode == cold.returncode == -number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_its_process_gets_the_signals_that_it_gets(tmp_path, number):
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # What starts this test in the background may have set the signal to be ignored, which is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            worker = int(process.stdout.readline())
            process.send_signal(number)
            assert process.wait(60) == -number
        finally:
            process.kill()
    deadline = time.monotonic() + 60
    while True:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            break
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_neither_this_package_nor_pytest_is_loaded_before_and_torch_is(tmp_path):
    code = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    loaded = set(done.stdout.split())
    assert "torch" in loaded
    assert not {"pytest", "_pytest", "pytest_seedshift", "xdist", "execnet", "pluggy", "hypothesis"} & loaded


def test_cold_is_the_real_one(cold):
    assert sys.executable == PYTHON
    code = "import sys; print('torch' in sys.modules, sys.executable)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", PYTHON]


def test_it_computes_in_as_many_threads_as_the_tests_do():
    """One, unless whoever starts the tests says otherwise."""
    told = subprocess.run([sys.executable, "-c", "import torch; print(torch.get_num_threads())"], capture_output=True)
    assert int(told.stdout) == int(os.environ["OMP_NUM_THREADS"])
