"""Runs the steps on the connection that `eas_server.backends.sqlite.migrate` hands over."""

from alembic import context

from eas_server.backends.sqlite.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
