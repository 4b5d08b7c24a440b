"""The first tables, and the triggers that refuse to change or delete what they hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from triage.errors import StoreError

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
APPEND_ONLY = ("runs", "queue_items", "places", "draws", "rejects", "audit_events")
#: The purge may empty these columns of item_texts, and nothing may touch the others.
EMPTIED = ("text", "answers", "claims")
KEPT = (
    "item_id",
    "part",
    "source",
    "record_ref",
    "opened_at",
    "closed_at",
    "opening_code",
    "closing_code",
    "form_version",
    "crimes",
    "content_hash",
    "retain_until",
)


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _unit_interval(table: str, *columns: str) -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(
            f"{column} >= 0 AND {column} <= 1", name=op.f(f"ck_{table}_{column}_in_unit_interval")
        )
        for column in columns
    ]


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "runs",
        *_text("run_id"),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("published_at", MOMENT, nullable=False),
        sa.Column("as_of", MOMENT, nullable=False),
        *_text("extract_digest", "model_id", "settings_digest", "recipe"),
        sa.Column("budget_items", sa.Integer, nullable=False),
        *_text("status", "counts", "notes"),
        sa.PrimaryKeyConstraint("run_id", name="pk_runs"),
        sa.UniqueConstraint("number", name="uq_runs_number"),
    )
    op.create_table(
        "queue_items",
        *_text("item_id", "run_id", "source", "record_ref", "root", "content_hash", "arm"),
        sa.Column("inclusion_probability", sa.Double, nullable=False),
        sa.Column("random_number", sa.Double),
        *_text("stratum"),
        sa.Column("score_01", sa.Double, nullable=False),
        *_text("tiebreak", "p_families", "families", "evidence", "rules", "parts"),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("queued_at", MOMENT, nullable=False),
        sa.Column("retain_until", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("item_id", name="pk_queue_items"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_queue_items_run_id"),
        sa.UniqueConstraint(
            "source", "record_ref", "content_hash", name="uq_queue_items_source_record_ref_content_hash"
        ),
        *_unit_interval("queue_items", "inclusion_probability", "score_01"),
    )
    op.create_table(
        "item_texts",
        *_text("item_id"),
        sa.Column("part", sa.Integer, nullable=False, autoincrement=False),
        *(sa.Column(name, sa.Text) for name in ("source", "record_ref", "text", "answers", "claims")),
        sa.Column("opened_at", MOMENT),
        sa.Column("closed_at", MOMENT),
        *(sa.Column(name, sa.Text) for name in ("opening_code", "closing_code", "form_version", "crimes")),
        *_text("content_hash"),
        sa.Column("retain_until", MOMENT),
        sa.PrimaryKeyConstraint("item_id", "part", name="pk_item_texts"),
        sa.ForeignKeyConstraint(["item_id"], ["queue_items.item_id"], name="fk_item_texts_item_id"),
    )
    op.create_table(
        "places",
        *_text("run_id"),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        *_text("item_id", "arm"),
        sa.Column("score_01", sa.Double, nullable=False),
        *_text("families", "rules", "crimes"),
        sa.Column("carried", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "position", name="pk_places"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_places_run_id"),
        sa.ForeignKeyConstraint(["item_id"], ["queue_items.item_id"], name="fk_places_item_id"),
        sa.UniqueConstraint("run_id", "item_id", name="uq_places_run_id_item_id"),
        *_unit_interval("places", "score_01"),
    )
    op.create_table(
        "draws",
        *_text("root", "content_hash", "run_id", "stratum"),
        sa.Column("random_number", sa.Double, nullable=False),
        sa.Column("inclusion_probability", sa.Double, nullable=False),
        sa.Column("drawn", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("root", name="pk_draws"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_draws_run_id"),
        *_unit_interval("draws", "random_number", "inclusion_probability"),
    )
    op.create_table(
        "rejects",
        *_text("run_id"),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        *_text("file", "table_name"),
        sa.Column("row_number", sa.Integer, nullable=False),
        *_text("column_name", "rule"),
        sa.PrimaryKeyConstraint("run_id", "number", name="pk_rejects"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_rejects_run_id"),
    )
    op.create_table(
        "audit_events",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", MOMENT, nullable=False),
        *_text("actor", "action", "subject", "run_id", "details", "previous_hash", "hash"),
        sa.PrimaryKeyConstraint("number", name="pk_audit_events"),
        sa.UniqueConstraint("hash", name="uq_audit_events_hash"),
    )
    for table, column in (
        ("queue_items", "root"),
        ("queue_items", "queued_at"),
        ("queue_items", "record_ref"),
        ("item_texts", "record_ref"),
        ("item_texts", "retain_until"),
        ("item_texts", "content_hash"),
    ):
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def _altered(equal: str) -> str:
    emptied = [f"NEW.{name} IS NULL" for name in EMPTIED]
    kept = [f"NEW.{name} {equal} OLD.{name}" for name in KEPT]
    return f"NOT ({' AND '.join(emptied + kept)})"


def _guard_sqlite() -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'the store is append-only'); END"
    for table in APPEND_ONLY:
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}")
    for table in (*APPEND_ONLY, "item_texts"):
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
    op.execute(
        f"CREATE TRIGGER item_texts_purge_only BEFORE UPDATE ON item_texts WHEN {_altered('IS')} {refuse}"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION store_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the store is append-only'; END $$"
    )
    refuse = "EXECUTE FUNCTION store_is_append_only()"
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} {refuse}"
        )
    op.execute(f"CREATE TRIGGER item_texts_no_delete BEFORE DELETE OR TRUNCATE ON item_texts {refuse}")
    op.execute(
        "CREATE TRIGGER item_texts_purge_only BEFORE UPDATE ON item_texts FOR EACH ROW "
        f"WHEN ({_altered('IS NOT DISTINCT FROM')}) {refuse}"
    )


def downgrade() -> None:
    """Refuse: a store is never taken back, a backup is restored."""
    raise StoreError("a store is never taken back", mend="restore the backup made before the upgrade")
