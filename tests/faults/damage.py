"""Ways in which the files of a store can be damaged.  Each takes a directory and a source of chance."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

Damage = Callable[[Path, random.Random], None]

_DATABASE, _LOG, _ACCOUNT = "spool.db", "spool.db-wal", "account.json"


def _truncate(path: Path, fate: random.Random) -> None:
    if path.exists():
        os.truncate(path, fate.randrange(path.stat().st_size + 1))


def _flip_bits(path: Path, fate: random.Random) -> None:
    if not path.exists() or not path.stat().st_size:
        return
    content = bytearray(path.read_bytes())
    for _ in range(fate.randrange(1, 6)):
        content[fate.randrange(len(content))] ^= 1 << fate.randrange(8)
    path.write_bytes(content)


def _overwrite(path: Path, fate: random.Random, block_bytes: int, fill: Callable[[int], bytes]) -> None:
    if not path.exists() or not path.stat().st_size:
        return
    content = bytearray(path.read_bytes())
    for _ in range(fate.randrange(1, 6)):
        start = fate.randrange(len(content)) // block_bytes * block_bytes
        end = min(start + block_bytes, len(content))
        content[start:end] = fill(end - start)
    path.write_bytes(content)


def _sql(directory: Path, *statements: str) -> None:
    connection = sqlite3.connect(directory / _DATABASE, isolation_level=None)
    try:
        for statement in statements:
            with suppress(sqlite3.Error):  # What another damage has left may know no such table.
                connection.execute(statement).fetchall()
    finally:
        connection.close()


def database_truncated(directory: Path, fate: random.Random) -> None:
    _truncate(directory / _DATABASE, fate)


def database_bits_flipped(directory: Path, fate: random.Random) -> None:
    _flip_bits(directory / _DATABASE, fate)


def database_pages_zeroed(directory: Path, fate: random.Random) -> None:
    _overwrite(directory / _DATABASE, fate, 512, bytes)


def database_sectors_garbage(directory: Path, fate: random.Random) -> None:
    _overwrite(directory / _DATABASE, fate, fate.choice([512, 4096]), fate.randbytes)


def log_truncated(directory: Path, fate: random.Random) -> None:
    _truncate(directory / _LOG, fate)


def log_bits_flipped(directory: Path, fate: random.Random) -> None:
    _flip_bits(directory / _LOG, fate)


def log_sectors_garbage(directory: Path, fate: random.Random) -> None:
    _overwrite(directory / _LOG, fate, fate.choice([512, 4096]), fate.randbytes)


def log_sectors_zeroed(directory: Path, fate: random.Random) -> None:
    _overwrite(directory / _LOG, fate, fate.choice([512, 4096]), bytes)


def log_missing(directory: Path, fate: random.Random) -> None:
    (directory / _LOG).unlink(missing_ok=True)


def log_left_over(directory: Path, fate: random.Random) -> None:
    """The log of another database, or rubbish by the name of one."""
    if fate.random() < 0.3:
        (directory / fate.choice([_LOG, "spool.db-journal"])).write_bytes(fate.randbytes(5000))
        return
    other = sqlite3.connect(directory / "other.db", isolation_level=None)
    other.execute("PRAGMA page_size = 512").fetchall()
    other.execute("PRAGMA journal_mode = WAL").fetchall()
    other.execute("CREATE TABLE ping(x)")
    other.executemany("INSERT INTO ping VALUES (?)", [("y" * 300,)] * 20)
    shutil.copyfile(directory / "other.db-wal", directory / _LOG)
    other.close()
    (directory / "other.db").unlink()


def log_a_directory(directory: Path, fate: random.Random) -> None:
    (directory / _LOG).unlink(missing_ok=True)
    (directory / _LOG / "sub").mkdir(parents=True)


def database_missing(directory: Path, fate: random.Random) -> None:
    """With the log still there."""
    (directory / _DATABASE).unlink()


def everything_missing(directory: Path, fate: random.Random) -> None:
    shutil.rmtree(directory)


def wrong_schema(directory: Path, fate: random.Random) -> None:
    statements = [
        "DROP TABLE counter",
        "DROP TABLE ping",
        "ALTER TABLE ping ADD COLUMN more TEXT",
        "ALTER TABLE play RENAME TO plays",
        "CREATE INDEX ping_play ON ping(play)",
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 1",
        "DELETE FROM counter",
        "UPDATE counter SET n = n + 1 WHERE name = 'accepted'",
        "UPDATE counter SET n = 'many'",
        "UPDATE ping SET target = 'x' WHERE id % 7 = 3",
        "UPDATE play SET state = NULL",
        "UPDATE boot SET boot_id = 7",
        "DELETE FROM boot",
    ]
    _sql(directory, *fate.sample(statements, fate.randrange(1, 3)))


def newer_version(directory: Path, fate: random.Random) -> None:
    """As an older program finds it after a rollback."""
    _sql(directory, f"PRAGMA user_version = {fate.randrange(2, 2**31)}")


def foreign_file(directory: Path, fate: random.Random) -> None:
    size = fate.choice([1, 20, 99, 100, 512, 5000, 200_000])
    head = fate.choice([b"", b"SQLite format 3\0", b"#!/bin/sh\n", gzip.compress(b"x")])
    (directory / _DATABASE).write_bytes((head + fate.randbytes(size))[:size])


def foreign_database(directory: Path, fate: random.Random) -> None:
    (directory / _DATABASE).unlink()
    (directory / _LOG).unlink(missing_ok=True)
    _sql(
        directory,
        f"PRAGMA page_size = {fate.choice([512, 4096])}",
        "CREATE TABLE ping(x)",
        "INSERT INTO ping VALUES (1)",
    )


def sparse_file(directory: Path, fate: random.Random) -> None:
    """Larger than any memory: what is read of it must have a bound."""
    size = fate.choice([1 << 33, 1 << 40])
    for name in fate.choice([[_DATABASE], [_LOG], [_ACCOUNT], [_DATABASE, _LOG, _ACCOUNT]]):
        (directory / name).touch()
        os.truncate(directory / name, size)


def empty_files(directory: Path, fate: random.Random) -> None:
    for path in directory.iterdir():
        if fate.random() < 0.5:
            path.write_bytes(b"")


def directory_in_its_place(directory: Path, fate: random.Random) -> None:
    name = fate.choice(
        [_DATABASE, _ACCOUNT, "account.json.new", "reserve", "spool.new.db", "spool.salvage.db"]
    )
    (directory / name).unlink(missing_ok=True)
    (directory / name / "sub").mkdir(parents=True)
    (directory / name / "sub" / "file").write_bytes(fate.randbytes(100))


def link_in_its_place(directory: Path, fate: random.Random) -> None:
    name = fate.choice([_DATABASE, _ACCOUNT, "spool.new.db", "reserve"])
    (directory / name).unlink(missing_ok=True)
    (directory / name).symlink_to(fate.choice(["/nonexistent/file", "loop", name, "."]))


def account_damaged(directory: Path, fate: random.Random) -> None:
    """The second copy too, so that less is known of what is lost."""
    fate.choice([database_pages_zeroed, database_truncated, wrong_schema])(directory, fate)
    texts = [b"", b"{}", b"[" * 60_000, b'{"counters":{"accepted":1e999},"crc":0}', fate.randbytes(300)]
    (directory / _ACCOUNT).write_bytes(fate.choice(texts))


def two_at_once(directory: Path, fate: random.Random) -> None:
    for damage in fate.sample([*DAMAGES.values()][:10], 2):
        damage(directory, fate)


DAMAGES: dict[str, Damage] = {
    "database cut short": database_truncated,
    "database with flipped bits": database_bits_flipped,
    "database with zeroed pages": database_pages_zeroed,
    "database with garbage sectors": database_sectors_garbage,
    "log cut short": log_truncated,
    "log with flipped bits": log_bits_flipped,
    "log with garbage sectors": log_sectors_garbage,
    "log with zeroed sectors": log_sectors_zeroed,
    "log missing": log_missing,
    "log of another database": log_left_over,
    "log a directory": log_a_directory,
    "database missing, log there": database_missing,
    "everything missing": everything_missing,
    "wrong tables or values": wrong_schema,
    "a newer program's store": newer_version,
    "a foreign file": foreign_file,
    "a foreign database": foreign_database,
    "a sparse file of 8 GiB to 1 TiB": sparse_file,
    "empty files": empty_files,
    "a directory in its place": directory_in_its_place,
    "a link in its place": link_in_its_place,
    "the account's copy damaged, too": account_damaged,
    "two of these at once": two_at_once,
}
