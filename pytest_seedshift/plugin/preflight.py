"""Every mistake of the user that can be found before anything is generated, and what he should know beforehand."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core import output, typed_values
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.test_names import MARKER
from pytest_seedshift.plugin import border, collection, conflicts, effects, output_files

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.plugin.item_jobs import ItemJobs
    from pytest_seedshift.plugin.session import Session

_log = logging.getLogger(__name__)


def check_items(session: Session, items: Iterable[pytest.Item], jobs: ItemJobs) -> list[str]:
    """Check the items of a session, and all that they stand on.

    Returns:
        Warnings for the user.

    Raises:
        pytest.UsageError: a case without a threshold, a plugin that does not go together with cases, or what
            `check_ground` finds.
    """
    warnings, items = check_ends(session), list(items)
    for item in items:
        conflicts.check(session.config, item)
    session.folder_use.check()
    designs = _designs(items, jobs)
    absent = _check_models(session, designs)
    jobs.check()
    session.gate.check_missing()
    requests = [jobs.request(item) for item in items if collection.is_judged(item)]
    models = dict.fromkeys(request.subject.model for request in requests)
    warnings += [note for model in models if (note := session.thresholds.note(model)) is not None]
    from pytest_seedshift.core import threshold_warnings  # pydantic, which collecting shall not load without need

    markers = {each.nodeid.partition("[")[0]: each.constraints for each in requests if each.kind != "breaking_point"}
    for where, constraints in markers.items():
        warnings += threshold_warnings.far_off(constraints.values(), f"{where}: @pytest.mark.{MARKER}")
    warnings += of_thresholds(session) + _prepare(session, designs, absent)
    session.gate.check_pictures(jobs.all)
    return warnings


def check_ground(session: Session, designs: Iterable[tuple[str, int | None]]) -> list[str]:
    """Check what all cases stand on: models with their numbers of images, thresholds, device, run folder, store.

    Returns:
        Warnings for the user.

    Raises:
        pytest.UsageError: one that cannot be used.
    """
    session.folder_use.check()
    designs = list(dict.fromkeys(designs))
    return _prepare(session, designs, _check_models(session, designs))


def check_ends(session: Session) -> list[str]:
    """Check what a run is to write at its end, and whether its options have an effect.

    Returns:
        Warnings for the user.

    Raises:
        pytest.UsageError: a file that cannot be written, or an option without an effect.
    """
    output_files.check(session.config, session.settings)
    return effects.check(session.config, session.settings, has_baseline=session.gate.has_baseline)


def check_model(session: Session, model: str) -> None:
    """Check what a model's name stands for, before anything that a model without an entry has by default.

    Raises:
        pytest.UsageError: nothing that is there, or something that is no model.
    """
    with border.usage_errors(hint=typed_values.told_apart(model, session.settings.given_models)):
        session.catalogue.check_model(session.catalogue.find(model), ask_hub=not session.settings.plan)


def of_thresholds(session: Session) -> list[str]:
    """What is to be said of the thresholds file, once the tests are collected; see `core.threshold_warnings`."""
    from pytest_seedshift.core import threshold_warnings

    collected, has_baseline = session.collected, session.gate.has_baseline
    found = threshold_warnings.found(session.thresholds, collected.cases, collected.searches, has_baseline=has_baseline)
    return found + list(_unknown_in_baseline(session))


def _unknown_in_baseline(session: Session) -> Iterator[str]:
    """The names in `[baseline] models` that are no models: of those that are, another run may be meant."""
    thresholds = session.thresholds
    if thresholds.baseline.path is None:
        return
    known = {case.model for case in session.collected.cases}
    for name in (each for each in thresholds.baseline.models if each not in known):
        try:
            session.catalogue.find(name)
        except SeedshiftError as error:
            yield f"{thresholds.source}: [baseline] models: {error}"


def _designs(items: Iterable[pytest.Item], jobs: ItemJobs) -> list[tuple[str, int | None]]:
    """Of the cases and searches of some items, the models with their numbers of images, each once."""
    found: list[tuple[str, int | None]] = []
    for item in items:
        if (subject := collection.subject_of(item)) is not None:
            images = jobs.request(item).images if collection.is_judged(item) else None
            found.append((subject.model, images))
    return list(dict.fromkeys(found))


def _check_models(session: Session, designs: Iterable[tuple[str, int | None]]) -> dict[str, str]:
    """Check models, then their class lists with so many images, then their scorers.

    What is wrong with a name shall not be hidden by what follows from it. Which scorers are needed depends on what the
    thresholds and the baseline have.

    Returns:
        Of a plan, the models that are not on this machine; see `_absent`.

    Raises:
        pytest.UsageError: one that cannot be used.
    """
    designs = list(designs)
    models = dict.fromkeys(model for model, _ in designs)
    for model in models:
        check_model(session, model)
    with border.usage_errors():
        for model, images in designs:
            session.catalogue.design(model, images)
        absent = _absent(session, models) if session.settings.plan else {}
        for model in models:
            if model not in absent:
                session.catalogue.check_scorers(session.entry(model))
    return absent


def _prepare(session: Session, designs: Iterable[tuple[str, int | None]], absent: dict[str, str]) -> list[str]:
    """What `check_ground` does once the models are known to be there."""
    _ = session.thresholds
    told = session.gate.place.check()
    _ = session.gate.against
    if session.process.distributes:
        from pytest_seedshift.scorers import devices

        with border.usage_errors("--seedshift-device: "):
            devices.check(session.settings.device)
    else:
        session.workbench.pool.plan_without(absent)
    warnings = session.folder_use.prepare()
    return told + warnings + _fetch(session, dict.fromkeys(model for model, _ in designs if model not in absent))


def _absent(session: Session, models: Iterable[str]) -> dict[str, str]:
    """The models that a plan is made of and that are not on this machine, and where they would come from."""
    found = {model: session.catalogue.lacks(session.entry(model)) for model in models}
    return {model: lacks.what for model, lacks in found.items() if lacks is not None}


def check_planned(session: Session) -> None:
    """Once a plan is shown: make sure that a run of it would start here.

    Raises:
        pytest.UsageError: a model is here, and a scorer of it is nowhere.
    """
    for model in session.workbench.pool.absent:
        lacks = session.catalogue.lacks(session.entry(model))
        if lacks is not None and lacks.keeps_from_running:
            raise pytest.UsageError(f"a run of this would not start, as a scorer of {model} is not here: see above")


def _fetch(session: Session, models: Iterable[str]) -> list[str]:
    """Download what is missing, once, before any worker of pytest-xdist needs it, and let the user see it come.

    What can only be checked when it is there is checked then.

    Returns:
        Warnings for the user, of models that a check has failed over.
    """
    warnings: list[str] = []
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
        for model in models:
            try:
                with border.usage_errors():
                    entry = session.entry(model)
                    _foretell(session, entry)
                    session.catalogue.check_files(entry)
            except OSError as error:  # of a disk or of the cache; it names the file
                raise pytest.UsageError(str(error)) from None
            except pytest.UsageError:
                raise
            except Exception as error:  # of a library: no mistake of the user's, and the cases will meet it
                _log.debug("%s", model, exc_info=error)
                message = f"{type(error).__name__}: {' '.join(str(error).split())}"
                warnings.append(f"{model} could not be checked before its cases run ({message})")
    return warnings


def _foretell(session: Session, entry: Entry) -> None:
    """Say of a model that is about to be downloaded that the device has too little memory for it."""
    if entry.own is not None or entry.memory is None or session.process.distributes or session.settings.cluster:
        return
    from pytest_seedshift.models import locate

    if locate.index_of(entry.pipeline, entry.revision) is None:
        from pytest_seedshift.models import memory

        if (warning := memory.foretold(entry, session.workbench.device)) is not None:
            output.say(f"seedshift: {warning}")
