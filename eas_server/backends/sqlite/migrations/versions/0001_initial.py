"""The first schema.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create everything."""
    _people()
    _mail()
    _submission()
    _state()
    _words()


def _words() -> None:
    # Each word stands with its account's number before it, so that one account's search never walks through the words
    # of another. The words are prepared in backends/words.py; the tokenizer is not to know better.
    op.execute(
        "CREATE VIRTUAL TABLE message_words USING fts5(words, content = 'item_words', content_rowid = 'item',"
        " tokenize = 'ascii', detail = none, columnsize = 0)"
    )


def _people() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", NUMBER, server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    op.create_table(
        "entries",
        sa.Column("key", NUMBER, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("alias", sa.Text(), server_default="", nullable=False),
        sa.Column("first_name", sa.Text(), server_default="", nullable=False),
        sa.Column("last_name", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("company", sa.Text(), server_default="", nullable=False),
        sa.Column("department", sa.Text(), server_default="", nullable=False),
        sa.Column("office", sa.Text(), server_default="", nullable=False),
        sa.Column("phone", sa.Text(), server_default="", nullable=False),
        sa.Column("home_phone", sa.Text(), server_default="", nullable=False),
        sa.Column("mobile_phone", sa.Text(), server_default="", nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=False),
        sa.Column("changed", NUMBER, server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_entries"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_entries_changed", "entries", ["changed"], unique=False)
    op.create_table(
        "addresses",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("entry", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["entries.key"], name="fk_addresses_entry", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("address", name="pk_addresses"),
    )
    op.create_index("ix_addresses_entry", "addresses", ["entry"], unique=False)
    op.create_table(
        "members",
        sa.Column("entry", NUMBER, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["entries.key"], name="fk_members_entry", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("entry", "address", name="pk_members"),
    )
    op.create_table(
        "certificates",
        sa.Column("entry", NUMBER, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("position", NUMBER, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("source IN ('user', 'smime')", name="ck_certificates_source"),
        sa.ForeignKeyConstraint(["entry"], ["entries.key"], name="fk_certificates_entry", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("entry", "source", "position", name="pk_certificates"),
    )
    op.create_table(
        "accounts",
        sa.Column("key", NUMBER, nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("entry", NUMBER, nullable=False),
        sa.Column("password", sa.Text(), server_default="", nullable=False),
        sa.Column("eas_enabled", NUMBER, server_default="1", nullable=False),
        sa.Column("quota", NUMBER, nullable=True),
        sa.Column("next_folder", NUMBER, server_default="1", nullable=False),
        sa.Column("hierarchy", NUMBER, server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["entries.key"], name="fk_accounts_entry"),
        sa.PrimaryKeyConstraint("key", name="pk_accounts"),
        sa.UniqueConstraint("user", name="uq_accounts_user"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_accounts_entry", "accounts", ["entry"], unique=False)
    op.create_index("ix_accounts_hierarchy", "accounts", ["hierarchy"], unique=False)
    op.execute("INSERT INTO counters (name, value) VALUES ('sequence', 0), ('directory', 0), ('forgotten', 0)")


def _mail() -> None:
    op.create_table(
        "folders",
        sa.Column("key", NUMBER, nullable=False),
        sa.Column("account", NUMBER, nullable=True),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("name_key", sa.Text(), server_default="", nullable=False),
        sa.Column("type", NUMBER, nullable=False),
        sa.Column("revision", NUMBER, server_default="0", nullable=False),
        sa.Column("token", NUMBER, server_default="0", nullable=False),
        sa.Column("next_item", NUMBER, server_default="1", nullable=False),
        sa.Column("octets", NUMBER, server_default="0", nullable=False),
        sa.Column("tombstones", NUMBER, server_default="0", nullable=False),
        sa.Column("floor", NUMBER, server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.key"], name="fk_folders_account", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("key", name="pk_folders"),
        sa.UniqueConstraint("account", "id", name="uq_folders_account_id"),
        sa.UniqueConstraint("account", "parent", "name_key", name="uq_folders_account_parent_name_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_folders_token", "folders", ["token"], unique=False)
    op.create_table(
        "blobs",
        sa.Column("key", NUMBER, nullable=False),
        sa.Column("size", NUMBER, server_default="0", nullable=False),
        sa.Column("refs", NUMBER, server_default="0", nullable=False),
        sa.Column("orphaned", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_blobs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_blobs_orphaned", "blobs", ["orphaned"], unique=False)
    op.create_table(
        "chunks",
        sa.Column("key", NUMBER, nullable=False),
        sa.Column("blob", NUMBER, nullable=False),
        sa.Column("position", NUMBER, nullable=False),
        sa.Column("octets", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["blob"], ["blobs.key"], name="fk_chunks_blob"),
        sa.PrimaryKeyConstraint("key", name="pk_chunks"),
        sa.UniqueConstraint("blob", "position", name="uq_chunks_blob_position"),
    )
    op.create_table(
        "items",
        sa.Column("key", NUMBER, nullable=False),
        sa.Column("folder", NUMBER, nullable=False),
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("received", NUMBER, nullable=False),
        sa.Column("revision", NUMBER, nullable=False),
        sa.Column("content_revision", NUMBER, nullable=False),
        sa.Column("read_revision", NUMBER, nullable=False),
        sa.Column("flag_revision", NUMBER, nullable=False),
        sa.Column("categories_revision", NUMBER, nullable=False),
        sa.Column("verb_revision", NUMBER, nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("blob", NUMBER, nullable=False),
        sa.Column("size", NUMBER, nullable=False),
        sa.Column("conversation", sa.LargeBinary(), nullable=False),
        sa.Column("trace", sa.LargeBinary(), nullable=False),
        sa.Column("message_index", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["blob"], ["blobs.key"], name="fk_items_blob"),
        sa.ForeignKeyConstraint(["folder"], ["folders.key"], name="fk_items_folder"),
        sa.PrimaryKeyConstraint("key", name="pk_items"),
        sa.UniqueConstraint("folder", "id", name="uq_items_folder_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_items_blob", "items", ["blob"], unique=False)
    op.create_index("ix_items_conversation", "items", ["conversation"], unique=False)
    op.create_index(
        "ix_items_folder_received_id_revision", "items", ["folder", "received", "id", "revision"], unique=False
    )
    op.create_index(
        "ix_items_folder_revision_id_received", "items", ["folder", "revision", "id", "received"], unique=False
    )
    op.create_table(
        "item_words",
        sa.Column("item", NUMBER, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["item"], ["items.key"], name="fk_item_words_item"),
        sa.PrimaryKeyConstraint("item", name="pk_item_words"),
    )
    op.create_table(
        "unindexed",
        sa.Column("item", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["item"], ["items.key"], name="fk_unindexed_item"),
        sa.PrimaryKeyConstraint("item", name="pk_unindexed"),
    )
    op.create_table(
        "tombstones",
        sa.Column("folder", NUMBER, nullable=False),
        sa.Column("revision", NUMBER, nullable=False),
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("received", NUMBER, nullable=False),
        sa.Column("born", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["folder"], ["folders.key"], name="fk_tombstones_folder"),
        sa.PrimaryKeyConstraint("folder", "revision", "id", name="pk_tombstones"),
        sqlite_with_rowid=False,
    )


def _submission() -> None:
    op.create_table(
        "outgoing",
        sa.Column("key", NUMBER, nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("recipients", sa.LargeBinary(), nullable=False),
        sa.Column("blob", NUMBER, nullable=False),
        sa.Column("queued", NUMBER, nullable=False),
        sa.Column("due", NUMBER, nullable=False),
        sa.Column("attempts", NUMBER, server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["blob"], ["blobs.key"], name="fk_outgoing_blob"),
        sa.PrimaryKeyConstraint("key", name="pk_outgoing"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outgoing_blob", "outgoing", ["blob"], unique=False)
    op.create_index("ix_outgoing_due", "outgoing", ["due"], unique=False)
    op.create_table(
        "submissions",
        sa.Column("key", NUMBER, nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sent", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_submissions"),
    )
    op.create_index("ix_submissions_user_device", "submissions", ["user", "device"], unique=False)


def _state() -> None:
    op.create_table(
        "devices",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("changed", NUMBER, server_default="0", nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("user", "device", name="pk_devices"),
    )
    op.create_index("ix_devices_changed", "devices", ["changed"], unique=False)
    op.create_table(
        "collection_states",
        sa.Column("key", NUMBER, nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("parent", NUMBER, server_default="0", nullable=False),
        sa.Column("generation", NUMBER, server_default="0", nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_collection_states"),
    )
    op.create_index(
        "ix_collection_states_user_device_collection",
        "collection_states",
        ["user", "device", "collection"],
        unique=False,
    )
    op.create_table(
        "hierarchy_states",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("key", NUMBER, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("user", "device", "key", name="pk_hierarchy_states"),
    )
