"""What other processes wrote into the same database: the command line does, and so does `eas-server deliver`."""

import sqlite3
from dataclasses import dataclass

from sqlalchemy import BindParameter, bindparam, select

from eas_server.backends.sqlite.query import Sql
from eas_server.backends.sqlite.schema import accounts, collection_states, counters, devices, folders
from eas_server.model.ids import CollectionId, DeviceId, Token, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """The changes since a number of the sequence that this process did not make."""

    tokens: dict[tuple[UserId, CollectionId], Token]
    hierarchies: frozenset[UserId]
    devices: frozenset[tuple[UserId, DeviceId]]
    collections: frozenset[tuple[UserId, DeviceId, CollectionId]]
    directory: bool
    forgotten: bool
    trust: bool


_since: BindParameter[int] = bindparam("since")
_TOKENS = Sql(
    select(accounts.c.user, folders.c.id, folders.c.token)
    .join(accounts, accounts.c.key == folders.c.account)
    .where(folders.c.token > _since)
)
_HIERARCHIES = Sql(select(accounts.c.user).where(accounts.c.hierarchy > _since))
_DEVICES = Sql(select(devices.c.user, devices.c.device).where(devices.c.changed > _since))
_STATES = Sql(
    select(collection_states.c.user, collection_states.c.device, collection_states.c.collection)
    .distinct()
    .where(collection_states.c.key > _since)
)
_COUNTERS = Sql(select(counters.c.name).where(counters.c.value > _since))


def foreign_changes(connection: sqlite3.Connection, since: int) -> Foreign:
    """What changed after `since`."""
    grown = {name for (name,) in _COUNTERS.all(connection, since=since)}
    return Foreign(
        tokens={(UserId(u), CollectionId(c)): Token(t) for u, c, t in _TOKENS.all(connection, since=since)},
        hierarchies=frozenset(UserId(u) for (u,) in _HIERARCHIES.all(connection, since=since)),
        devices=frozenset((UserId(u), DeviceId(d)) for u, d in _DEVICES.all(connection, since=since)),
        collections=frozenset(
            (UserId(u), DeviceId(d), CollectionId(c)) for u, d, c in _STATES.all(connection, since=since)
        ),
        directory="directory" in grown,
        forgotten="forgotten" in grown,
        trust="trust" in grown,
    )
