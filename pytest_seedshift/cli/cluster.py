"""`seedshift cluster`: what a run on a Ray cluster would run on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pytest_seedshift.cli import session_options
from pytest_seedshift.cli.options import json_option
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import output
from pytest_seedshift.core.tables import table

if TYPE_CHECKING:
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.runner.cluster.protocol import Look
    from pytest_seedshift.runner.cluster.setup import Setup

VERSION = 1
_GIB = 2**30


@click.command(
    "cluster",
    cls=Command,
    help="Show what a run on a Ray cluster would use: machines, GPUs, memory, versions, and who has the models with "
    "the same weights as here. Nothing is generated. Status 1 means that a machine cannot be used.",
    examples=("cluster", "cluster sd21 sdxl --cluster ray://head:10001"),
)
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.option(
    "--cluster",
    "where",
    metavar="WHERE",
    default="auto",
    help="Ray cluster, as for --seedshift-cluster. Default: auto.",
)
@click.option("--without-token", is_flag=True, help="Use a cluster that asks for no token.")
@json_option
@session_options.session_options
def command(models: Sequence[str], where: str, without_token: bool, as_json: bool, **given: Any) -> int:
    """What click calls."""
    options = session_options.SessionOptions(**given)
    return run(models, where=where, without_token=without_token, as_json=as_json, given=options)


def run(
    models: Sequence[str] = (),
    *,
    where: str = "auto",
    without_token: bool = False,
    as_json: bool = False,
    given: session_options.SessionOptions = session_options.SessionOptions(),  # noqa: B008
) -> int:
    """Look at the machines, and print a table, or JSON.

    Args:
        models: as --seedshift-model takes them; they are looked for on each machine.
        where: as --seedshift-cluster takes it.
        without_token: whether a cluster may be used that asks for no token.
        as_json: whether it is printed as JSON.
        given: the session's options.

    Returns:
        1 if a machine cannot be used as it is, else 0.

    Raises:
        SeedshiftError: there is no cluster, or a model is not on this machine.
    """
    looks: list[Look] = []

    def work(session: Session) -> None:
        from pytest_seedshift.plugin import cluster_setup

        named = session.settings.models
        looks.extend(_looks(where, without_token, given.device, lambda kind: cluster_setup.make(session, named, kind)))

    if models:
        status = session_options.run(models, given, work)
        if status:
            return status
    else:
        looks = _looks(where, without_token, given.device, _of_nothing)
    if as_json:
        output.say_json({"version": VERSION, "machines": [_told(each) for each in looks]})
    else:
        output.say(*_table(looks))
    return int(any(each.problem or any(each.models.values()) for each in looks))


def _of_nothing(_: str) -> Setup:
    from pytest_seedshift.models import catalogue
    from pytest_seedshift.runner.cluster.setup import Setup

    return Setup(catalogue.shipped())


def _looks(where: str, without_token: bool, device: str | None, given: Any) -> list[Look]:
    from pytest_seedshift.runner.cluster import address
    from pytest_seedshift.runner.cluster.executor import ClusterExecutor
    from pytest_seedshift.runner.cluster.protocol import Options

    place = address.parse(where)
    output.say(f"{place.joining}, and looking at each machine", err=True)
    executor = ClusterExecutor(Options(place, device=device, without_token=without_token, looks_only=True))
    try:
        executor.begin(given(executor.device))
        return sorted(executor.looks, key=lambda each: int(each.node.name.rpartition("-")[2]))
    finally:
        executor.close()


def _table(looks: Sequence[Look]) -> list[str]:
    rows = [("machine", "host", "GPUs", "kind", "CPUs", "memory", "state")]
    for each in looks:
        node = each.node
        bad = each.problem or "; ".join(said for said in each.models.values() if said)
        state = "can be used" if not bad else "CANNOT be used"
        memory = f"{node.memory / _GIB:.0f} GiB"
        rows.append((node.name, node.host, str(node.gpus), each.kind or node.kind, str(node.cpus), memory, state))
    lines = table(rows, "<<><>><")
    for versions in {tuple(each.versions.items()) for each in looks if each.versions}:
        lines += ["", f"  {', '.join(f'{name} {found}' for name, found in versions)}"]
    for each in looks:
        has = [name for name, said in each.models.items() if not said]
        if has:
            lines += [f"  {each.node.name} has {', '.join(has)}"]
        said = [each.problem, *each.models.values()]
        lines += [f"  {each.node.name}: {text}" for text in said if text]
    return lines


def _told(look: Look) -> dict[str, Any]:
    found = asdict(look)
    return {**found.pop("node"), **found}
