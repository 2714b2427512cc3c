"""Opening a database: its settings, and bringing it to the present schema."""

import logging
import os
import sqlite3
from pathlib import Path

from eas_server.backends.sqlite.lock import PRIVATE
from eas_server.errors import ConfigError, StoreUnavailable

HEAD = "0005"
"""The step that this program's schema stands at; a test compares it with the steps."""
APPLICATION_ID = 0x45415353
"""Tells our databases from other SQLite files: `EASS`."""
PAGE_SIZE = 8192
"""Between few hops in long bodies and few octets in the log of small writes; measured in decision 0004."""
BUSY_SECONDS = 5.0
"""How long a writer waits for another process's transaction before the store counts as unavailable."""
LOG_LIMIT = 64 * 1024 * 1024
"""What the write-ahead log is cut back to after a large transaction."""


class IncompatibleStore(ConfigError):
    """The file is no store of ours, or one that a newer version of this program has changed."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection with the settings that every connection has; transactions are begun explicitly."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT}")
    return connection


def version(connection: sqlite3.Connection) -> str | None:
    """The step that a database stands at; None for an empty one. Raises IncompatibleStore for a foreign file."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return None
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID or "alembic_version" not in tables:
        raise IncompatibleStore("the file is an SQLite database, but not a store of this server")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def check(found: str | None) -> None:
    """Raise IncompatibleStore for a step that this program does not know."""
    if found is not None and not (found.isdecimal() and int(found) <= int(HEAD)):
        raise IncompatibleStore(
            f"the store has schema {found}, this program knows schemas up to {HEAD}: use the program that wrote it"
        )


def prepare(path: Path) -> None:
    """Create the database, or bring it to the present schema. Raises IncompatibleStore, StoreUnavailable."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE))
        connection = connect(path)
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from error
    try:
        found = version(connection)
        check(found)
        if found == HEAD:
            return
        if found is None:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from error
    finally:
        connection.close()
    _upgrade(path)


def _unreadable(path: Path, error: sqlite3.DatabaseError) -> Exception:
    if isinstance(error, sqlite3.OperationalError):
        return StoreUnavailable(f"{path}: {error}")
    return IncompatibleStore(f"{path}: {error}")


def _upgrade(path: Path) -> None:
    # Imported here: the migration tool costs more time than opening the store does.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", "eas_server.backends.sqlite:migrations")
    engine = create_engine("sqlite://", creator=lambda: connect(path), poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        command.upgrade(config, "head")
        connection.commit()
    engine.dispose()
