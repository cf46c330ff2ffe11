"""A guard for tests: its state in memory, its clock and its policy in the test's hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from mcp.server.lowlevel import Server
from mcp.types import (
    CallToolRequestParams,
    ClientCapabilities,
    ElicitationCapability,
    ElicitResult,
    FormElicitationCapability,
)

from barrack_mcp.account.account import Account
from barrack_mcp.api.client import Client
from barrack_mcp.catalogue import JsonObject, Operation, Risk
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.dispatch.dispatcher import Dispatcher
from barrack_mcp.dispatch.writes.ledger import Ledger
from barrack_mcp.dispatch.writes.writer import Writer
from barrack_mcp.guard.approvals import Approvals, Status
from barrack_mcp.guard.asking.asker import Asked, Asker
from barrack_mcp.guard.decide import Policy
from barrack_mcp.guard.guard import Guard
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.guard.ruling.ruling import Ruling
from barrack_mcp.guard.turns import Turns
from barrack_mcp.server.tools import create_server
from barrack_mcp.state.store import SqliteStore, Store
from tests.support.clock import Clock, at_once

HOLD_S = 170.0
"""How long a call may take in all, and a little."""
SECRET = b"a secret of thirty-two bytes, at least"


@dataclass(kw_only=True)
class Corridor(Dispatcher):
    """A dispatcher with the one account that all its calls are about."""

    account: Account

    async def call(self, tool: str, arguments: Mapping[str, Any], caller: Caller | None = None) -> Answer | Asked:
        return await super().call(tool, arguments, caller or self.caller)

    @property
    def caller(self) -> Caller:
        return Caller("local:0", self.account)

    @property
    def server(self) -> Server[Any]:
        return create_server(self, lambda _: self.caller)


def account_of(client: Client, *, key: str = "key-1", url: str = "https://barrack.example/api", **more: Any) -> Account:
    """An account whose time moves when somebody waits in it."""
    clock = Clock()
    moving: dict[str, Any] = {"now": clock, "sleep": clock.sleep}
    return Account(client, url, key_digest=key, **moving | more)


def guard(
    *,
    store: Store | None = None,
    now: Callable[[], float] = time.time,
    ttl: float = 600,
    turns: Mapping[str, Any] | None = None,
    **policy: Any,
) -> Guard:
    unattended = frozenset(Risk(risk) for risk in policy.pop("unattended", ()))
    more = {name: policy.pop(name) for name in ("on_shown", "on_request") if name in policy}
    store = store or SqliteStore(":memory:", now=now)
    return Guard(
        policy=Policy(unattended=unattended, **policy),
        approvals=Approvals(store, ttl=ttl, now=now),
        turns=Turns(store, now=now, hold=HOLD_S, **dict(turns or {})),
        secrets=[SECRET],
        now=now,
        **more,
    )


def writer(*, ledger: Ledger | None = None, **more: Any) -> Writer:
    """What sends writes, without waiting between looks."""
    usual: dict[str, Any] = {"ledger": ledger or Ledger(SqliteStore(":memory:")), "sleep": at_once}
    return Writer(**usual | more)


@dataclass
class Rules:
    """A guard, and what writes down what passes it."""

    guard: Guard
    writer: Writer


def ruling_at(guard: Guard, store: Store) -> Rules:
    """A guard whose state the writer shares."""
    return Rules(guard, writer(ledger=Ledger(store)))


async def rule(at: Rules | Dispatcher, operation: Operation, values: JsonObject, caller: Caller, **more: Any) -> Ruling:
    """What a guard says of a call; one that passes is not sent after all."""
    book = at.writer.book(operation, values, caller)
    ruling = await at.guard.rule(operation, values, caller, book=book, **more)
    await book.drop()
    return ruling


def an_asker(answer: Asked | None = None, reply: ElicitResult | None = None) -> Asker:
    """What a call of the newer era brings along, behind the seal."""
    capabilities = ClientCapabilities(elicitation=ElicitationCapability(form=FormElicitationCapability()))
    context: Any = SimpleNamespace(
        protocol_version="2026-07-28", session=SimpleNamespace(client_capabilities=capabilities)
    )
    state = answer.result.request_state if answer else None
    responses = {"approval": reply} if reply else None
    params = CallToolRequestParams(name="any", arguments={}, request_state=state, input_responses=responses)
    return Asker(context, params)


async def told(approvals: Approvals, binding: str) -> Status | None:
    """What a repeated call is told of its request; None if there is nothing to tell."""
    approval = await approvals.redeem(binding)
    return approval.status if approval is not None else None
