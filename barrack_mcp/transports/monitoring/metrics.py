"""Metrics for Prometheus: calls, requests to the API, what waits, what all costs. Counts and seconds, nobody's names.

Labels are tools, outcomes and kinds of failure, all words of ours. Who calls is told only where the operator wants it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Final, get_args

import anyio
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from starlette.requests import Request
from starlette.responses import Response

from barrack_mcp.account.account import Account
from barrack_mcp.account.spending.credit import tell_burn
from barrack_mcp.api.client import Attempt
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.dispatch.ending import Ended
from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.server.callers.accounts import Accounts
from barrack_mcp.server.watch import Full, Kept
from barrack_mcp.state.audit.origin import current
from barrack_mcp.state.store import StoreError

EVERY_S: Final = 60.0
"""How often what all costs is read, if somebody wants to know."""
MOST_CALLERS: Final = 200
"""Callers that are told apart; the others count as one."""

_BUCKETS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_OTHERS: Final = "(others)"

_log = logging.getLogger(__name__)


class Metrics:
    """Counts what happens, and answers what was counted.

    Args:
        by_caller: Whether calls are counted by their caller, too.
        now: A clock that only goes forward, in seconds.
    """

    def __init__(self, *, by_caller: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        self._by_caller = by_caller
        self._callers: set[str] = set()
        self._calls = Counter(
            "barrack_mcp_calls",
            "Tool calls that are over.",
            ("tool", "outcome", "transport", *(("caller",) if by_caller else ())),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "barrack_mcp_call_seconds",
            "How long tool calls took.",
            ("tool",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._requests = Counter(
            "barrack_mcp_api_requests",
            "Requests to the API, by what came of them: ok, or the kind of failure.",
            ("result",),
            registry=self.registry,
        )
        self._unsent = Counter(
            "barrack_mcp_api_unsent",
            "Requests that were not sent, since there was no turn for them or the API is left alone.",
            ("reason",),
            registry=self.registry,
        )
        self._unkept = Counter(
            "barrack_mcp_state_errors",
            "How often the state (store) or the record (audit) could not be read or written.",
            ("what",),
            registry=self.registry,
        )
        for what in get_args(Kept):
            self._unkept.labels(what)
        self._busy = Counter(
            "barrack_mcp_busy",
            "Who came over HTTP and was told that the server is busy, by what it had no room for.",
            ("full",),
            registry=self.registry,
        )
        # what never happened is told as 0, so that an alert can be set by it
        for full in get_args(Full):
            self._busy.labels(full)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        # each call and each request finds its own again: labels are words of ours, so there are not many
        self._ended, self._lasted = cache(self._calls.labels), cache(self._seconds.labels)
        self._answered, self._held_back = cache(self._requests.labels), cache(self._unsent.labels)
        self._gauges = _Gauges(self.registry, now)

    def ended(self, call: Ended) -> None:
        """Count a call."""
        caller = (self._caller(call.caller),) if self._by_caller else ()
        self._ended(call.tool, call.outcome, current().transport, *caller).inc()
        self._lasted(call.tool).observe(call.seconds)

    def sent(self, attempt: Attempt) -> None:
        """Count a request to the API, or one that was not sent."""
        result = "ok" if attempt.failure is None else attempt.failure.value
        (self._answered if attempt.number else self._held_back)(result).inc()

    def unkept(self, what: Kept) -> None:
        """Count a failure of the state or the record."""
        self._unkept.labels(what).inc()

    def busy(self, full: Full) -> None:
        """Count somebody who was turned away."""
        self._busy.labels(full).inc()

    def watch(self, accounts: Accounts, approvals: Approvals, *, currency: str, has_key: bool) -> None:
        """Look at these, too, when somebody asks.

        Args:
            accounts: The accounts that calls are about.
            approvals: Requests for a person's yes.
            currency: Currency of rates.
            has_key: Whether there is a key for the shared account.
        """
        self._gauges.watch(accounts, approvals, currency=currency, has_key=has_key)

    async def answer(self, request: Request) -> Response:
        """Answer what was counted, in the form that is asked for."""
        await self._gauges.refresh()
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self.registry), headers={"content-type": content_type})

    def _caller(self, name: str) -> str:
        if name not in self._callers and len(self._callers) >= MOST_CALLERS:
            return _OTHERS
        self._callers.add(name)
        return name


class _Gauges:
    """What is looked at when somebody asks."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float]) -> None:
        self._now = now
        self._under_way = Gauge(
            "barrack_mcp_api_under_way", "Requests to the API that are under way.", registry=registry
        )
        self._waiting = Gauge("barrack_mcp_api_waiting", "Requests that wait for a turn to be sent.", registry=registry)
        self._pending = Gauge(
            "barrack_mcp_approvals_pending", "Requests that wait for a person's yes.", registry=registry
        )
        self._cost = Gauge(
            "barrack_mcp_account_hourly_cost",
            "What all that runs in the shared account costs per hour; NaN where that is not known.",
            ("currency",),
            registry=registry,
        )
        self._accounts: Accounts | None = None
        self._approvals: Approvals | None = None
        self._currency = ""
        self._has_key = False
        self._read_at = -EVERY_S

    def watch(self, accounts: Accounts, approvals: Approvals, *, currency: str, has_key: bool) -> None:
        self._accounts, self._approvals = accounts, approvals
        self._currency, self._has_key = currency, has_key

    async def refresh(self) -> None:
        """Look at what there is; what can't be seen keeps no old value."""
        paces = [account.client.pace for account in self._accounts.at_hand] if self._accounts is not None else []
        self._under_way.set(sum(pace.under_way for pace in paces))
        self._waiting.set(sum(pace.waiting for pace in paces))
        try:
            self._pending.set(len(await self._approvals.pending()) if self._approvals is not None else 0)
        except StoreError as error:
            _log.error("%s", error)
            self._pending.set(float("nan"))
        if self._accounts is not None and self._has_key and self._now() - self._read_at >= EVERY_S:
            # whoever asks meanwhile gets the figure of before
            self._read_at = self._now()
            # and whoever asked may go away: the next one would have it read anew
            with anyio.CancelScope(shield=True):
                await self._price(self._accounts.shared)

    async def _price(self, account: Account) -> None:
        told: JsonObject = {"balance": {}}
        await tell_burn(account, told, currency=self._currency, now=time.time())
        self._cost.labels(self._currency).set(told.get("burn", {}).get("hourly", float("nan")))
