"""CI's steps: what a newcomer does, each in a clone or an empty folder of its own, and the tests.

    python3 .ci/steps.py [STEP…]

Without arguments the steps of both lanes run, two at a time; the suite's summary is the last line. Nothing is left
behind, and nothing but Python is taken as given. Steps that no lane has run where they are named.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import installing
import run_checks
from readme_commands import two_commands

ROOT = Path(__file__).resolve().parents[1]
SHORT = ("--seedshift-model=toy-latent", "--seedshift-images=16", "--seedshift-shift=mean", "--seedshift-magnitude=0.3")
FOREIGN = (
    *("PYTHONPATH", "PYTHONHOME", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "VIRTUAL_ENV", "UV_PYTHON"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
)
"""Variables of whoever starts this that a newcomer does not have. Where Python may not keep what it has compiled, each
of some hundred processes compiles torch and diffusers anew."""

PLUGINS = (
    *("rerunfailures", "pytest-retry", "randomly", "random_order"),
    *("timeout", "pytest_cov", "pytest-split", "pytest_forked"),
)
"""By pytest's names, those of the extra `plugins`."""

GATES = ("ruff check .", "ruff format --check .", "mypy", "lint-imports")
"""What must hold of the source before anything of it runs; .pre-commit-config.yaml has the same."""

LAYERS = (
    "tests/core",
    "tests/scorers",
    "tests/results",
    "tests/models",
    "tests/runner",
    "tests/studies",
    "tests/reporting",
)
"""Tests that run no pytest of their own."""

EXTRAS = (
    "tests/cli/test_export.py",
    "tests/cli/test_schema.py",
    "tests/project/test_ci_of_users.py",
    "tests/project/test_packages.py",
)
"""Tests of what packages of the extras do: pyarrow, jsonschema, check-jsonschema and hatchling."""

NEWCOMER = {"PIP_NO_COMPILE": "0"}
"""pip compiles none of 15,000 modules (its options with "no" want a false value): Python does when it imports one."""

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""For jobs that run beside others: they would wait for each other's threads, many times as long as they compute."""


@dataclass
class Place:
    """Where one step works: a folder that is removed after it, and what its commands have printed."""

    folder: Path
    lane: Path
    output: str = ""
    cpu: float = 0.0
    processes: set[int] = field(default_factory=set)

    def run(
        self,
        *command: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        statuses: Sequence[int] = (0,),
    ) -> tuple[int, str]:
        """Run a command without an input; its status and what it has printed.

        Raises:
            subprocess.CalledProcessError: the status is none of `statuses`.
        """
        words = [str(word) for word in command]
        environment = {name: value for name, value in os.environ.items() if name not in FOREIGN} | dict(env or {})
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                words,
                cwd=cwd or self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.processes.add(process.pid)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.processes.discard(process.pid)
            self.cpu += usage.ru_utime + usage.ru_stime
            log.seek(0)
            printed = log.read().decode(errors="replace")
        self.output += f"$ {' '.join(words)}\n{printed}"
        if process.returncode not in statuses:
            raise subprocess.CalledProcessError(process.returncode, words)
        return process.returncode, printed

    def clone(self, folder: Path | None = None) -> Path:
        """A fresh clone of what is committed, in this step's folder unless another is named."""
        made = folder or self.folder / "clone"
        self.run("git", "-c", "safe.directory=*", "clone", "--quiet", ROOT, made)
        return made

    def newcomer(self) -> Path:
        """The clone in which the README's commands run one after the other, without what the one before has left there.

        Its environment stays: pip unpacks 6 GB anew where there is none.
        """
        clone = self.lane / "newcomer"
        if not clone.exists():
            return self.clone(clone)
        self.run("git", "-c", "safe.directory=*", "clean", "-dffxq", "--exclude=/.venv", cwd=clone)
        return clone

    def tools(self) -> Path:
        """The Python of the lane's environment with `build` and `uv`."""
        python = self.lane / "tools/bin/python"
        return python if python.exists() else installing.tools(self.run, self.lane / "tools")

    def install(
        self,
        *wanted: str | Path,
        python: Path = Path(sys.executable),
        lowest: bool = False,
        folder: Path | None = None,
    ) -> Path:
        """A new environment in `folder`, else beside the clone, with what is wanted; its Python."""
        cache = {"UV_CACHE_DIR": str(self.lane / "uv-cache")}  # of the environments' file system, so that uv can link

        def run(*command: str | Path) -> None:
            self.run(*command, env=cache)

        new = folder or self.folder / "venv"
        return installing.install(run, self.tools(), python, new, *map(str, wanted), lowest=lowest)

    def test_environment(self, clone: Path) -> Path:
        """The lane's environment with the extras `test` and `plugins`, made when it is first needed; its Python."""
        folder = self.lane / "test-environment"
        python = folder / "bin/python"
        return python if python.exists() else self.install(f"{clone}[test,plugins]", folder=folder)

    def short_job(self, python: Path) -> str:
        """The main job with few images, in an empty folder; the summary."""
        empty = self.folder / "empty"
        empty.mkdir()
        self.run(python, "-m", "pytest_seedshift", "--help", cwd=empty)
        self.run(python.parent / "seedshift", "--help", cwd=empty)
        status, printed = self.run(python.parent / "pytest", *SHORT, cwd=empty, env=ONE_THREAD, statuses=(0, 1))
        return run_checks.run(empty, status, printed, cases=2, pages=[".seedshift/report.html"])


def gates(place: Place) -> str:
    """Style, types and layers of a clone. All are run, so that one run names all that is to be mended.

    Raises:
        RuntimeError: some did not pass.
    """
    clone = place.clone()
    scripts = place.test_environment(clone).parent
    failed = []
    for gate in GATES:
        name, *arguments = gate.split()
        status, _ = place.run(scripts / name, *arguments, cwd=clone, statuses=range(-64, 256))
        if status:
            failed.append(gate)
    if failed:
        raise RuntimeError(f"not passed: {', '.join(failed)}")
    return f"passed: {', '.join(GATES)}"


def first(place: Place) -> str:
    """The README's first command, without extras, to its report."""
    clone = place.newcomer()
    command, _ = two_commands((clone / "README.md").read_text(encoding="utf-8"))
    status, printed = place.run("bash", "-c", command, cwd=clone, env=ONE_THREAD | NEWCOMER, statuses=(0, 1))
    return run_checks.run(clone, status, printed, cases=31, pages=["report.html", ".seedshift/report.html"])


def tests(place: Place) -> str:
    """The README's second command: the suite. Who has run the first command has its environment."""
    clone = place.newcomer()
    _, command = two_commands((clone / "README.md").read_text(encoding="utf-8"))
    _, printed = place.run("bash", "-c", command, cwd=clone, env=NEWCOMER)
    for line in run_checks.slowest(printed):
        print(line)
    return run_checks.summary(printed)


def wheel(place: Place) -> str:
    """The sdist, the wheel made from it, and the wheel alone in an environment of Python 3.12, if that is here."""
    clone = place.clone()
    place.run(place.tools(), "-m", "build", "--outdir", place.folder / "dist", clone)
    (built,) = place.folder.glob("dist/*.whl")
    (_,) = place.folder.glob("dist/*.tar.gz")
    return place.short_job(place.install(built, python=installing.interpreter("3.12") or Path(sys.executable)))


def docs(place: Place) -> str:
    """The documentation, strictly, from an environment with nothing but the extra `docs`; its site in a browser."""
    clone, site = place.clone(), place.folder / "site"
    python = place.install(f"{clone}[docs]")
    place.run(python, "-m", "sphinx", "-q", "-W", "--keep-going", "docs", site, cwd=clone, env=ONE_THREAD)
    tests = place.test_environment(clone).parent / "pytest"
    _, printed = place.run(tests, "tests/browser/test_site.py", cwd=clone, env={"SITE": str(site)})
    return run_checks.summary(printed)


def other_python(version: str) -> Callable[[Place], str]:
    """The installation and the short job with another version of Python."""

    def step(place: Place) -> str:
        python = installing.interpreter(version)
        if python is None:
            return f"skipped: no Python {version} here"
        return place.short_job(place.install(place.clone(), python=python))

    return step


def lowest(place: Place) -> str:
    """The lowest versions that pyproject.toml allows."""
    return place.short_job(place.install(place.clone(), lowest=True))


def plugins(place: Place) -> str:
    """The tests with the plugins of others, which are given to these alone: each has its own idea of how tests run."""
    clone = place.clone()
    python = place.test_environment(clone)
    off = [part for name in PLUGINS for part in ("-p", f"no:{name}")]
    _, printed = place.run(python.parent / "pytest", *off, "tests/plugin/test_real_plugins.py", cwd=clone)
    return run_checks.summary(printed)


def lowest_tests(place: Place) -> str:
    """The quick tests of the layers and of the extras with the lowest versions: too long for every day."""
    clone = place.clone()
    python = place.install(f"{clone}[test]", lowest=True)
    _, printed = place.run(python.parent / "pytest", *LAYERS, *EXTRAS, "-m", "not slow and not nightly", cwd=clone)
    return run_checks.summary(printed)


def lowest_docs(place: Place) -> str:
    """The documentation, strictly, with the lowest versions of the extra `docs`: too long for every day."""
    clone, site = place.clone(), place.folder / "site"
    python = place.install(f"{clone}[docs]", lowest=True)
    place.run(python, "-m", "sphinx", "-q", "-W", "--keep-going", "docs", site, cwd=clone, env=ONE_THREAD)
    return f"{len(list(site.rglob('*.html')))} pages"


STEPS: Mapping[str, Callable[[Place], str]] = {
    "gates": gates,
    "first": first,
    "tests": tests,
    "wheel": wheel,
    "docs": docs,
    "python3.13": other_python("3.13"),
    "lowest": lowest,
    "plugins": plugins,
    "lowest-tests": lowest_tests,
    "lowest-docs": lowest_docs,
}
LANES = (("first", "tests"), ("gates", "docs", "wheel", "python3.13", "lowest", "plugins"))
"""Two cores, two lanes. The suite wants both cores: it begins when the other lane is nearly done."""


@dataclass
class Result:
    """How a step ended."""

    step: str
    good: bool
    said: str
    wall: float
    cpu: float
    errors: Sequence[str] = ()
    """What is repeated at the end, where it is found: of pytest's failures."""


class Run:
    """All lanes of one run."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._printing = threading.Lock()
        self._places: list[Place] = []
        self.results: list[Result] = []

    def lane(self, steps: Sequence[str]) -> None:
        """Run steps one after the other; a failure stops none of those behind it."""
        with tempfile.TemporaryDirectory(dir=self._root, ignore_cleanup_errors=True) as lane:
            for step in steps:
                self._say(f"— {step}: begins")
                with tempfile.TemporaryDirectory(dir=self._root, ignore_cleanup_errors=True) as folder:
                    self._step(step, Place(Path(folder), Path(lane)))

    def _step(self, step: str, place: Place) -> None:
        self._places.append(place)
        began = time.monotonic()
        try:
            good, said = True, STEPS[step](place)
        except subprocess.CalledProcessError as error:
            good, said = False, f"status {error.returncode} of: {' '.join(error.cmd)}"
        except (run_checks.CheckError, RuntimeError, ValueError, OSError) as error:
            good, said = False, f"{type(error).__name__}: {error}"
        errors = [] if good else run_checks.errors(place.output)
        result = Result(step, good, said, time.monotonic() - began, place.cpu, errors)
        self.results.append(result)
        lines = place.output.rstrip().splitlines()
        shown = lines[-15:] if good else lines[-400:]
        self._say("\n".join([*shown, f"— {step}: {'good' if good else 'FAILED'}: {said}", ""]))

    def _say(self, text: str) -> None:
        with self._printing:
            print(text, flush=True)

    def stop(self) -> None:
        """End what still runs."""
        for place in self._places:
            for process in [*place.processes]:
                with suppress(ProcessLookupError):
                    os.killpg(process, signal.SIGKILL)


def main(named: Sequence[str]) -> int:
    """Run the steps named, else all of the lanes; 1 where one failed, 4 where one is not known."""
    unknown = [step for step in named if step not in STEPS]
    if unknown:
        print(f"no such step: {', '.join(unknown)}; there are {', '.join(STEPS)}", file=sys.stderr)
        return 4
    lanes = [named] if named else LANES
    if subprocess.run(["git", "-C", ROOT, "status", "--porcelain"], capture_output=True, text=True).stdout:
        print("what is not committed is not tested: the steps work in clones", flush=True)
    root = Path(tempfile.mkdtemp(prefix="seedshift-ci-"))
    run = Run(root)

    def stop(*_: object) -> NoReturn:
        run.stop()
        shutil.rmtree(root, ignore_errors=True)
        os._exit(1)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    began = time.monotonic()
    threads = [threading.Thread(target=run.lane, args=(steps,)) for steps in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shutil.rmtree(root, ignore_errors=True)
    return conclude(run.results, [step for lane in lanes for step in lane], time.monotonic() - began)


def conclude(results: Sequence[Result], wanted: Sequence[str], wall: float) -> int:
    """Print the seconds of each step and, last, the suite's own summary; the exit status."""
    print(f"{'step':<14}{'wall':>8}{'CPU':>8}")
    for result in results:
        mark = "" if result.good else "FAILED: "
        print(f"{result.step:<14}{result.wall:>6.0f} s{result.cpu:>6.0f} s  {mark}{result.said}")
    print(f"{'together':<14}{wall:>6.0f} s{sum(each.cpu for each in results):>6.0f} s")
    lost = set(wanted) - {result.step for result in results}
    for step in sorted(lost):  # a thread that died has printed its traceback
        print(f"{step} came to no end")
    for result in results:
        for line in result.errors:
            print(f"{result.step}: {line}")
    suite = [result for result in results if result.step == "tests"]
    for result in suite:
        print(f"tests: {result.said}" if not result.good else result.said)
    return 0 if not lost and all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
