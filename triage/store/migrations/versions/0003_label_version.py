"""By which code book each outcome was coded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from triage.errors import StoreError

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: The purge and an erasure may empty the notes of an event, and nothing may touch the rest.
KEPT_OF_EVENTS = (
    "item_id",
    "number",
    "at",
    "actor",
    "act",
    "token",
    "outcome",
    "drawn",
    "hold_minutes",
    "label_version",
)


def upgrade() -> None:
    """Add the column, and guard it as the others of its table are."""
    op.add_column("review_events", sa.Column("label_version", sa.Text))
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER review_events_purge_only")
        op.execute(
            f"CREATE TRIGGER review_events_purge_only BEFORE UPDATE ON review_events WHEN {_unlike('IS')} "
            "BEGIN SELECT RAISE(ABORT, 'the store is append-only'); END"
        )
    else:
        op.execute("DROP TRIGGER review_events_purge_only ON review_events")
        op.execute(
            "CREATE TRIGGER review_events_purge_only BEFORE UPDATE ON review_events FOR EACH ROW "
            f"WHEN ({_unlike('IS NOT DISTINCT FROM')}) EXECUTE FUNCTION store_is_append_only()"
        )


def _unlike(equal: str) -> str:
    kept = [f"NEW.{name} {equal} OLD.{name}" for name in KEPT_OF_EVENTS]
    return f"NOT ({' AND '.join(['NEW.notes IS NULL', *kept])})"


def downgrade() -> None:
    """Refuse: a store is never taken back, a backup is restored."""
    raise StoreError("a store is never taken back", mend="restore the backup made before the upgrade")
