"""What people did to items; whose team a record was; and what an erasure may empty."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from triage.errors import StoreError

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
#: An erasure may set these columns of queue_items so, and nothing may touch the others.
ERASED = {"p_families": "{}", "evidence": "[]"}
KEPT_OF_ITEMS = (
    "item_id",
    "run_id",
    "source",
    "record_ref",
    "root",
    "content_hash",
    "arm",
    "inclusion_probability",
    "random_number",
    "stratum",
    "score_01",
    "tiebreak",
    "families",
    "rules",
    "parts",
    "opened_at",
    "queued_at",
    "retain_until",
)
#: The purge and an erasure may empty the notes of an event, and nothing may touch the rest.
KEPT_OF_EVENTS = ("item_id", "number", "at", "actor", "act", "token", "outcome", "drawn", "hold_minutes")
KEPT_OF_TEXTS = (
    "item_id",
    "part",
    "source",
    "record_ref",
    "opened_at",
    "closed_at",
    "opening_code",
    "closing_code",
    "form_version",
    "team",
    "supervisor_ref",
    "crimes",
    "content_hash",
    "retain_until",
)


def upgrade() -> None:
    """Add them."""
    op.add_column("item_texts", sa.Column("team", sa.Text))
    op.add_column("item_texts", sa.Column("supervisor_ref", sa.Text))
    op.create_table(
        "review_events",
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", MOMENT, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("actor", "act", "token")),
        sa.Column("outcome", sa.Text),
        sa.Column("notes", sa.Text),
        sa.Column("drawn", sa.Boolean, nullable=False),
        sa.Column("hold_minutes", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("item_id", "number", name="pk_review_events"),
        sa.ForeignKeyConstraint(["item_id"], ["queue_items.item_id"], name="fk_review_events_item_id"),
        sa.UniqueConstraint("token", name="uq_review_events_token"),
    )
    op.create_index("ix_review_events_actor", "review_events", ["actor"])
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def _unlike(same: tuple[str, ...], equal: str, *allowed: str) -> str:
    kept = [f"NEW.{name} {equal} OLD.{name}" for name in same]
    return f"NOT ({' AND '.join([*allowed, *kept])})"


def _conditions(equal: str) -> dict[str, str]:
    erased = [f"NEW.{name} = '{value}'" for name, value in ERASED.items()]
    emptied = [f"NEW.{name} IS NULL" for name in ("text", "answers", "claims")]
    return {
        "queue_items": _unlike(KEPT_OF_ITEMS, equal, *erased),
        "review_events": _unlike(KEPT_OF_EVENTS, equal, "NEW.notes IS NULL"),
        "item_texts": _unlike(KEPT_OF_TEXTS, equal, *emptied),
    }


def _guard_sqlite() -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'the store is append-only'); END"
    op.execute("DROP TRIGGER queue_items_no_update")
    op.execute("DROP TRIGGER item_texts_purge_only")
    for table, condition in _conditions("IS").items():
        op.execute(f"CREATE TRIGGER {table}_purge_only BEFORE UPDATE ON {table} WHEN {condition} {refuse}")
    op.execute(f"CREATE TRIGGER review_events_no_delete BEFORE DELETE ON review_events {refuse}")


def _guard_postgresql() -> None:
    refuse = "EXECUTE FUNCTION store_is_append_only()"
    op.execute("DROP TRIGGER queue_items_append_only ON queue_items")
    op.execute("DROP TRIGGER item_texts_purge_only ON item_texts")
    for table in ("queue_items", "review_events"):
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE OR TRUNCATE ON {table} {refuse}")
    for table, condition in _conditions("IS NOT DISTINCT FROM").items():
        op.execute(
            f"CREATE TRIGGER {table}_purge_only BEFORE UPDATE ON {table} FOR EACH ROW "
            f"WHEN ({condition}) {refuse}"
        )


def downgrade() -> None:
    """Refuse: a store is never taken back, a backup is restored."""
    raise StoreError("a store is never taken back", mend="restore the backup made before the upgrade")
