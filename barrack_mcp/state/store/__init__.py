"""What outlives a call: nonces, approvals, ledger, line, traces, leases, purchases; each changed by one at a time."""

from barrack_mcp.state.store.database import StoreError
from barrack_mcp.state.store.place import store_at
from barrack_mcp.state.store.records import (
    OPEN_ENDED,
    Approval,
    Bought,
    Entry,
    Lease,
    Place,
    Purchase,
    Standing,
    Status,
    Trace,
)
from barrack_mcp.state.store.sqlite import SqliteStore
from barrack_mcp.state.store.store import Store

__all__ = [
    "OPEN_ENDED",
    "Approval",
    "Bought",
    "Entry",
    "Lease",
    "Place",
    "Purchase",
    "SqliteStore",
    "Standing",
    "Status",
    "Store",
    "StoreError",
    "Trace",
    "store_at",
]
