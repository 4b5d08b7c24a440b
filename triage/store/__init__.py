"""What the house remembers: runs, queues, draws, rejects and who read what; the only SQL.

It must never change or delete what it holds, except to empty texts at their date or on order, and never write
without an audit event. It knows nothing of pages, commands or flows.
"""

from triage.store.erasure import Erased
from triage.store.rows import (
    ACTIONS,
    AuditEvent,
    Chain,
    Chained,
    Item,
    ItemCrime,
    ItemEvidence,
    ItemText,
    Part,
    PlaceRow,
    Publication,
    QueueRow,
    Run,
    item_id_of,
)
from triage.store.store import Store, open_store

__all__ = [
    "ACTIONS",
    "AuditEvent",
    "Chain",
    "Chained",
    "Erased",
    "Item",
    "ItemCrime",
    "ItemEvidence",
    "ItemText",
    "Part",
    "PlaceRow",
    "Publication",
    "QueueRow",
    "Run",
    "Store",
    "item_id_of",
    "open_store",
]
