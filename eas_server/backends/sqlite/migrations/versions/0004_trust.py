"""Virtual certificate collections.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Nothing is trusted yet."""
    op.create_table(
        "trusted",
        sa.Column("collection", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("anchor", sa.Text, nullable=False),
        sa.Column("certificate", sa.LargeBinary, nullable=False),
        sa.Column("added", NUMBER, nullable=False),
        sa.CheckConstraint("anchor IN ('root', 'intermediate')", name="ck_trusted_anchor"),
    )
    op.execute("INSERT INTO counters (name, value) VALUES ('trust', 0)")
