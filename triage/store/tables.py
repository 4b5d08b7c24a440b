"""The tables of the store, each column with the sentence that docs/store.md shows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect


def canonical(value: object) -> str:
    """Return the one JSON text of a value: keys sorted, no spaces, ASCII, floats exact.

    >>> canonical({"b": 0.1, "a": [1]})
    '{"a":[1],"b":0.1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


class UtcTime(TypeDecorator[datetime]):
    """A moment: aware when it goes in, aware and in UTC when it comes out, on every server."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware moment into UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment without an offset cannot be stored")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read a moment back in UTC; SQLite hands it out without its offset."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CanonicalJson(TypeDecorator[Any]):
    """JSON as canonical text, so that both servers hold equal bytes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write the canonical text."""
        return None if value is None else canonical(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read the value back."""
        return None if value is None else json.loads(value)


def _column(name: str, kind: Any, doc: str, *more: Any, **options: Any) -> Column[Any]:
    return Column(name, kind, *more, doc=doc, nullable=options.pop("nullable", False), **options)


def _unit_interval(*columns: str) -> list[CheckConstraint]:
    return [
        CheckConstraint(f"{column} >= 0 AND {column} <= 1", name=f"{column}_in_unit_interval")
        for column in columns
    ]


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

runs = Table(
    "runs",
    metadata,
    _column(
        "run_id",
        Text,
        "The night: the same extract, model, settings and moment give the same id.",
        primary_key=True,
    ),
    _column(
        "number",
        Integer,
        "Order of publication, from 1; of runs as of one moment the highest stands.",
        unique=True,
    ),
    _column("published_at", UtcTime, "When it was published."),
    _column("as_of", UtcTime, "The moment that the night takes as its present."),
    _column("extract_digest", Text, "SHA-256 of the extract's content."),
    _column("model_id", Text, "The model that ranked."),
    _column("settings_digest", Text, "SHA-256 of the settings that shape a queue."),
    _column("recipe", Text, "The recipe of the model."),
    _column("budget_items", Integer, "Items that could be read."),
    _column("status", Text, "`complete` or `partial`."),
    _column("counts", CanonicalJson, "Counts of each step."),
    _column("notes", CanonicalJson, "Sentences about columns, codes and what is missing."),
    info={"doc": "One row per published night."},
)

queue_items = Table(
    "queue_items",
    metadata,
    _column(
        "item_id", Text, "16 hexadecimal digits, from the lead's reference and the content.", primary_key=True
    ),
    _column("run_id", Text, "The run that first queued it.", ForeignKey("runs.run_id")),
    _column("source", Text, "Table of the lead record."),
    _column("record_ref", Text, "Reference of the lead record."),
    _column("root", Text, "Reference of the matter, the same from night to night.", index=True),
    _column("content_hash", Text, "SHA-256 of what an auditor would read."),
    _column("arm", Text, "`rule`, `ranked` or `control`, when first queued."),
    _column(
        "inclusion_probability", Double, "Chance with which it was queued: below 1 in the control arm only."
    ),
    _column(
        "random_number",
        Double,
        "Its permanent random number in [0, 1); empty where no draw was made.",
        nullable=True,
    ),
    _column("stratum", Text, "`readable` or `unreadable`."),
    _column("score_01", Double, "Probability of at least one unrecorded crime, when first queued."),
    _column("tiebreak", Text, "Hash that orders equal scores."),
    _column("p_families", CanonicalJson, "Family to the probability that it is disclosed."),
    _column("families", CanonicalJson, "Unrecorded families, likeliest first."),
    _column(
        "evidence", CanonicalJson, "Offsets or questions of a part, best first; never the words themselves."
    ),
    _column("rules", CanonicalJson, "Rules that sent it to the top."),
    _column("parts", CanonicalJson, "Records of the matter in reading order, and why each belongs."),
    _column("opened_at", UtcTime, "When the lead record was opened."),
    _column("queued_at", UtcTime, "The as-of moment of the run that first queued it.", index=True),
    _column("retain_until", UtcTime, "When its texts are to be purged."),
    UniqueConstraint("source", "record_ref", "content_hash"),
    *_unit_interval("inclusion_probability", "score_01"),
    Index(None, "record_ref"),
    info={"doc": "One row per matter and content, as it was first queued."},
)

# No CHECK and no NOT NULL that a bad night could break: PostgreSQL prints the failing row, text included.
item_texts = Table(
    "item_texts",
    metadata,
    _column("item_id", Text, "The item.", ForeignKey("queue_items.item_id"), primary_key=True),
    _column("part", Integer, "Number of the part, from 1 (the lead).", primary_key=True, autoincrement=False),
    _column("source", Text, "Table of the record.", nullable=True),
    _column("record_ref", Text, "Reference of the record.", nullable=True, index=True),
    _column("text", Text, "The narrative; emptied by the purge.", nullable=True),
    _column(
        "answers", CanonicalJson, "Question number to `Y`, `N` or `NK`; emptied by the purge.", nullable=True
    ),
    _column("claims", CanonicalJson, "References that the text names; emptied by the purge.", nullable=True),
    _column("opened_at", UtcTime, "When the record was opened.", nullable=True),
    _column("closed_at", UtcTime, "When it was closed.", nullable=True),
    _column("opening_code", Text, "Code it was opened with.", nullable=True),
    _column("closing_code", Text, "Code it was closed with.", nullable=True),
    _column("form_version", Text, "Version of its form, empty for a log.", nullable=True),
    _column("team", Text, "Team of the record, for feedback only.", nullable=True),
    _column("supervisor_ref", Text, "Its supervisor, for feedback only.", nullable=True),
    _column("crimes", CanonicalJson, "Crimes recorded for the matter when it was queued.", nullable=True),
    _column("content_hash", Text, "SHA-256 of its text and answers; stays after the purge.", index=True),
    _column(
        "retain_until", UtcTime, "When text, answers and claims are to be purged.", nullable=True, index=True
    ),
    info={"doc": "One row per part of an item: the only place in the store with narrative text."},
)

places = Table(
    "places",
    metadata,
    _column("run_id", Text, "The run.", ForeignKey("runs.run_id"), primary_key=True),
    _column(
        "position", Integer, "Place in its queue, from 1 (read first).", primary_key=True, autoincrement=False
    ),
    _column("item_id", Text, "The item that stands there.", ForeignKey("queue_items.item_id")),
    _column("arm", Text, "`rule`, `ranked` or `control`, that night."),
    _column("score_01", Double, "Probability of at least one unrecorded crime, as of that night."),
    _column("families", CanonicalJson, "Unrecorded families, likeliest first, as of that night."),
    _column("rules", CanonicalJson, "Rules that sent it to the top, as of that night."),
    _column("crimes", CanonicalJson, "Crimes recorded for its matter, as of that night."),
    _column("carried", Boolean, "Whether an earlier run queued it and nobody had decided it."),
    UniqueConstraint("run_id", "item_id"),
    *_unit_interval("score_01"),
    info={"doc": "One row per place of each run's queue."},
)

draws = Table(
    "draws",
    metadata,
    _column(
        "root", Text, "The matter's lasting reference: each takes part in one draw, ever.", primary_key=True
    ),
    _column("content_hash", Text, "The content that it had that night."),
    _column("run_id", Text, "The run that drew.", ForeignKey("runs.run_id")),
    _column("stratum", Text, "`readable` or `unreadable`."),
    _column("random_number", Double, "Its permanent random number in [0, 1)."),
    _column("inclusion_probability", Double, "Chance of being drawn, known before the draw."),
    _column("drawn", Boolean, "Whether it was drawn."),
    *_unit_interval("random_number", "inclusion_probability"),
    info={"doc": "One row per matter that took part in the draw of the control arm, drawn or not."},
)

rejects = Table(
    "rejects",
    metadata,
    _column("run_id", Text, "The run.", ForeignKey("runs.run_id"), primary_key=True),
    _column("number", Integer, "Order within the run, from 1.", primary_key=True, autoincrement=False),
    _column("file", Text, "Name of the file."),
    _column("table_name", Text, "Table of the contract."),
    _column("row_number", Integer, "Data row, from 1, without the header line."),
    _column("column_name", Text, "Column at fault, empty where the whole row is."),
    _column("rule", Text, "The rule that it broke."),
    info={"doc": "One row per row of an extract that could not become a record; never its content."},
)

review_events = Table(
    "review_events",
    metadata,
    _column("item_id", Text, "The item.", ForeignKey("queue_items.item_id"), primary_key=True),
    _column(
        "number",
        Integer,
        "Order of what was done to it, from 1 without gaps.",
        primary_key=True,
        autoincrement=False,
    ),
    _column("at", UtcTime, "When."),
    _column("actor", Text, "Who.", index=True),
    _column("act", Text, "`claim`, `release`, `decide`, `correct`, `rule` or `reopen`."),
    _column("token", Text, "Unique to the form that was sent, so that sent twice is done once.", unique=True),
    _column(
        "outcome",
        CanonicalJson,
        "The coded outcome of a decision, correction or ruling; see docs/review.md.",
        nullable=True,
    ),
    _column("notes", Text, "Its notes; emptied with the item's texts.", nullable=True),
    _column("drawn", Boolean, "Whether this first decision was drawn for a second review."),
    _column("hold_minutes", Double, "How long a claim holds; 0 for any other act."),
    _column(
        "label_version",
        Text,
        "Edition and digest of the code book of its outcome; empty where it has none, or was before 0003.",
        nullable=True,
    ),
    info={"doc": "One row per act on an item; a correction is a new row."},
)

audit_events = Table(
    "audit_events",
    metadata,
    _column("number", Integer, "From 1 without gaps.", primary_key=True, autoincrement=False),
    _column("at", UtcTime, "When."),
    _column("actor", Text, "Who, or which command."),
    _column(
        "action",
        Text,
        "`collection`, `alteration`, `consultation`, `disclosure`, `combination` or `erasure`.",
    ),
    _column("subject", Text, "Id of what it was done to."),
    _column("run_id", Text, "The run it belongs to, empty where there is none."),
    _column("details", CanonicalJson, "Ids and counts."),
    _column("previous_hash", Text, "`hash` of the event before; 64 noughts for the first."),
    _column("hash", Text, "SHA-256 of this event's content and `previous_hash`.", unique=True),
    info={"doc": "One row per act on personal data, each tied to the one before by its hash."},
)


def described() -> str:
    """Return the Markdown that docs/store.md shows: every table with its columns."""
    lines: list[str] = []
    for table in metadata.sorted_tables:
        lines += [f"### `{table.name}`", "", table.info["doc"], "", "| column | meaning |", "|---|---|"]
        lines += [f"| `{column.name}` | {column.doc} |" for column in table.columns]
        lines.append("")
    return "\n".join(lines)
