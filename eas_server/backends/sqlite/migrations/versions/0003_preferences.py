"""Small records of users, and what was done for them once.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Nobody has any yet."""
    op.create_table(
        "preferences",
        sa.Column("account", NUMBER, sa.ForeignKey("accounts.key", ondelete="CASCADE"), primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "done",
        sa.Column("account", NUMBER, sa.ForeignKey("accounts.key", ondelete="CASCADE"), primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("until", NUMBER, nullable=False),
        sqlite_with_rowid=False,
    )
