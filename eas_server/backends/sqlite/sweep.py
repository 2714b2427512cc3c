"""Removing what was deleted, little by little: folders without an account, and blobs that nothing refers to."""

from sqlalchemy import bindparam, delete, select

from eas_server.backends.sqlite import blobs, search
from eas_server.backends.sqlite.query import Sql
from eas_server.backends.sqlite.schema import folders, items, tombstones
from eas_server.backends.sqlite.writer import Unit

SWEPT_AT_ONCE = 200
"""How many items one transaction removes."""

_FOLDER = Sql(select(folders.c.key).where(folders.c.account.is_(None)).limit(1))
_ITEMS = Sql(select(items.c.key, items.c.blob).where(items.c.folder == bindparam("place")).limit(SWEPT_AT_ONCE))
_DROP_ITEM = Sql(delete(items).where(items.c.key == bindparam("row")))
_DROP_TOMBSTONES = Sql(delete(tombstones).where(tombstones.c.folder == bindparam("place")))
_DROP_FOLDER = Sql(delete(folders).where(folders.c.key == bindparam("place")))


def sweep(unit: Unit, *, now: int) -> bool:
    """Remove some; whether more may remain. `now` in microseconds since 1970."""
    folder = _FOLDER.one(unit.connection)
    if folder is None:
        return blobs.sweep(unit, now)
    place = folder[0]
    rows = _ITEMS.all(unit.connection, place=place)
    for key, _ in rows:
        search.remove(unit.connection, key)
        _DROP_ITEM.run(unit.connection, row=key)
    blobs.release(unit, [blob for _, blob in rows], now)
    if len(rows) < SWEPT_AT_ONCE:
        _DROP_TOMBSTONES.run(unit.connection, place=place)
        _DROP_FOLDER.run(unit.connection, place=place)
    return True
