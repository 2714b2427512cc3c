"""Copies of a store: made while it serves, and put back while it does not."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from eas_server.backends.sqlite import migrate
from eas_server.backends.sqlite.lock import PRIVATE, locked
from eas_server.errors import StoreFull, StoreUnavailable

PAGES_AT_ONCE = 1024
"""How much is copied between two looks at whether the copy is to go on: 8 MiB."""
KEYS_APART = 1_000_000_000
"""How far the sequence jumps at a restore: no key or revision of the time that was lost is given again."""


def backup(source: Path, target: Path) -> None:
    """Copy the store at `source`, as it is at this moment, to the new file `target`. The store may be in use.

    The copy appears under its name only when it is whole and on the disk. Blocks: call it from a thread.
    Raises FileExistsError, StoreFull, StoreUnavailable, IncompatibleStore.
    """
    if target.exists():
        raise FileExistsError(target)
    with _new_file(target) as part, closing(_open(source, alone=False)) as connection:
        migrate.check(migrate.version(connection))
        # The read transaction pins one state of the database: without it each foreign write would start the copy anew.
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        _copy(connection, part)


def restore(copy: Path, target: Path) -> None:
    """Put a backup in the place of the store at `target`, which nobody may have open.

    The backup is verified first and brought to the present schema. Devices ask for their folders anew afterwards.
    Blocks: call it from a thread. Raises StoreUnavailable when the store is in use, IncompatibleStore when the backup
    is damaged or of a newer version, StoreFull.
    """
    with locked(target, exclusive=True), _new_file(target) as part:
        alone = not copy.with_name(f"{copy.name}-wal").exists()
        with closing(_open(copy, alone=alone)) as connection:
            _verify(connection, copy)
            _copy(connection, part)
        migrate.prepare(part)
        _start_anew(part)
        _settle(target)


def _open(path: Path, *, alone: bool) -> sqlite3.Connection:
    """`alone`: nobody writes the file and no log lies beside it; it may stand on a medium that cannot be written."""
    if not path.is_file():
        raise FileNotFoundError(path)
    options = "mode=ro&immutable=1" if alone else "mode=rw"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """A file beside `target` that takes its name when everything went well, and else leaves no trace."""
    part = target.with_name(f".{target.name}.part")
    _remove(part)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
    try:
        yield part
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    except sqlite3.DatabaseError as error:
        raise _translated(error) from error
    finally:
        _remove(part)


def _translated(error: sqlite3.DatabaseError) -> Exception:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return StoreFull("the disk is full")
    if isinstance(error, sqlite3.OperationalError):
        return StoreUnavailable(str(error))
    return migrate.IncompatibleStore(str(error))


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(connection: sqlite3.Connection, part: Path) -> None:
    with closing(sqlite3.connect(part)) as target:
        connection.backup(target, pages=PAGES_AT_ONCE, sleep=0)
        target.execute("PRAGMA journal_mode = DELETE")


def _verify(connection: sqlite3.Connection, copy: Path) -> None:
    found = migrate.version(connection)
    if found is None:
        raise migrate.IncompatibleStore(f"{copy} is empty")
    migrate.check(found)
    problems = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
    if problems != ["ok"] or connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise migrate.IncompatibleStore(f"{copy} is damaged: {problems[0]}")


def _start_anew(part: Path) -> None:
    """Keep keys of the time after the backup from meaning something else now."""
    with closing(migrate.connect(part)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE counters SET value = value + ? WHERE name = 'sequence'", (KEYS_APART,))
        connection.execute("DELETE FROM hierarchy_states")
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = DELETE")


def _settle(target: Path) -> None:
    """Leave nothing of the old store beside the new one: its log would be read as the new one's."""
    if not target.exists():
        return
    with contextlib.suppress(sqlite3.DatabaseError), closing(sqlite3.connect(target, isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode = DELETE")
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
