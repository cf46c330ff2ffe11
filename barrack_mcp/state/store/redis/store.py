"""The store of many machines: one Redis that all their servers share."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from barrack_mcp.state.store.database import StoreError
from barrack_mcp.state.store.records import (
    OPEN_ENDED,
    Approval,
    End,
    Entry,
    Holdings,
    Lease,
    Overtaken,
    Place,
    Purchase,
    Queue,
    Start,
    Status,
    Swap,
    Trace,
)
from barrack_mcp.state.store.redis import scripts
from barrack_mcp.state.store.redis.home import Home
from barrack_mcp.state.store.redis.link import SECONDS, Link
from barrack_mcp.state.store.redis.presence import Presence
from barrack_mcp.state.store.redis.rate import Rate
from barrack_mcp.state.store.redis.scripts import key
from barrack_mcp.state.store.sqlite import KEPT_S, SLACK_S

_STATUSES: Final = tuple(Status)
_APPROVALS: Final = (
    key("approvals"),
    key("approvals", "until"),
    key("approvals", "live"),
    key("approvals", "bindings"),
    *(key("approvals", status) for status in Status),
)
_ENTRIES: Final = (
    key("entries"),
    key("entries", "times"),
    key("entries", "live"),
    key("entries", "digests"),
    key("entries", "order"),
)
_NONCES: Final = key("nonces")
_TRACES: Final = (key("traces"), key("traces", "times"))
_PURCHASES: Final = key("purchases")

_R = TypeVar("_R", Approval, Entry, Purchase)


class RedisStore:
    """Keeps state in one Redis; a `Store`, whose methods say what each of these promises.

    Args:
        url: Where it is: `redis://` or `rediss://`, with what lets this server in.
        now: The time in seconds since 1970.
        ca_file: Certificates to trust beside the system's.
        seconds: Time for each thing that is asked of it.
    """

    def __init__(
        self, url: str, *, now: Callable[[], float] = time.time, ca_file: Path | None = None, seconds: float = SECONDS
    ) -> None:
        self._link = Link(url, ca_file=ca_file, seconds=seconds)
        self._home = Home(self._link, self._expired)
        self._presence = Presence(self._link, self._home)
        self._now = now

    async def __aenter__(self) -> Self:
        await self._presence.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._presence.__aexit__(kind, error, trace)
        await self._link.aclose()

    async def identity(self) -> str:
        """Answer what tells this state from every other."""
        return await self._home.identity()

    def new_nonce(self) -> str:
        """Make a nonce that is good in the present era alone."""
        return self._home.new_nonce()

    def gone(self, owner: str) -> bool:
        """Whether a process has ended."""
        return self._presence.gone(owner)

    def holds(self, place: Place) -> bool:
        """Whether a place of this process can't have been taken over."""
        return self._presence.holds(place.number)

    def pace(self, account: str, *, per_minute: int, burst: int) -> Callable[[float], Awaitable[float]]:
        """Answer what claims a request towards an account."""
        return Rate(self._link, account, per_minute=per_minute, burst=burst).claim

    async def begin(self, start: Start) -> Entry | Overtaken | None:
        """Write down that a call is about to be sent."""
        yes, entry, now = start.yes, start.entry, self._now()
        told: dict[str, Any] = {"forgotten": repr(now - KEPT_S)}
        if yes is not None and yes.nonce is not None:
            if yes.until <= now:
                return Overtaken.USED
            told["nonce"] = [yes.nonce, repr(yes.until), repr(now - SLACK_S)]
        if yes is not None and yes.approval is not None:
            told["approval"] = _swap_of(*yes.approval)
        if entry is not None:
            told["entry"] = [entry.id, entry.digest, entry.to_json(), repr(entry.sent_at), str(int(entry.live))]
        if start.lease is not None:
            told["lease"] = _lease_swap(start.lease)
        told["purchases"] = [[each.id, each.to_json()] for each in start.purchases]
        account = _account_of(start.purchases, [start.lease])
        keys = [_NONCES, *_APPROVALS, *_ENTRIES, _PURCHASES, _bought(account), _leases(account)]
        said, *held = await self._write(scripts.BEGIN, keys, json.dumps(told))
        return _read(Entry, held[0]) if held else None if said == _BEGUN else Overtaken(said)

    async def finish(self, end: End) -> bool:
        """Write down what came of a call."""
        told: dict[str, Any] = {
            "purchases": [[each.id, each.to_json()] for each in end.purchases],
            "dropped": [each.id for each in end.dropped],
            "leases": [_lease_swap(swap) for swap in end.leases],
            "traces": [[_trace(each.account, each.thing), each.caller, repr(each.at)] for each in end.traces],
            "since": repr(end.since),
            "most": str(end.most),
        }
        if end.entry is not None:
            before, after = end.entry
            told["entry"] = [before.id, before.to_json(), after.to_json(), str(int(after.live))]
        if end.place is not None:
            self._presence.left(end.place.number)
            told["place"] = str(end.place.number)
        account = _account_of([*end.purchases, *end.dropped], end.leases)
        line = _line("" if end.place is None else end.place.account)
        keys = [*_ENTRIES, _PURCHASES, _bought(account), _leases(account), *_TRACES, line]
        return bool(await self._write(scripts.FINISH, keys, json.dumps(told)))

    async def look_up(self, digest: str, bindings: Sequence[str]) -> tuple[Entry | None, Approval | None]:
        """Find what is known of a call."""
        keys = [_ENTRIES[0], _ENTRIES[2], _APPROVALS[0], _APPROVALS[2]]
        sent, asked = await self._link.run(scripts.LOOK_UP, keys, digest, *bindings)
        entry = _read(Entry, sent) if sent else None
        if entry is not None and entry.sent_at <= self._now() - KEPT_S:
            entry = None
        return entry, _read(Approval, asked) if asked else None

    async def use(self, nonce: str, *, until: float) -> bool:
        """Use a nonce up."""
        now = self._now()
        return until > now and bool(await self._write(scripts.USE, [_NONCES], nonce, until, now - SLACK_S))

    async def is_used(self, nonce: str) -> bool:
        """Whether a nonce was used."""
        return await self._link.ask("ZSCORE", _NONCES, nonce) is not None

    async def add_approval(self, approval: Approval, *, most: int, place: Place | None = None) -> Approval | None:
        """Keep a new approval, unless its binding has a live one."""
        now, where = self._now(), _STATUSES.index(approval.status) + 1
        added = (approval.id, approval.binding, approval.to_json(), approval.expires_at, where, int(approval.live))
        left = ""
        if place is not None:
            self._presence.left(place.number)
            left = str(place.number)
        keys = [*_APPROVALS, _line("" if place is None else place.account)]
        share = (approval.caller, now, most, left)
        kept = await self._write(scripts.ADD_APPROVAL, keys, now - KEPT_S, *added, *share)
        return _read(Approval, kept) if kept else None

    async def find_approval(self, approval_id: str) -> Approval | None:
        """Find an approval by its id."""
        found = await self._link.ask("HGET", _APPROVALS[0], approval_id)
        return None if found is None else _read(Approval, found)

    async def live_approval(self, binding: str) -> Approval | None:
        """Find the live approval of a binding."""
        found = await self._link.run(scripts.BY_KEY, [_APPROVALS[0], _APPROVALS[2]], binding)
        return None if found is None else _read(Approval, found)

    async def swap_approval(self, before: Approval, after: Approval) -> bool:
        """Put one approval in the place of another."""
        return bool(await self._write(scripts.SWAP_APPROVAL, _APPROVALS, *_swap_of(before, after)))

    async def approvals(self, statuses: Collection[Status], *, limit: int) -> list[Approval]:
        """List the approvals that stand at one of these, newest first."""
        keys = [_APPROVALS[0], *(key("approvals", status) for status in statuses)]
        return _in_order(Approval, await self._link.run(scripts.NEWEST, keys, limit))[::-1][:limit]

    async def changes(self) -> int:
        """Count the changes until now."""
        return int(await self._link.ask("HGET", scripts.META, "changes") or 0)

    async def swap_entry(self, before: Entry, after: Entry) -> bool:
        """Put one entry in the place of another."""
        told = (before.id, before.to_json(), after.to_json(), int(after.live))
        return bool(await self._write(scripts.SWAP_ENTRY, _ENTRIES, *told))

    async def open_entries(self, account: str | None = None) -> list[Entry]:
        """List the open entries, of one account or of all, oldest first."""
        rows = await self._link.run(scripts.LIVE_ENTRIES, [_ENTRIES[0], _ENTRIES[2], _ENTRIES[4]])
        since = self._now() - KEPT_S
        entries = _in_order(Entry, rows)
        return [each for each in entries if each.sent_at > since and account in (None, each.account)]

    async def line_up(self, account: str, owner: str, *, until: float, recall: bool = False) -> Queue:
        """Take the last place in an account's line."""
        since = self._now()
        with self._presence.proving() as proven:
            keys = [_line(account), self._presence.key, *_held_by(account)]
            kept = json.dumps([owner, since, until])
            told = await self._write(scripts.LINE_UP, keys, kept, self._presence.name, int(recall))
            number, found, held = told
            proven(int(number))
        places = _places(account, dict(zip(found[::2], found[1::2], strict=True)))
        return Queue(places=places, holdings=_holdings(held) if recall else None)

    async def line(self, account: str) -> list[Place]:
        """List the places in an account's line."""
        return _places(account, await self._link.ask("HGETALL", _line(account)))

    async def leave(self, place: Place) -> None:
        """Take a place out of its line."""
        self._presence.left(place.number)
        await self._write(scripts.LEAVE, [_line(place.account)], place.number)

    async def traces(self, account: str, things: Collection[str]) -> list[Trace]:
        """List the last changes of these things of an account."""
        asked = {_trace(account, thing): thing for thing in things}
        rows = await self._link.run(scripts.TRACES, _TRACES, *asked)
        return [Trace(account=account, thing=asked[kept], caller=who, at=float(at)) for kept, who, at in rows]

    async def keep_lease(self, lease: Lease) -> None:
        """Put a machine's lease in the place of the one before."""
        await self._write(scripts.KEEP_LEASE, [_leases(lease.account)], lease.instance, _lease(lease))

    async def swap_lease(self, before: Lease, after: Lease | None) -> bool:
        """Put another lease, or none, in the place of one."""
        return bool(await self._write(scripts.SWAP_LEASE, [_leases(before.account)], *_lease_swap((before, after))))

    async def leases(self, account: str) -> list[Lease]:
        """List the leases of an account's machines."""
        return _in_turn(await self._link.ask("HVALS", _leases(account)))

    async def purchases(self, account: str) -> list[Purchase]:
        """List the purchases of an account."""
        found = await self._link.run(scripts.IN_ORDER, [_PURCHASES, _bought(account)])
        return [_read(Purchase, text) for text in found]

    async def holdings(self, account: str) -> Holdings:
        """Answer what of an account is known here alone."""
        return _holdings(await self._link.run(scripts.HOLDINGS, _held_by(account)))

    async def _write(self, script: scripts.Script, keys: Iterable[str], *values: str | float) -> Any:
        return await self._home.write(script, keys, *values)

    async def _expired(self) -> Sequence[tuple[str, str, str]]:
        """What was open, as it is kept and as it has expired."""
        found = await self.approvals(OPEN_ENDED, limit=_MANY)
        now = self._now()
        ended = [replace(each, status=Status.EXPIRED, expires_at=min(now, each.expires_at)) for each in found]
        return [(each.id, each.to_json(), then.to_json()) for each, then in zip(found, ended, strict=True)]


_MANY: Final = 1_000_000
_BEGUN: Final = "begun"


def _swap_of(before: Approval, after: Approval) -> tuple[str, ...]:
    """What the scripts need to know of an approval that stands otherwise from now on."""
    where, changed = _STATUSES.index(after.status) + 1, after.status is not before.status
    return before.id, before.to_json(), after.to_json(), str(where), str(int(after.live)), str(int(changed))


def _lease_swap(swap: Swap) -> tuple[str, ...]:
    """What the scripts need to know of a lease that gives way to another."""
    (machine,) = {each.instance for each in swap if each is not None}
    before, after = ("" if each is None else _lease(each) for each in swap)
    return machine, before, after


def _account_of(purchases: Iterable[Purchase], swaps: Iterable[Swap | None]) -> str:
    """The one account of what is written together; empty where nothing of it is an account's."""
    leases = (each.account for swap in swaps if swap is not None for each in swap if each is not None)
    return next(chain((each.account for each in purchases), leases), "")


def _held_by(account: str) -> Sequence[str]:
    return [_PURCHASES, _bought(account), _leases(account)]


def _holdings(found: Sequence[Sequence[str]]) -> Holdings:
    bought, leases = found
    return Holdings(purchases=[_read(Purchase, text) for text in bought], leases=_in_turn(leases))


def _in_turn(leases: Iterable[str]) -> list[Lease]:
    """Read leases, the one that ends first first."""
    return sorted((Lease(**json.loads(text)) for text in leases), key=lambda lease: (lease.until, lease.instance))


def _places(account: str, kept: Mapping[str, str]) -> list[Place]:
    rows = sorted((int(number), json.loads(text)) for number, text in kept.items())
    return [
        Place(number=number, account=account, owner=owner, since=since, until=until)
        for number, (owner, since, until) in rows
    ]


def _line(account: str) -> str:
    return key("line", account)


def _leases(account: str) -> str:
    return key("leases", account)


def _bought(account: str) -> str:
    return key("purchases", account)


def _trace(account: str, thing: str) -> str:
    return json.dumps([account, thing])


def _lease(lease: Lease) -> str:
    """Write a lease so that equal ones give equal texts, however their numbers were spelled."""
    values = asdict(lease)
    return json.dumps({name: float(value) if isinstance(value, int) else value for name, value in values.items()})


def _read(kind: type[_R], text: str) -> _R:
    try:
        return kind.from_json(text)
    except (ValueError, TypeError, KeyError):
        raise StoreError(
            "The Redis that BARRACK_STATE names holds something that this version can't read; let all servers be of "
            "the same version."
        ) from None


def _in_order(kind: type[_R], rows: Iterable[tuple[str, str]]) -> list[_R]:
    """Read records that came with their numbers."""
    return [_read(kind, text) for _, text in sorted(rows, key=lambda row: float(row[0]))]
