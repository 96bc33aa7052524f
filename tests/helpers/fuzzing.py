"""Run folders that somebody has changed: a real one, and structured changes of each of its files."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import struct
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_seedshift.__main__ import main
from pytest_seedshift.results import baseline, sample_rows

SECRET = "the victim's secret"

NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 0.5, -0.0, 7, 1e-320, 1e300, -1e300, 2**31, 2**63 - 1, 10**12, 10**7, 10**400),
    *(
        "",
        "x",
        "0",
        "1e999",
        "NaN",
        "none",
        "toy-latent",
        "mean",
        "top1",
        "\ud800",
        "caf\udcff",
        "\0",
        "a\nb\r\n::error::x",
    ),
    *(
        "x" * 100_000,
        "../../secret",
        "/etc/passwd",
        "pictures/../../x.png",
        "pictures/" + "y" * 300,
        "$x^$",
        "\x1b[31m",
    ),
    *(
        "<script>alert(1)</script>",
        "| a | b |\n\n# head",
        "%s{}{0}",
        "模型",
        "2",
        ["a"],
        [],
        {},
        {"a": 1},
        [[]],
        [None] * 3,
    ),
    *({"mean": 1, "low": 2, "high": 3}, [1, 2, 3], "1" * 5000, 3.5, "pass", "fail", "error", "breaking", "measured"),
)
RAW = (
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "1" * 400,
    "[" * 100_000,
    '{"a":' * 50_000,
    "nul",
    "0x1",
    "--1",
    '"\\ud800"',
    "1" * 5000,
)
"""Put in the place of a value as they are, whatever JSON has to say about it."""


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values of a document."""
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def change(document: Any, draw: random.Random) -> str:
    """The text of a document with a value changed, or a few."""
    made = copy.deepcopy(document)
    raw = None
    for _ in range(draw.choice((1, 1, 1, 2, 5))):
        path = draw.choice(places(made)[1:] or [()])
        if not path:
            return json.dumps(draw.choice(NASTY))
        holder = made
        for key in path[:-1]:
            holder = holder[key]
        how = draw.randrange(8)
        if how == 0:
            del holder[path[-1]]
        elif how == 1 and isinstance(holder, dict):
            holder[str(draw.choice(NASTY))[:50]] = holder.pop(path[-1])
        elif how == 2 and isinstance(holder, list):
            holder[path[-1] : path[-1]] = [copy.deepcopy(holder[path[-1]])] * draw.choice((1, 3, 500))
        elif how == 3:
            holder[path[-1]] = [holder[path[-1]]] if draw.random() < 0.5 else {"x": holder[path[-1]]}
        elif how == 4 and raw is None:
            raw = draw.choice(RAW)
            holder[path[-1]] = "@raw@"
        else:
            holder[path[-1]] = draw.choice(NASTY)
    text = json.dumps(made)
    return text if raw is None else text.replace('"@raw@"', raw)


# Ways to spoil a file -----------------------------------------------------------------------------------------------


def bytes_changed(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes() or b"\0")
    for _ in range(draw.choice((1, 3, 50))):
        content[draw.randrange(len(content))] = draw.randrange(256)
    path.write_bytes(bytes(content))


def cut(path: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(len(content) + 1)])


def json_changed(path: Path, draw: random.Random) -> None:
    text = change(json.loads(path.read_text()), draw)
    path.write_bytes(text.encode(errors="surrogatepass"))


def checksum_forged(path: Path, draw: random.Random) -> None:
    """A baseline that is changed and has the right checksum again."""
    for _ in range(50):
        try:
            document = json.loads(change(json.loads(path.read_text()), draw))
            document["checksum"] = baseline.checksum(document)
        except (ValueError, TypeError, RecursionError):
            continue
        path.write_text(json.dumps(document))
        return


def gone(path: Path, draw: random.Random) -> None:
    path.unlink()


def pipe(path: Path, draw: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


def link(path: Path, draw: random.Random) -> None:
    """A link to somebody's file, to an endless one, to nothing, to itself."""
    secret = next(found for parent in path.parents if (found := parent / "secret").exists())
    path.unlink()
    path.symlink_to(draw.choice([secret, secret, "/dev/zero", "nowhere", path.name]))


def folder_link(path: Path, draw: random.Random) -> None:
    """The folder that a file lies in, moved away and linked to."""
    away = path.parent.with_name(f"{path.parent.name}.away")
    if (path.parent / "samples.sqlite").exists() or (path.parent / "secret").exists():
        return link(path, draw)
    shutil.move(path.parent, away)
    path.parent.symlink_to(away)
    return None


def sparse(path: Path, draw: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(10**12)


def text_replaced(path: Path, draw: random.Random) -> None:
    nasty = (
        "[" * 100_000,
        "a = " + "[" * 50_000,
        "a = " + "1" * 5000,
        "\0",
        "\ufeff",
        "é".encode("latin-1"),
        "{}",
        "[]",
        "null",
    )
    made = draw.choice(nasty)
    path.write_bytes(made if isinstance(made, bytes) else made.encode())


def text_changed(path: Path, draw: random.Random) -> None:
    """Lines of a text doubled, dropped, exchanged, or their values changed."""
    lines = path.read_text().splitlines()
    for _ in range(draw.choice((1, 2, 5))):
        place = draw.randrange(len(lines)) if lines else 0
        how = draw.randrange(4)
        if lines and how == 0:
            lines.insert(place, lines[place])
        elif lines and how == 1:
            del lines[place]
        elif lines and how == 2:
            key = lines[place].partition("=")[0]
            value = draw.choice(("1e999", "nan", "[1]", "{a = 1}", "-5", "99999", "true", "1979-05-27", '""'))
            lines[place] = f"{key}= {value}"
        else:
            lines.insert(place, draw.choice(("[a.b.c]", "[[default]]", "x = 1", "[model.'']", '"\\ud800" = 1', "= 1")))
    path.write_text("\n".join(lines))


def bomb(path: Path, draw: random.Random) -> None:
    """A small picture that is large when it is decoded, or says that it is."""
    width = height = draw.choice((9000, 20_000, 2**31 - 1))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(9)
    rows = packer.compress(b"\0" * 10**7) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, draw.choice((0, 2, 6)), 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def header_changed(path: Path, draw: random.Random) -> None:
    """The header of a file in safetensors' format."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    if draw.random() < 0.3:
        length = draw.choice((0, 1, length - 1, 2**40, 2**63, 99_000_000))
        path.write_bytes(length.to_bytes(8, "little") + content[8:])
        return
    if draw.random() < 0.6:
        header["__metadata__"]["seedshift"] = change(json.loads(header["__metadata__"]["seedshift"]), draw)
        text = json.dumps(header)
    else:
        text = change(header, draw)
    made = text.encode(errors="surrogatepass")
    path.write_bytes(len(made).to_bytes(8, "little") + made + content[8 + length :])


def values_changed(path: Path, draw: random.Random) -> None:
    """The numbers of a file in safetensors' format."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    fill = draw.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f", draw.randbytes(4)))
    path.write_bytes(content[:start] + fill * ((len(content) - start) // 4))


TABLES = {"images": "key", "scores": "image || scorer || class"}


def rows_forged(path: Path, draw: random.Random) -> None:
    """Rows with other values and right seals."""
    table = draw.choice(list(TABLES))
    with closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")][:-1]
        column = draw.choice(columns)
        value = draw.choice(
            (*(each for each in NASTY if isinstance(each, (int, float, str)) and _fits(each)), b"\xff", "[" * 5000)
        )
        where = draw.choice(("", "WHERE rowid_ % 2", "WHERE rowid_ = 3")).replace(
            "rowid_", "length(seal) + unicode(seal)"
        )
        connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ? {where}", (value,))
        connection.text_factory = lambda raw: raw.decode("utf-8", errors="surrogateescape")
        for key, *row in connection.execute(f"SELECT {TABLES[table]}, * FROM {table}").fetchall():
            seal = sample_rows.seal_of(row[:-1])
            connection.execute(f"UPDATE {table} SET seal = ? WHERE {TABLES[table]} = ?", (seal, key))
        connection.commit()


def _fits(value: object) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= each <= "\udfff" for each in value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def schema_changed(path: Path, draw: random.Random) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
    columns = (
        "key",
        "fingerprint",
        "model",
        "shift",
        "magnitude",
        "label",
        "seed",
        "prompt",
        "picture",
        "digest",
        "seal",
    )
    statements = (
        f"DROP TABLE images; CREATE VIEW images AS {endless}{', '.join(f'i AS {each}' for each in columns)} FROM n",
        f"DROP TABLE scores; CREATE VIEW scores AS {endless}i AS image, i AS scorer, i AS class, '' AS scores, "
        "'' AS seal FROM n",
        "DROP TABLE scores",
        "CREATE TABLE more (x)",
        "DELETE FROM scores",
        "DELETE FROM images",
        "PRAGMA user_version = 9",
        "PRAGMA application_id = 9",
        "PRAGMA journal_mode = DELETE; PRAGMA encoding = 'UTF-16'; VACUUM",
        "ALTER TABLE images RENAME COLUMN picture TO painting",
        "CREATE TRIGGER t AFTER INSERT ON images BEGIN DELETE FROM scores; END",
    )
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(draw.choice(statements))


Spoil = Callable[[Path, random.Random], None]

ANY: tuple[Spoil, ...] = (bytes_changed, cut, gone, pipe, folder, link, folder_link, sparse)
JSON: tuple[Spoil, ...] = (json_changed,) * 24 + (text_replaced,) * 2
BY_PATTERN: dict[str, tuple[Spoil, ...]] = {
    "verdicts.json": (*JSON, *JSON, *ANY),
    "costs.json": (*JSON, *ANY),
    "run.json": (*JSON, *ANY),
    "against.json": (*JSON, *(checksum_forged,) * 20, *ANY),
    "baseline.json": (*JSON, *(checksum_forged,) * 20, *ANY),
    "noise.json": (*JSON, *ANY),
    "sensitivity/*.json": (*JSON, *ANY),
    "samples.sqlite": ((rows_forged,) * 20 + (schema_changed,) * 20 + ANY * 2),
    "trajectories/*.safetensors": ((header_changed,) * 20 + (values_changed,) * 5 + ANY),
    "trajectories/*/*.png": (bomb, *ANY),
    "pictures/*/*.png": (bomb, bomb, *ANY),
    "thresholds.toml": (*(text_changed,) * 10, text_replaced, text_replaced, *ANY),
}
"""By pattern of its files, what is done to them; what stands there several times is done so often."""

WEIGHTS = {
    "verdicts.json": 10,
    "samples.sqlite": 4,
    "against.json": 2,
    "baseline.json": 2,
    "trajectories/*.safetensors": 2,
}


def spoil(run: Path, draw: random.Random) -> tuple[str, str]:
    """Change one file of a run folder, or one that is used with it and lies beside it; which, and how."""
    patterns = list(BY_PATTERN)
    (pattern,) = draw.choices(patterns, [WEIGHTS.get(each, 1) for each in patterns])
    where = run.parent if pattern in ("baseline.json", "thresholds.toml") else run
    found = sorted(where.glob(pattern))
    path = draw.choice(found)
    how = draw.choice(BY_PATTERN[pattern])
    how(path, draw)
    return path.relative_to(run.parent).as_posix(), how.__name__


# What commands make of it -------------------------------------------------------------------------------------------

COMMANDS = {
    "report": ["report", "run", "--summary", "summary.md"],
    "merge": ["merge", "run", "--output", "merged"],
    "compare a file": ["compare", "baseline.json", "run"],
    "compare a folder": ["compare", "run", "sound", "--output", "comparison.html"],
    "card": ["card", "run", "--output", "README.md"],
    "thresholds": ["thresholds", "run", "--in-ci"],
}
LONGEST = 10.0
"""Seconds of CPU that a command may take."""
MOST_MEMORY = 1_000_000_000
"""Bytes that a process may take, all that it has loaded included."""


class Hang(BaseException):
    """Nothing that a net around an error may catch."""


@dataclass
class Outcome:
    """What came of some changed files."""

    files: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    longest: float = 0.0
    """Seconds of CPU, of a command."""
    longest_of: str = ""
    memory: int = 0
    """Bytes, at most, of the process."""
    problems: list[str] = field(default_factory=list)


@contextlib.contextmanager
def limited(seconds: float = LONGEST, waiting: float = 30 * LONGEST) -> Iterator[None]:
    """End what works for longer than so many seconds of CPU, however busy the machine is, or waits for far longer."""

    def ring(*_: object) -> None:
        raise Hang

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, seconds), signal.SIGALRM: (signal.ITIMER_REAL, waiting)}
    before = {number: signal.signal(number, ring) for number in timers}
    for timer, limit in timers.values():
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _call(arguments: list[str], seconds: float = LONGEST, waiting: float = 30 * LONGEST) -> tuple[int | None, str]:
    """The exit status of a command, None where it raised or hung; and its output."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            with limited(seconds, waiting):
                status: int | None = main(arguments)
        except Hang:
            status = None
            print(f"hangs: {traceback.format_exc()}", file=said)
        except BaseException:
            status = None
            traceback.print_exc(file=said)
    return status, said.getvalue()


def attack(base: Path, place: Path, seed: int, outcome: Outcome, most: int = len(COMMANDS)) -> None:
    """Change a file of a copy of a run and give it to commands, all or so many of them, in an empty folder."""
    shutil.copytree(base, place)
    draw = random.Random(seed)
    chosen = draw.sample(list(COMMANDS), most)
    file, how = spoil(place / "run", draw)
    there = Path.cwd()
    os.chdir(place)
    try:
        for name in chosen:
            arguments = COMMANDS[name]
            begun = time.process_time()
            status, said = _call(arguments)
            seconds = time.process_time() - begun
            what = f"{seed}: {file}, {how}: {name}"
            outcome.statuses[str(status)] = outcome.statuses.get(str(status), 0) + 1
            if seconds > outcome.longest:
                outcome.longest, outcome.longest_of = seconds, what
            if status not in (0, 1, 4) or "Traceback" in said:
                outcome.problems.append(f"{what}: {status}\n{said}")
            elif status == 4 and not any(each in said for each in ("run", "baseline.json", "thresholds.toml")):
                outcome.problems.append(f"{what}: names no file\n{said}")
            elif SECRET in said:
                outcome.problems.append(f"{what}: tells a secret\n{said}")
        outcome.problems += [f"{seed}: {file}, {how}: {each} has a secret" for each in leaks(place)]
    finally:
        os.chdir(there)
    outcome.files += 1
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if outcome.memory < MOST_MEMORY <= memory:
        outcome.problems.append(f"{seed}: {file}, {how}: takes {memory / 1e6:.0f} MB")
    outcome.memory = max(outcome.memory, memory)


def leaks(place: Path) -> list[Path]:
    """Files that a command has made with what stands in a file that was none of its business."""
    made = [path for path in place.rglob("*") if path.is_file() and not path.is_symlink() and path.name != "secret"]
    return [path for path in made if path.stat().st_size < 10**8 and SECRET.encode() in path.read_bytes()]


def attack_many(base: Path, into: Path, seeds: range, most: int) -> Outcome:
    """Change many files, one after the other."""
    outcome = Outcome()
    load(base, into / "load")
    for seed in seeds:
        place = into / str(seed)
        attack(base, place, seed, outcome, most)
        shutil.rmtree(place)
    return outcome


def load(base: Path, place: Path) -> None:
    """Load what the commands need, whose time is none of theirs; and see that all end well where nothing is changed."""
    shutil.copytree(base, place)
    there = Path.cwd()
    os.chdir(place)
    for name, arguments in COMMANDS.items():
        status, said = _call(arguments, 10 * LONGEST)
        assert status == 0, f"{name}: {said}"
    os.chdir(there)
    shutil.rmtree(place)


if __name__ == "__main__":
    first, count, most = map(int, sys.argv[3:])
    print(json.dumps(vars(attack_many(Path(sys.argv[1]), Path(sys.argv[2]), range(first, first + count), most))))
