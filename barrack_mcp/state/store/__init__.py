"""What outlives a call: nonces, approvals, ledger, line, traces, leases, purchases; each changed by one at a time."""

from barrack_mcp.state.store.database import StoreError
from barrack_mcp.state.store.place import store_at
from barrack_mcp.state.store.records import (
    OPEN_ENDED,
    Approval,
    Bought,
    End,
    Entry,
    Holdings,
    Lease,
    Overtaken,
    Place,
    Purchase,
    Queue,
    Standing,
    Start,
    Status,
    Swap,
    Trace,
    Yes,
)
from barrack_mcp.state.store.sqlite import SqliteStore
from barrack_mcp.state.store.store import Store

__all__ = [
    "OPEN_ENDED",
    "Approval",
    "Bought",
    "End",
    "Entry",
    "Holdings",
    "Lease",
    "Overtaken",
    "Place",
    "Purchase",
    "Queue",
    "SqliteStore",
    "Standing",
    "Start",
    "Status",
    "Store",
    "StoreError",
    "Swap",
    "Trace",
    "Yes",
    "store_at",
]
