"""`position MODEL`: whether random shifts with a direction move the object in the picture."""

from __future__ import annotations

import argparse
import shlex
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift import command_session as within
from pytest_seedshift import limits, locks, needed, output, whole
from pytest_seedshift.cli import PROGRAM, CommandError
from pytest_seedshift.folder import RunFolder, file_name
from pytest_seedshift.mark import FolderError

if TYPE_CHECKING:
    from pytest_seedshift.cases import Case
    from pytest_seedshift.position import Study
    from pytest_seedshift.workbench import Workbench

_INTERRUPTED = 2
"""pytest's own status for it."""

_NEEDED = frozenset({needed.CLASSIFIER})
"""What a position is measured with. Where CLIP can be had too, pictures are scored by it as well: a verdict that asks
for it then finds its samples, and images cost far more than their scores."""
"""The scorer that it works with."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("model", metavar="MODEL", help="name of the catalogue or of [models], folder, file or hub id")
    parser.add_argument(
        "--shift",
        metavar="DIRECTION",
        action="append",
        help="left, right, up, down or sign (also as random:left, …, random); repeatable or comma-separated "
        "(default: all; the null is always among them)",
    )
    parser.add_argument("--magnitude", metavar="NUMBER", help="strength of the shifts (default: 0.3)")
    parser.add_argument("--images", type=int, metavar="N", help="pairs (default: 128 or more, the same of each class)")
    parser.add_argument(
        "--certainty", type=float, metavar="NUMBER", help="with which all intervals hold together (default: 0.99)"
    )
    parser.add_argument(
        "--into", metavar="RUN", type=Path, default=Path(".seedshift"), help="run folder (default: .seedshift)"
    )
    parser.add_argument("--device", metavar="DEVICE", help="torch device (default: cuda if there is one)")
    parser.add_argument("--dtype", metavar="DTYPE", choices=("float32", "float16", "bfloat16"), help="number type")
    parser.add_argument("--batch-size", type=int, metavar="N", help="most images that are generated at once")
    parser.add_argument("--design-seed", type=int, default=0, metavar="N", help="as --seedshift-design-seed")
    parser.add_argument("--no-limits", action="store_true", help="as --seedshift-no-limits")


def run(options: argparse.Namespace) -> int:
    """Run the experiment, print its table, write its page and its JSON.

    Returns:
        1 where the null is displaced, 2 where it is interrupted, else 0.

    Raises:
        CommandError: something cannot be used or made; the message says what and why.
    """
    from pytest_seedshift import position
    from pytest_seedshift.cases import CaseError
    from pytest_seedshift.report import position as told

    given = {
        "magnitude": position.MAGNITUDE if options.magnitude is None else _magnitude(options),
        "certainty": position.CERTAINTY if options.certainty is None else options.certainty,
        "directions": [part.strip() for text in options.shift or () for part in text.split(",") if part.strip()],
        "images": options.images,
        "design_seed": options.design_seed,
    }
    if not 0 <= options.design_seed <= limits.DESIGN_SEED:
        raise CommandError(f"--design-seed {options.design_seed}: give a whole number from 0 to {limits.DESIGN_SEED}")
    for name in ("images", "batch_size"):
        number = getattr(options, name)
        if number is not None and number < 1:
            raise CommandError(f"--{name.replace('_', '-')} {number}: give a whole number of at least 1")
    within.check_images(options)
    folder = RunFolder(options.into)
    try:
        folder.check()
        position.choose(options.model, given["magnitude"], given["directions"])  # before anything is loaded
        bench = _bench(options, folder)
        occupied = folder.occupy()
        try:
            with closing(bench):
                study = position.run(bench, options.model, progress=_tell, **given)
        finally:
            locks.leave(occupied)
        output.say(*told.table(study), "", *told.sentences(study))
        files = _write(study, folder, options.model)
    except FolderError as error:
        raise CommandError(f"--into {error}") from None
    except (CaseError, ValueError) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"--into {folder.path}: cannot be written to: {error.strerror} ({error.filename})") from None
    except KeyboardInterrupt:
        kept = ": what was stored so far is kept, and is not made again" if folder.has_samples() else ""
        output.say(f"interrupted{kept}", err=True)
        return _INTERRUPTED
    output.say(*files)
    return 1 if study.null.moves_at_all else 0


def _magnitude(options: argparse.Namespace) -> float:
    found = within.magnitudes(options.magnitude, "--magnitude", lifted=options.no_limits)
    if len(found) != 1:
        raise CommandError(f"--magnitude {options.magnitude}: give one number, such as 0.3")
    return found[0]


def _bench(options: argparse.Namespace, folder: RunFolder) -> Workbench:
    from pytest_seedshift import devices, store
    from pytest_seedshift.checkpoints.places import WeightsNotFoundError
    from pytest_seedshift.models import catalogue as catalogues
    from pytest_seedshift.workbench import Workbench

    catalogue = catalogues.load(Path.cwd(), no_limits=options.no_limits)
    try:
        entry, scorers = catalogue.find(options.model), needed.ALL
        catalogue.check_model(entry)
        catalogue.design(options.model, options.images)
        try:
            catalogue.fetch_weights(entry)
        except WeightsNotFoundError:
            entry, scorers = needed.without_others(entry, _NEEDED), _NEEDED
            catalogue.fetch_weights(entry)
        catalogue.check_sampling(entry)
        catalogue.check_fit(entry)
        catalogue.check_labels(entry)
        catalogue.check_prompts(entry)
        device, _ = devices.resolve(options.device, options.dtype)
        folder.prepare()
        with folder.lock("store"):
            warning = store.prepare(folder.samples_file)
    except (WeightsNotFoundError, store.StoreError) as error:
        raise CommandError(str(error)) from None
    bench = Workbench(
        folder, device, options.dtype, catalogue=catalogue, batch_size=options.batch_size, needs=lambda _: scorers
    )
    for told in (*([] if warning is None else [warning]), *bench.notes(options.model)):
        output.say(f"warning: {told}", err=True)
    return bench


def _tell(case: Case, number: int, total: int) -> None:
    output.say(f"{number}/{total} {case.model} {case.describe()}", err=True)


def _write(study: Study, folder: RunFolder, model: str) -> tuple[Path, Path]:
    from pytest_seedshift.report import position as told
    from pytest_seedshift.report.page import position as page

    command = shlex.join([PROGRAM, *sys.argv[1:]])
    html, data = (folder.path / f"position-{file_name(model)}.{end}" for end in ("html", "json"))
    whole.write(html, page.make(study, command), within=folder.path)
    whole.write(data, told.as_json(study), within=folder.path)
    return html, data
