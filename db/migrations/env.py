"""Runs migrations on the connection that `db.migrate` hands over."""

from alembic import context

from db.tables import TABLES

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=TABLES[0].metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
