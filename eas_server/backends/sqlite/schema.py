"""The tables, as SQLAlchemy Core knows them. What only SQLite has (the word index) stands in `search.py`.

Numbers of changes (token, revision, changed, hierarchy, a state's key) are all drawn from one sequence, so that one
indexed comparison finds what changed since a moment. Instants are microseconds since 1970 UTC, `received` is seconds.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


NUMBER = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column declared INTEGER, which holds 64 bits there."""


def _number(name: str, default: int | None = 0) -> Column[int]:
    return Column(name, NUMBER, nullable=False, server_default=None if default is None else str(default))


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _key() -> Column[int]:
    return Column("key", NUMBER, primary_key=True)


counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    _number("value"),
)
"""`sequence`: the last number drawn; `directory`, `forgotten`, `trust`: the number of the last change of people, of the
last removal of device state, and of the last change of what is trusted."""

entries = Table(
    "entries",
    metadata,
    _key(),
    Column("kind", Text, nullable=False),
    _text("display_name"),
    _text("email"),
    _text("alias"),
    _text("first_name"),
    _text("last_name"),
    _text("title"),
    _text("company"),
    _text("department"),
    _text("office"),
    _text("phone"),
    _text("home_phone"),
    _text("mobile_phone"),
    Column("picture", LargeBinary, nullable=False),
    _number("changed"),
    Index(None, "changed"),
    sqlite_autoincrement=True,
)

addresses = Table(
    "addresses",
    metadata,
    Column("address", Text, primary_key=True),
    Column("entry", NUMBER, ForeignKey("entries.key", ondelete="CASCADE"), nullable=False),
    Index(None, "entry"),
)
"""All addresses in lower case, the primary one of an entry (`entries.email`) too."""

members = Table(
    "members",
    metadata,
    Column("entry", NUMBER, ForeignKey("entries.key", ondelete="CASCADE"), primary_key=True),
    Column("address", Text, primary_key=True),
)

certificates = Table(
    "certificates",
    metadata,
    Column("entry", NUMBER, ForeignKey("entries.key", ondelete="CASCADE"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("position", NUMBER, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    CheckConstraint("source IN ('user', 'smime')", name="source"),
)

accounts = Table(
    "accounts",
    metadata,
    _key(),
    Column("user", Text, nullable=False, unique=True),
    Column("entry", NUMBER, ForeignKey("entries.key"), nullable=False),
    _text("password"),
    _number("eas_enabled", 1),
    Column("quota", NUMBER),
    _number("next_folder", 1),
    _number("hierarchy"),
    Index(None, "entry"),
    Index(None, "hierarchy"),
    sqlite_autoincrement=True,
)

folders = Table(
    "folders",
    metadata,
    _key(),
    Column("account", NUMBER, ForeignKey("accounts.key", ondelete="SET NULL")),
    Column("id", Text, nullable=False),
    Column("parent", Text, nullable=False),
    _text("name"),
    _text("name_key"),
    _number("type", None),
    _number("revision"),
    _number("token"),
    _number("next_item", 1),
    _number("octets"),
    _number("tombstones"),
    _number("floor"),
    UniqueConstraint("account", "id"),
    UniqueConstraint("account", "parent", "name_key"),
    Index(None, "token"),
    sqlite_autoincrement=True,
)
"""A folder without an account was deleted and waits for its items to be swept. Changes below `floor` are forgotten."""

blobs = Table(
    "blobs",
    metadata,
    _key(),
    _number("size"),
    _number("refs"),
    Column("orphaned", NUMBER),
    Index(None, "orphaned"),
    sqlite_autoincrement=True,
)
"""`orphaned`: since when nothing refers to it; numbers are never used again, so that a late reader cannot be shown
another message."""

chunks = Table(
    "chunks",
    metadata,
    _key(),
    Column("blob", NUMBER, ForeignKey("blobs.key"), nullable=False),
    Column("position", NUMBER, nullable=False),
    Column("octets", LargeBinary, nullable=False),
    UniqueConstraint("blob", "position"),
)

items = Table(
    "items",
    metadata,
    _key(),
    Column("folder", NUMBER, ForeignKey("folders.key"), nullable=False),
    _number("id", None),
    _number("received", None),
    _number("revision", None),
    _number("content_revision", None),
    _number("read_revision", None),
    _number("flag_revision", None),
    _number("categories_revision", None),
    _number("verb_revision", None),
    Column("state", LargeBinary, nullable=False),
    Column("blob", NUMBER, ForeignKey("blobs.key"), nullable=False),
    _number("size", None),
    Column("conversation", LargeBinary, nullable=False),
    Column("trace", LargeBinary, nullable=False),
    Column("message_index", LargeBinary, nullable=False),
    _number("born"),
    UniqueConstraint("folder", "id"),
    Index(None, "folder", "received", "id", "revision"),
    Index(None, "folder", "revision", "id", "received"),
    Index(None, "conversation"),
    Index(None, "blob"),
    sqlite_autoincrement=True,
)

item_words = Table(
    "item_words",
    metadata,
    Column("item", NUMBER, ForeignKey("items.key"), primary_key=True),
    Column("words", Text, nullable=False),
)
"""What an item can be found by; the word index (`search.py`) refers to these rows."""

unindexed = Table(
    "unindexed",
    metadata,
    Column("item", NUMBER, ForeignKey("items.key"), primary_key=True),
)
"""Items whose words are not in the word index yet: searches read their words themselves."""

tombstones = Table(
    "tombstones",
    metadata,
    Column("folder", NUMBER, ForeignKey("folders.key"), primary_key=True),
    Column("revision", NUMBER, primary_key=True),
    Column("id", NUMBER, primary_key=True),
    _number("received", None),
    _number("born", None),
    sqlite_with_rowid=False,
)

outgoing = Table(
    "outgoing",
    metadata,
    _key(),
    Column("user", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipients", LargeBinary, nullable=False),
    Column("blob", NUMBER, ForeignKey("blobs.key"), nullable=False),
    _number("queued", None),
    _number("due", None),
    _number("attempts"),
    _text("reason"),
    Index(None, "due"),
    Index(None, "blob"),
    sqlite_autoincrement=True,
)

submissions = Table(
    "submissions",
    metadata,
    _key(),
    Column("user", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("client_id", Text),
    Column("digest", LargeBinary, nullable=False),
    _number("sent", None),
    Index(None, "user", "device"),
)

devices = Table(
    "devices",
    metadata,
    Column("user", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    _number("changed"),
    Column("value", LargeBinary, nullable=False),
    Index(None, "changed"),
)

collection_states = Table(
    "collection_states",
    metadata,
    _key(),
    Column("user", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("collection", Text, nullable=False),
    _number("parent"),
    _number("generation"),
    Column("value", LargeBinary, nullable=False),
    Index(None, "user", "device", "collection"),
)

hierarchy_states = Table(
    "hierarchy_states",
    metadata,
    Column("user", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("key", NUMBER, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

preferences = Table(
    "preferences",
    metadata,
    Column("account", NUMBER, ForeignKey("accounts.key", ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

done = Table(
    "done",
    metadata,
    Column("account", NUMBER, ForeignKey("accounts.key", ondelete="CASCADE"), primary_key=True),
    Column("subject", Text, primary_key=True),
    _number("until", None),
    sqlite_with_rowid=False,
)
"""What was done for a user and is not to be done again before `until`."""

trusted = Table(
    "trusted",
    metadata,
    Column("collection", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("anchor", Text, nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    _number("added", None),
    CheckConstraint("anchor IN ('root', 'intermediate')", name="anchor"),
)
"""The virtual certificate collections: `collection` is a mail domain, or "" for those that have none of their own."""

harvested = Table(
    "harvested",
    metadata,
    Column("account", NUMBER, ForeignKey("accounts.key", ondelete="CASCADE"), primary_key=True),
    Column("address", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("certificate", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    _number("first_seen", None),
    _number("last_seen", None),
    _number("disputed", None),
    Index(None, "address"),
)
"""Certificates out of signed mail that an account got, by the address in lower case that they are for."""
