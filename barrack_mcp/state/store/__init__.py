"""What outlives a call: used nonces, approvals and the ledger, each changed by exactly one process at a time."""

from barrack_mcp.state.store.database import StoreError
from barrack_mcp.state.store.records import OPEN_ENDED, Approval, Entry, Standing, Status
from barrack_mcp.state.store.sqlite import SqliteStore
from barrack_mcp.state.store.store import Store

__all__ = ["OPEN_ENDED", "Approval", "Entry", "SqliteStore", "Standing", "Status", "Store", "StoreError"]
