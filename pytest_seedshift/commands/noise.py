"""`python -m pytest_seedshift noise MODEL`: how far scores move under what should not matter.

It starts as a pytest session, so that it knows the models, settings and hooks that a run in the same folder knows, and
ends before anything is collected.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_seedshift.session import State

_PASSED_ON = ("images", "device", "dtype", "dir", "thresholds", "batch-size")
_IMAGES, _BATCH_SIZE = 64, 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("model", metavar="MODEL", help="a model, as --seedshift-model takes it")
    parser.add_argument("--images", metavar="N", help=f"how many images of the control (default: {_IMAGES})")
    parser.add_argument("--batch-size", metavar="N", help=f"of the reference (default: {_BATCH_SIZE})")
    for name in ("device", "dtype", "dir", "thresholds"):
        parser.add_argument(f"--{name}", metavar=name.upper(), help=f"as --seedshift-{name}")


def run(options: argparse.Namespace) -> int:
    """Measure, print a table and write noise.json; the exit status is pytest's."""
    given = {name: getattr(options, name.replace("-", "_")) for name in _PASSED_ON}
    arguments = [f"--seedshift-{name}={value}" for name, value in given.items() if value is not None]
    return int(
        pytest.main(
            ["-s", "-p", "no:cacheprovider", f"--seedshift-model={options.model}", *arguments],
            plugins=[_Measure(whole=options.images is not None)],
        )
    )


class _Measure:
    """Takes the place of the session."""

    def __init__(self, *, whole: bool) -> None:
        """With `whole` the user has said how many images."""
        self._whole = whole

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        """Measure each model.

        Raises:
            pytest.UsageError: what cannot be used, as in a run.
        """
        from pytest_seedshift import options
        from pytest_seedshift.session import State

        given = options.resolve(config)
        images = given.images if self._whole else _IMAGES
        # A run's wishes for its store and its thresholds file are none of this command's.
        state = State(config, dataclasses.replace(given, images=images, fresh=False, plan=False, write_thresholds=None))
        try:
            for warning in state.check_ground((model, None) for model in given.models):
                print(f"warning: {warning}")
            for model in given.models:
                _measure(state, model)
        finally:
            state.close()
            state.leave()
        return pytest.ExitCode.OK


def _measure(state: State, model: str) -> None:
    import torch

    from pytest_seedshift import arms, noise
    from pytest_seedshift.cases import CaseError

    settings, bench = state.settings, state.workbench
    design = state.catalogue.design(model, None)[: settings.images]
    size = min(settings.batch_size or _BATCH_SIZE, len(design))
    reference = arms.Setting(bench.device, bench.dtype(model), size, torch.get_num_threads())
    try:
        fingerprint = bench.samples(model).model
        noise.read(state.folder)  # what is wrong with it shall not be found after all the work
        found = arms.measure(model, reference, design, state.catalogue, state.folder)
        path = noise.write(state.folder, fingerprint, found)
    except (CaseError, noise.NoiseError, OSError) as error:
        raise pytest.UsageError(str(error)) from None
    print("\n".join(["", *noise.table(found), f"  {path}"]))
