"""`seedshift merge RUN… --output RUN`: join the run folders of shards, or of several machines, into one."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_seedshift.cli import CommandError
from pytest_seedshift.cli.options import FOLDER, json_option, output_option, summary_option
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.cli.report import check_summary, summarise
from pytest_seedshift.core import atomic_files, files, locks, messages
from pytest_seedshift.core import output as sinks
from pytest_seedshift.core.test_names import SUITE
from pytest_seedshift.results.folder_mark import FolderError
from pytest_seedshift.results.run_folder import MERGED, RunFolder, VerdictsError

if TYPE_CHECKING:
    from pytest_seedshift.results.merge import Merged
    from pytest_seedshift.results.run import Run
    from pytest_seedshift.results.sample_store import Store
    from pytest_seedshift.results.schema import Record, Search


@click.command(
    "merge",
    cls=Command,
    help="Join the runs of shards, or of several machines, into one: one verdicts.json, one JUnit file, one page, one "
    "exit status. Each RUN is the run folder (--seedshift-dir) of a shard. Status 1 means that a case fails, cannot be "
    "judged or has no verdict, or that another bound breaks, such as one on seed use.",
    examples=("merge shard-1 shard-2 --output merged",),
)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=FOLDER)
@output_option("", folder=True, required=True)
@summary_option
@json_option
def command(runs: tuple[Path, ...], output: Path, summary: str | None, as_json: bool) -> int:
    """What click calls."""
    return run(runs, output=output, summary=summary, as_json=as_json)


def run(given: Sequence[Path], *, output: Path, summary: str | None = None, as_json: bool = False) -> int:
    """Join; 0 if all cases pass, 1 if one fails, cannot be judged or has no verdict.

    Args:
        given: run folders.
        output: the run folder to make, or to make again: no other's.
        summary: the file of a summary, `none` for none at all.
        as_json: whether the merged verdicts.json is printed in place of a table.

    Raises:
        CommandError: a folder that cannot be used, or runs that are not parts of one.
        UnwritableError: see `atomic_files.check_writable`.
    """
    check_summary(summary)
    runs: list[Path] = list({path.resolve(): path for path in given}.values())
    into = RunFolder(output)
    _check_target(into, runs)
    notes: list[str] = []
    merged = _join(runs, notes)
    if not merged.document.records:
        raise CommandError(f"no verdict in {', '.join(map(str, runs))}: there is nothing to join")
    made, said, regressed = _make(into, runs, merged, notes)
    _tell(into, merged, made, len(runs), [*said, *notes], err=as_json)
    _end(into, merged, made, summary, err=as_json)
    if as_json:
        sinks.say_json(files.read_json(into.verdicts_file, within=into.path))
    # A breaking point may have been measured without being asked for: that fails nothing.
    passed = not _failing(merged) and not regressed
    return 0 if passed and not merged.missing else 1


def _make(into: RunFolder, runs: Sequence[Path], merged: Merged, notes: list[str]) -> tuple[Run, list[str], bool]:
    """Make the run folder; the run, what it says beside its cases, and whether that fails it."""
    from pytest_seedshift.reporting import seed_use_gate

    try:
        into.prepare()
        occupied = into.occupy()
        try:
            _mark(into, runs)
            notes += _take_samples(into, runs)
            _take_pictures(into, runs, notes)
            _take_trajectories(into, runs, notes)
            _take_sensitivities(into, runs, notes)
            _take_shifted(into, runs)
            _take_facts(into, runs, notes)
            _take_baseline(into, runs, notes)
            _keep_settings(into, merged)
            made = _write(into, merged, runs, notes)
            said, regressed = _compare(made)
            beyond = seed_use_gate.failures(made.seed_use_bounds, merged.document.certainty)
            return made, [*said, *(reason for _, reason in beyond)], regressed or bool(beyond)
        finally:
            locks.leave(occupied)
    except FolderError as error:
        raise CommandError(f"--output {error}") from None
    except OSError as error:
        raise CommandError(f"--output {into.path}: cannot be written to: {error.strerror} ({error.filename})") from None


def _failing(merged: Merged) -> list[Record | Search]:
    from pytest_seedshift.reporting import tally

    return [record for record in merged.document.records if record.status in tally.BROKEN]


def _check_target(into: RunFolder, runs: Sequence[Path]) -> None:
    path = into.path
    if path.exists() and not path.is_dir():
        raise CommandError(f"--output {path}: not a folder")
    if any(path.resolve() == run.resolve() for run in runs):
        raise CommandError(f"--output {path}: is one of the runs to join; give a folder of its own")
    if path.exists() and any(path.iterdir()) and not _is_merged(path):
        raise CommandError(f"--output {path}: is not empty, and no earlier merge has made it; give a folder of its own")
    try:
        into.check()
    except FolderError as error:
        raise CommandError(f"--output {error}") from None
    except OSError as error:
        raise CommandError(f"--output {path}: cannot be written to: {error.strerror}") from None
    _check_idle(into, f"--output {path}")


def _mark(into: RunFolder, runs: Sequence[Path]) -> None:
    text = json.dumps({"runs": [str(path) for path in runs]}) + "\n"
    atomic_files.write(into.path / MERGED, text, within=into.path)


def _is_merged(path: Path) -> bool:
    """Whether a merge has made a folder. A file of that name may be somebody else's."""
    try:
        document = files.read_json(path / MERGED, within=path)
    except files.FileError:
        return False
    runs = document.get("runs") if isinstance(document, dict) else None
    return isinstance(runs, list) and all(isinstance(each, str) for each in runs)


def _check_idle(folder: RunFolder, name: str) -> None:
    try:
        if folder.is_occupied():
            raise CommandError(f"{name}: a run still writes to it; wait until that has ended")
    except OSError as error:
        raise CommandError(f"{name}: cannot see whether a run still writes to it: {error.strerror}") from None


def _join(runs: Sequence[Path], notes: list[str]) -> Merged:
    from pytest_seedshift.results import merge

    documents = []
    for path in runs:
        folder = RunFolder(path)
        _check_idle(folder, str(path))
        try:
            without: list[str] = []
            document = folder.read_document(without)
            notes += [f"warning: {path}: {each}" for each in without]
            documents.append(merge.Run(str(path), merge.check(document)))
        except (VerdictsError, merge.MergeError) as error:
            raise CommandError(f"{path}: {error}") from None
    return merge.join(documents)


def _take_samples(into: RunFolder, runs: Sequence[Path]) -> list[str]:
    """Take all samples over; what there is to say about it."""
    from pytest_seedshift.results.sample_store import Store, prepare

    notes = []
    warning = prepare(into.samples_file)
    notes += [] if warning is None else [f"warning: {warning}"]
    with closing(Store(into.samples_file)) as store:
        for path in runs:
            if not RunFolder(path).samples_file.exists() and not RunFolder(path).samples_file.is_symlink():
                notes.append(f"warning: {path} has no samples.sqlite: its verdicts count, its samples are not here")
                continue
            _take_store(store, RunFolder(path), into.path)
    return notes


def _take_store(store: Store, folder: RunFolder, beside: Path) -> None:
    """Take over a copy of a run's store: SQLite writes to what it reads, and a run is left as it is."""
    from pytest_seedshift.results.sample_store import Store
    from pytest_seedshift.results.sample_tables import StoreError, check_file

    with tempfile.TemporaryDirectory(prefix=".merge-", dir=beside) as temporary:
        copy = Path(temporary, "samples.sqlite")
        try:
            check_file(folder.samples_file)
        except StoreError as error:
            raise CommandError(f"{error}. Leave that run out") from None
        for suffix in ("", "-wal"):
            source = folder.samples_file.with_name(folder.samples_file.name + suffix)
            if source.exists():
                shutil.copyfile(source, copy.with_name(copy.name + suffix))
        try:
            with closing(Store(copy, called=folder.samples_file)) as other:
                other.check()
                store.take_over(other)
        except StoreError as error:
            raise CommandError(f"{error}. Run that shard again, or leave it out") from None


def _take_pictures(into: RunFolder, runs: Sequence[Path], notes: list[str]) -> None:
    """Take over the pictures that are files and not links, from folders that are none either."""
    for path in runs:
        for source in sorted(path.glob("pictures/*/*.png")):
            target = into.path / source.relative_to(path)
            if target.exists() or files.link_within(source, path) is not None:
                continue
            try:
                content = files.read_bytes(source, within=path)
            except files.FileError as error:
                notes.append(f"warning: {error}: it is left out")
                continue
            atomic_files.make_folder(target.parent, into.path)
            atomic_files.write(target, content, within=into.path)


def _take_trajectories(into: RunFolder, runs: Sequence[Path], notes: list[str]) -> None:
    from pytest_seedshift.studies.trajectories import files

    for path in runs:
        files.take_over(RunFolder(path), into, notes)


def _take_sensitivities(into: RunFolder, runs: Sequence[Path], notes: list[str]) -> None:
    """Take over how much models look at their seed vectors; what was measured stands above what could not be."""
    from pytest_seedshift.results import sensitivity_files

    for path in runs:
        unread: list[str] = []
        for each in sensitivity_files.of_all(RunFolder(path), unread):
            if not each.is_measured(into):
                each.write(into)
        notes += [f"warning: {path}: {each}" for each in unread]


def _take_shifted(into: RunFolder, runs: Sequence[Path]) -> None:
    """Take over how far shifts move the pictures of each case."""
    from pytest_seedshift.results import shifted_likeness

    found = {case: each for path in runs for case, each in shifted_likeness.read(path).items()}
    if found:
        shifted_likeness.write(into, found.values())


def _take_facts(into: RunFolder, runs: Sequence[Path], notes: list[str]) -> None:
    from pytest_seedshift.results import metadata

    found: list[metadata.Facts] = []
    for path in runs:
        unread: list[str] = []
        found += metadata.read(RunFolder(path), unread)
        notes += [f"warning: {path}: {each}" for each in unread]
    metadata.write(into, *found)


def _take_baseline(into: RunFolder, runs: Sequence[Path], notes: list[str]) -> None:
    """Take over the copy of the baseline, which is the same in all runs that have one."""
    from pytest_seedshift.results import baseline

    target = into.path / baseline.FILE_NAME
    target.unlink(missing_ok=True)
    for path in runs:
        try:
            content = files.read_bytes(path / baseline.FILE_NAME, within=path, most=baseline.MOST_BYTES)
        except files.MissingFileError:
            continue
        except files.FileError as error:
            notes.append(f"warning: {error}: it is left out")
            continue
        atomic_files.write(target, content, within=into.path)
        return


def _keep_settings(into: RunFolder, merged: Merged) -> None:
    """Keep what the models were run with where a session in the folder looks for it."""
    from pytest_seedshift.results import run_settings

    for model in merged.document.models.values():
        found = run_settings.checked(model.run_with)
        if found and model.fingerprint:
            run_settings.write(into, model.fingerprint, found)


def _compare(run: Run) -> tuple[list[str], bool]:
    """What the runs say together of their baseline, and whether something has become worse."""
    from pytest_seedshift.reporting import regressions
    from pytest_seedshift.results import comparison as comparisons
    from pytest_seedshift.results.baseline import BaselineError

    try:
        comparison = run.comparison or comparisons.of_folder(run)
    except BaselineError as error:
        return [f"ERROR: could not compare with the baseline: {error}"], True
    return ([], False) if comparison is None else (regressions.lines(comparison), comparison.regressed)


def _write(into: RunFolder, merged: Merged, given: Sequence[Path], notes: list[str]) -> Run:
    """Write the verdicts and the reports, of which the page is made from the run folder as it is then."""
    from pytest_seedshift.reporting import junit, page
    from pytest_seedshift.results import baseline, label_shares, seed_use_verdicts
    from pytest_seedshift.results import comparison as comparisons
    from pytest_seedshift.results import run as runs

    document = merged.document
    uses = seed_use_verdicts.of_document(document, into)
    into.write_verdicts(document.cases, document.head(), document.breaking, uses)
    run = comparisons.compared(runs.load(into.path))
    label_shares.take_over(given, into, run, notes)
    (into.path / baseline.LOSSES_FILE_NAME).unlink(missing_ok=True)
    if run.comparison is not None:
        comparisons.write(run.comparison, into)
    controls = {case.id: case.control_means for case in run.cases}
    xml = junit.to_xml(document.grid, document.records, controls, _beyond(run))
    atomic_files.write(into.path / "junit.xml", xml, within=into.path)
    page.write(into.path, run=run)
    return run


def _beyond(run: Run) -> dict[str, str]:
    """What has become worse beside the cases that fail, as a session would report it: by test, with the reason."""
    from pytest_seedshift.reporting import regressions, seed_use_gate

    found = [] if run.comparison is None else regressions.beyond_cases(run.comparison, run.failed)
    uses = seed_use_gate.failures(run.seed_use_bounds, run.certainty)
    worse = {f"{SUITE}::regression[{each.name}]": each.sentence for each in found}
    return {**worse, **{f"{SUITE}::{name}": reason for name, reason in uses}}


def _end(into: RunFolder, merged: Merged, run: Run, summary: str | None, *, err: bool) -> None:
    """Write the summary; in a step of GitHub Actions, say what does not pass and is missing at the top of its page."""
    from pytest_seedshift.plugin import github
    from pytest_seedshift.reporting import page

    summarise(run, summary, messages.relative(str(into.path / page.FILE_NAME)), err=err)
    if github.wanted():
        made = [github.of_record(each, github.where(each.test, Path.cwd())) for each in _failing(merged)]
        made += [github.of_session(name, reason) for name, reason in _beyond(run).items()]
        sinks.say_commands(github.commands([*made, *map(github.of_missing, merged.missing)]), err=err)


def _tell(into: RunFolder, merged: Merged, made: Run, runs: int, notes: Sequence[str], *, err: bool) -> None:
    """Print a table of each model, what does not pass and why, what is missing, and which files were written."""
    from pytest_seedshift.plugin import search_lines
    from pytest_seedshift.reporting import blank, remedy_hint, seedlines, tally
    from pytest_seedshift.reporting.table import table
    from pytest_seedshift.results import sensitivity_files
    from pytest_seedshift.runner import records as recorded

    say = partial(sinks.say, err=err)

    document = merged.document
    records, searches, kinds = document.cases, document.breaking, made.kinds
    for model in recorded.models(records):
        of_model = [record for record in tally.distinct_records(records) if record.model == model]
        say(*table(recorded.ordinary(of_model), kinds))
    say(*search_lines.table(searches))
    for record in document.records:
        if record.status in tally.BROKEN:
            first, *others = record.reason.split("\n")
            say("", f"{record.id}: {first}", *(f"    {each.strip()}" for each in others))
    if merged.missing:
        say("", f"no verdict about {messages.count(len(merged.missing), 'case')}:")
        say(*(f"  {entry.id}  ({entry.test})" for entry in merged.missing))
    say("")
    versions = {name: [model.fingerprint or ""] for name, model in document.models.items()}
    say(*seedlines.lines(sensitivity_files.read(into, versions, []), records), *merged.notes, *notes)
    say(*(f"warning: {each}" for each in blank.of_records(records)))
    if records or merged.missing:
        missing = [entry for entry in merged.missing if entry.kind is None]
        say(tally.counted(records, f" of {messages.count(runs, 'run')}", missing=len(missing)))
    say(*search_lines.closing(searches, sum(entry.kind is not None for entry in merged.missing)))
    say(*remedy_hint.lines(records, into.path))
    say(
        *(
            f"{name}: {messages.relative(str(into.path / name))}"
            for name in ("verdicts.json", "junit.xml", "report.html")
        )
    )
