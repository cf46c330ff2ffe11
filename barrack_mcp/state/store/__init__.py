"""What outlives a call: used nonces, approvals, the ledger, the line, traces; one process changes each at a time."""

from barrack_mcp.state.store.database import StoreError
from barrack_mcp.state.store.records import OPEN_ENDED, Approval, Entry, Place, Standing, Status, Trace
from barrack_mcp.state.store.sqlite import SqliteStore
from barrack_mcp.state.store.store import Store

__all__ = [
    "OPEN_ENDED",
    "Approval",
    "Entry",
    "Place",
    "SqliteStore",
    "Standing",
    "Status",
    "Store",
    "StoreError",
    "Trace",
]
