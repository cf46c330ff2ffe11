"""A guard for tests: its state in memory, its clock and its policy in the test's hands."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from barrack_mcp.account.reading import reader
from barrack_mcp.api.client import Client
from barrack_mcp.catalogue import Risk
from barrack_mcp.dispatch.writes.ledger import Ledger
from barrack_mcp.dispatch.writes.writer import Writer
from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.guard.guard import Guard, Policy
from barrack_mcp.state.store import SqliteStore, Store
from tests.support.clock import at_once

ACCOUNT = "https://barrack.example/api key-1"
SECRET = b"a secret of thirty-two bytes, at least"


def guard(
    client: Client,
    *,
    store: Store | None = None,
    account: str = ACCOUNT,
    now: Callable[[], float] = time.time,
    ttl: float = 600,
    **policy: Any,
) -> Guard:
    unattended = frozenset(Risk(risk) for risk in policy.pop("unattended", ()))
    return Guard(
        policy=Policy(unattended=unattended, **policy),
        approvals=Approvals(store or SqliteStore(":memory:", now=now), ttl=ttl, now=now),
        read=reader(client),
        secret=SECRET,
        account=account,
        now=now,
    )


def writer(client: Client, *, ledger: Ledger | None = None, account: str = ACCOUNT, **more: Any) -> Writer:
    """What sends writes, without waiting between looks."""
    usual: dict[str, Any] = {
        "read": reader(client),
        "ledger": ledger or Ledger(SqliteStore(":memory:")),
        "account": account,
        "sleep": at_once,
    }
    return Writer(client=client, **usual | more)
