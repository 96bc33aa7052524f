"""What `--seedshift-cluster` means, and whether Ray is here and safe to use. Nothing here imports ray."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pytest_seedshift.core.errors import InvalidValueError, SeedshiftUsageError
from pytest_seedshift.core.messages import unknown

OPTION = "--seedshift-cluster"
WITHOUT_TOKEN = "--seedshift-cluster-without-token"

LEAST_RAY = (2, 59)
"""The first version of Ray in which a token can be required by the environment alone."""

MOST_PROCESSES = 1024

_ADDRESS = re.compile(r"(?:ray://)?(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):(\d{1,5})")

_VALID = (
    "give auto (this machine's Ray cluster, or RAY_ADDRESS), local (starts Ray on this machine), local:N (with N "
    "processes), ray://HOST:PORT or HOST:PORT"
)
_TOKEN_HELP = (
    "Set it up once: `ray get-auth-token --generate` writes ~/.ray/auth_token on one machine. Copy that file to all of "
    "them, readable by you alone. Set RAY_AUTH_MODE=token where `ray start` and pytest run"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cluster is.

    Attributes:
        kind: `auto` for the one that this machine belongs to, `local` for one of our own, `address` for any other.
        address: `HOST:PORT` or `ray://HOST:PORT`; empty for the first two.
        processes: of `local`, how many; None for one a GPU, or as many as this machine's cores and memory allow.
    """

    kind: Literal["auto", "local", "address"]
    address: str = ""
    processes: int | None = None

    def __str__(self) -> str:
        if self.kind == "address":
            return self.address
        return self.kind if self.processes is None else f"{self.kind}:{self.processes}"

    @property
    def joining(self) -> str:
        """What is done first, which may take some ten seconds, in words."""
        return "starting Ray on this machine" if self.kind == "local" else f"joining the Ray cluster ({self})"


def parse(text: str) -> Place:
    """Read the option's value.

    Raises:
        InvalidValueError: it is none; the message says what is valid.
    """
    given = text.strip()
    if given == "auto":
        return Place("auto")
    name, colon, rest = given.partition(":")
    if name == "local":
        if not colon:
            return Place("local")
        if not (rest.isascii() and rest.isdecimal() and 1 <= int(rest) <= MOST_PROCESSES):
            raise InvalidValueError(
                f"{OPTION}={text}: give a whole number of processes from 1 to {MOST_PROCESSES}, as in local:4"
            )
        return Place("local", processes=int(rest))
    if name == "auto":
        raise InvalidValueError(f"{OPTION}={text}: {_VALID}")
    found = _ADDRESS.fullmatch(given)
    if found is not None and 0 < int(found[2]) < 65536:
        return Place("address", given)
    if re.fullmatch(r"[A-Za-z-]+", given):
        raise InvalidValueError(f"{OPTION}={text}: {unknown('place', given, ('auto', 'local'))}: {_VALID}")
    raise InvalidValueError(f"{OPTION}={text}: {_VALID}")


def check_ray(place: Place) -> None:
    """Make sure that Ray is installed, in a version that can be used.

    Raises:
        SeedshiftUsageError: it is not; the message says what to install.
    """
    try:
        found = version("ray")
    except PackageNotFoundError:
        raise SeedshiftUsageError(
            f"{OPTION}={place} needs Ray, which is not installed: pip install 'pytest-seedshift[ray]'"
        ) from None
    numbers = tuple(int(each) for each in re.findall(r"\d+", found)[:2])
    if numbers < LEAST_RAY:
        least = ".".join(map(str, LEAST_RAY))
        raise SeedshiftUsageError(
            f"{OPTION}={place}: Ray {found} is installed, and {least} or later is needed, which can require a token: "
            "pip install -U 'pytest-seedshift[ray]', on every machine of the cluster"
        )


def check_token(place: Place, environment: Mapping[str, str], *, without: bool) -> None:
    """Make sure that who reaches the cluster needs a token; a Ray of our own gets one by itself.

    Raises:
        SeedshiftUsageError: none is asked for, or there is none; the message says how it is set up.
    """
    if place.kind == "local" or without:
        return
    mode = environment.get("RAY_AUTH_MODE", "")
    if mode.lower() != "token":
        said = f"RAY_AUTH_MODE={mode}" if mode else "RAY_AUTH_MODE is not set"
        raise SeedshiftUsageError(
            f"{OPTION}={place}: {said}, and without a token whoever reaches a Ray cluster runs code on all of it. "
            f"{_TOKEN_HELP}. {WITHOUT_TOKEN} goes without, where nobody else reaches its network; {OPTION}=local "
            "starts a Ray of its own on this machine, and needs nothing"
        )
    if environment.get("RAY_AUTH_TOKEN"):
        return
    named = environment.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else Path(environment.get("HOME", "~")).expanduser() / ".ray" / "auth_token"
    try:
        held = bool(path.read_text(encoding="utf-8", errors="replace").strip())
    except OSError as error:
        raise SeedshiftUsageError(
            f"{OPTION}={place}: RAY_AUTH_MODE=token, and the token's file {path} cannot be read "
            f"({error.strerror}); RAY_AUTH_TOKEN and RAY_AUTH_TOKEN_PATH say where else it is. {_TOKEN_HELP}"
        ) from None
    if not held:
        raise SeedshiftUsageError(f"{OPTION}={place}: the token's file {path} is empty. {_TOKEN_HELP}")


def check_named(place: Place, environment: Mapping[str, str]) -> None:
    """Make sure that RAY_ADDRESS, where it counts, names a cluster that can be joined.

    Raises:
        SeedshiftUsageError: it does not, as the address of Ray's jobs or `local`.
    """
    named = environment.get("RAY_ADDRESS", "").strip()
    if place.kind != "auto" or named in ("", "auto"):
        return
    if _ADDRESS.fullmatch(named) is None:
        of_jobs = " (http:// is where Ray takes jobs)" if named.startswith("http") else ""
        raise SeedshiftUsageError(
            f"{OPTION}=auto: RAY_ADDRESS={named} names no cluster that a run can join{of_jobs}. Set it to HOST:PORT of "
            f"the head, as in head:6379, or to ray://HOST:PORT, or unset it. {OPTION}=local starts a Ray for this run"
        )


def check_answers(place: Place, environment: Mapping[str, str]) -> None:
    """Make sure that something listens where the cluster is said to be: Ray itself would wait for it.

    Raises:
        SeedshiftUsageError: nothing does.
    """
    named = place.kind == "auto"
    address = environment.get("RAY_ADDRESS", "") if named else place.address
    try:
        _reach(address)
    except OSError as error:
        where = f"RAY_ADDRESS={address}" if named else address
        raise SeedshiftUsageError(
            f"{OPTION}={place}: no Ray cluster answers at {where} ({error.strerror or error}). Check that its head is "
            "running, and the port: 6379 unless `ray start --port` gives another, 10001 for ray://"
        ) from None


def answers(address: str) -> bool:
    """Whether something listens at an address."""
    try:
        _reach(address)
    except OSError:
        return False
    return True


def _reach(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():  # else it is none, or one that Ray has to make sense of
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()


_ANSWER_SECONDS = 15.0


def check(place: Place, *, without_token: bool) -> None:
    """What can be said before Ray is asked; see the checks above.

    Raises:
        SeedshiftUsageError: Ray, its token or the cluster is missing.
    """
    check_ray(place)
    check_token(place, os.environ, without=without_token)
    check_named(place, os.environ)
    check_answers(place, os.environ)
