"""Runs the revisions on the connection that `triage.store.schema.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from triage.store.schema import VERSION_TABLE


def run() -> None:
    """Run them within the caller's transaction."""
    context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
    with context.begin_transaction():
        context.run_migrations()


# Alembic loads this file under this name; under any other it is being read, not run.
if __name__ == "env_py":
    run()
