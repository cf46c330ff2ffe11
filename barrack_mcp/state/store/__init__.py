"""What outlives a call: used nonces, approvals, ledger, line, traces, leases; one process changes each at a time."""

from barrack_mcp.state.store.database import StoreError
from barrack_mcp.state.store.records import OPEN_ENDED, Approval, Entry, Lease, Place, Standing, Status, Trace
from barrack_mcp.state.store.sqlite import SqliteStore
from barrack_mcp.state.store.store import Store

__all__ = [
    "OPEN_ENDED",
    "Approval",
    "Entry",
    "Lease",
    "Place",
    "SqliteStore",
    "Standing",
    "Status",
    "Store",
    "StoreError",
    "Trace",
]
