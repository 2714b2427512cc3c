"""Core statements, compiled once and run by the driver itself.

Executing a Core statement costs about 50 µs of bookkeeping, the driver's own execution 2 to 9 µs; a submission runs a
dozen statements. So the adapter's statements are built and compiled when their module is loaded, and only the text and
the named parameters remain at run time.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from sqlalchemy import ClauseElement
from sqlalchemy.dialects import sqlite as dialect
from sqlalchemy.sql.compiler import SQLCompiler

_DIALECT = dialect.dialect(paramstyle="named")

Row = tuple[Any, ...]
Value: TypeAlias = int | str | bytes | memoryview | None
Values = Mapping[str, Value]


class Sql:
    """A compiled statement. Parameters are the `bindparam` names, or an insert's columns."""

    __slots__ = ("_constants", "text")

    def __init__(self, statement: ClauseElement, columns: Iterable[str] | None = None) -> None:
        keys = list(columns) if columns is not None else None
        compiled = statement.compile(dialect=_DIALECT, column_keys=keys)
        if not isinstance(compiled, SQLCompiler):
            raise TypeError("only queries and data changes have parameters")
        self.text = str(compiled)
        self._constants: dict[str, Value] = {
            name: bound.value for name, bound in compiled.binds.items() if not bound.required
        }

    def run(self, connection: sqlite3.Connection, **values: Value) -> sqlite3.Cursor:
        """Execute it."""
        return connection.execute(self.text, {**self._constants, **values} if self._constants else values)

    def one(self, connection: sqlite3.Connection, **values: Value) -> Row | None:
        """The first row."""
        row: Row | None = self.run(connection, **values).fetchone()
        return row

    def all(self, connection: sqlite3.Connection, **values: Value) -> list[Row]:
        """All rows."""
        return self.run(connection, **values).fetchall()

    def many(self, connection: sqlite3.Connection, rows: Iterable[Values]) -> None:
        """Execute it for each of `rows`."""
        connection.executemany(self.text, ({**self._constants, **row} for row in rows))
