"""What outlives a call: used nonces, approvals and the ledger, each changed by exactly one process at a time."""

from __future__ import annotations

from barrack_mcp.state.store.entries import Entry, EntryStore, Standing
from barrack_mcp.state.store.records import OPEN_ENDED, Approval, Status
from barrack_mcp.state.store.sqlite import SqliteStore, StoreError
from barrack_mcp.state.store.store import Store

__all__ = [
    "OPEN_ENDED",
    "Approval",
    "Entry",
    "EntryStore",
    "SqliteStore",
    "Standing",
    "Status",
    "Store",
    "StoreError",
]
