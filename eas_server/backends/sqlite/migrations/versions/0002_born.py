"""Items keep the revision that they came with: their content may change afterwards.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Until now no content has changed, so that its revision is the one that the item came with."""
    op.add_column("items", sa.Column("born", NUMBER, nullable=False, server_default="0"))
    op.execute("UPDATE items SET born = content_revision")
