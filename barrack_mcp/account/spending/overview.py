"""What an account spends: all that costs, taken apart by what it is, where it is and how it stands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.account.account import Account
from barrack_mcp.account.desk import Desk
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.reading import Listing
from barrack_mcp.account.spending.bills import BILLS, PAGES, Spent, Window, midnight, sum_up
from barrack_mcp.account.spending.idle import Idle, find_idle
from barrack_mcp.account.spending.standing import Standing
from barrack_mcp.account.things import Thing, counted, listed, said
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT, VOLUME
from barrack_mcp.state.store import Lease, StoreError

SECONDS: Final = 20.0
"""Time for all reads of an overview: what isn't read by then is told as unread."""

MOST_IDLE: Final = 50
"""Idle things that are told one by one."""

_UNTOLD: Final = "not told"


@dataclass(frozen=True)
class Cost:
    """A thing that costs something.

    Attributes:
        thing: Which.
        hourly: What it costs per hour in the state it is in or on its way to; None if that is not known.
    """

    thing: Thing
    hourly: Decimal | None


@dataclass(frozen=True)
class Overview:
    """What an account spends, as far as it could be read.

    Attributes:
        standing: What it has, what that costs, and its credit.
        bills: What was billed, by kind of thing.
        currency: Currency of prices.
        now: The time by the API's clock, in seconds since 1970.
        idle: What costs and seems to be of no use.
        unread: What could not be read, or how far it was.
    """

    standing: Standing
    bills: tuple[Listing, ...]
    currency: str
    now: float
    idle: list[Idle]
    unread: list[str]

    @cached_property
    def costs(self) -> list[Cost]:
        """All that costs."""
        return price_all(self.standing, self.standing.prices(self.currency))

    @cached_property
    def spent(self) -> dict[str, Spent]:
        """What was spent today, this month, and in all."""
        today = datetime.fromtimestamp(self.now, UTC).date()
        windows = {
            "today": Window(since=midnight(today)),
            "this_month": Window(since=midnight(today.replace(day=1))),
            "all_time": Window(),
        }
        return {
            name: sum_up(self.bills, window, currency=self.currency, now=self.now) for name, window in windows.items()
        }

    @property
    def is_complete(self) -> bool:
        """Whether all that costs was read and has a known price, and all that was spent can be told."""
        unpriced = any(cost.hourly is None for cost in self.costs)
        return not self.unread and not unpriced and all(each.is_exact for each in self.spent.values())

    def fields(self) -> JsonObject:
        """Answer it as data."""
        costs, machines = self.costs, [cost for cost in self.costs if cost.thing.kind is INSTANCE]
        told: JsonObject = {
            "currency": self.currency,
            "complete": self.is_complete,
            "unread": self.unread,
            "burn": _share(costs)
            | {
                "by_kind": _shares(costs, lambda cost: cost.thing.kind.words),
                "by_tier": _shares(costs, lambda cost: (said(cost.thing.row, "tier") or _UNTOLD).lower()),
                "by_region": _shares(costs, lambda cost: said(cost.thing.row, "region") or _UNTOLD),
                "by_gpu": _shares(machines, lambda cost: said(cost.thing.row, "gpu_type", "gpu_model") or _UNTOLD),
                "by_state": _shares(machines, lambda cost: mention(cost.thing.status) or _UNTOLD),
            },
            "idle": [each.fields() for each in self.idle[:MOST_IDLE]],
            "savings": _share(Cost(each.thing, each.saving) for each in self.idle),
            "spent": {name: each.fields(self.currency) for name, each in self.spent.items()},
        }
        if len(self.idle) > MOST_IDLE:
            told["notes"] = [f"Of {len(self.idle):,} idle things, the {MOST_IDLE} that save most; savings is of all."]
        balance, own = self.standing.balance(self.currency)
        if balance is not None:
            told["balance"] = {"amount": money.rounded(balance), "currency": own}
        hours = self.standing.outlook(lambda _: Decimal(0), self.currency).runway_hours
        if hours is not None and hours.is_finite():
            told["runway"] = {"hours": money.rounded(hours)} | tell_end(self.now, hours)
        return told

    def sentences(self) -> list[str]:
        """Say the same in plain sentences."""
        burn = self.fields()["burn"]
        spent = self.spent
        at_least = "" if self.standing.read_in_full and not burn["unpriced"] else "at least "
        things = f"{counted(burn['things'], 'thing')}{_beside(burn)}"
        lines = [
            f"All that costs: {at_least}{_rate(burn, self.currency)}, for {things}.",
            *(
                f"By {words}: {_in_words(burn[name], self.currency)}."
                for name, words in _PARTS.items()
                if len(burn[name]) > 1 or name == "by_kind"
            ),
            *self.standing.tell_lasting(self.currency, at=self.now),
            f"Spent: {', '.join(f'{each.in_words(self.currency)} {_WHEN[name]}' for name, each in spent.items())}.",
        ]
        if self.idle:
            savings = _share(Cost(each.thing, each.saving) for each in self.idle)
            lines.append(
                f"Costing without use, as it seems: {counted(len(self.idle), 'thing')}; ending that saves "
                f"{_rate(savings, self.currency)}{_beside(savings)}. A person may want to keep them; ask first."
            )
            lines += listed([each.in_words(self.currency) for each in self.idle])
        return [*lines, *self.unread, *dict.fromkeys(doubt for each in spent.values() for doubt in each.doubts())]


_PARTS: Final = {"by_kind": "kind", "by_tier": "tier", "by_region": "region", "by_gpu": "GPU", "by_state": "state"}
_WHEN: Final = {"today": "today", "this_month": "this month", "all_time": "in all"}
_DATED_HOURS: Final = 10 * 365 * 24
"""Beyond this no date is told."""


async def read_overview(account: Account, currency: str, *, now: float, offered: Collection[str]) -> Overview:
    """Read what an account spends: whole lists, side by side, as far as they can be read in time.

    Args:
        account: Whose.
        currency: Currency of prices.
        now: Seconds since 1970.
        offered: The tools on offer: no other is named as a way to save.

    Raises:
        ApiError: Nothing of it could be read.
    """
    desk = Desk(account.read, seconds=SECONDS, pages=PAGES, deeds=account.deeds)
    async with desk.side_by_side() as sheet:
        standing = Standing.ask(sheet)
        bills = tuple(sheet.rows(tool, {}, f"the bills of {kind.plural}") for tool, kind in BILLS)
    lists = (standing.instances, standing.volumes, standing.snapshots)
    failures = [listing.failure for listing in lists if listing.failure is not None]
    if len(failures) == len(lists) and not any(listing.readable for listing in lists):
        raise failures[0]
    now = tell_time(standing, now)
    leases, at = await _leases(account, desk.unread)
    prices = standing.prices(currency)
    idle = find_idle(standing, prices, leases=leases, at=at, offered=offered)
    return Overview(standing, bills, currency, now, idle, desk.unread)


async def _leases(account: Account, unread: list[str]) -> tuple[Mapping[str, Lease], float]:
    """Until when machines may run, and the time by the clock of that."""
    if account.leases is None:
        return {}, 0.0
    try:
        return await account.leases.all(account.id), account.leases.now()
    except StoreError:
        unread.append("Could not be read: the leases of machines.")
        return {}, 0.0


def tell_time(standing: Standing, now: float) -> float:
    """Answer the time by which an account is billed: ours, unless the price list tells a wholly different one.

    Args:
        standing: Its price list bears the API's time.
        now: Ours, in seconds since 1970.
    """
    told = standing.price_list.known.get("metadata")
    theirs = money.amount(told.get("timestamp")) if isinstance(told, dict) else None
    if theirs is None or not 0 < theirs < _FAR_S or abs(float(theirs) - now) < _DAY_S:
        return now
    return float(theirs)


_DAY_S: Final = 86_400.0
_FAR_S: Final = 10**11
"""A time in seconds is smaller; one in thousandths of them is larger."""


def tell_end(now: float, hours: Decimal) -> JsonObject:
    """Say when credit ends that lasts so many hours; nothing where that is too far away to be told."""
    if hours > _DATED_HOURS:
        return {}
    ends = datetime.fromtimestamp(now + float(hours) * 3600, UTC)
    return {"ends_at": ends.isoformat(timespec="seconds").replace("+00:00", "Z")}


def price_all(standing: Standing, prices: Prices) -> list[Cost]:
    """Price each thing that an account has, by the state it is in or on its way to."""
    machines = [*standing.instances.rows, *standing.instances.made]
    volumes = [*standing.volumes.rows, *standing.volumes.made]
    snapshots = [*standing.snapshots.rows, *standing.snapshots.made]
    return [
        *(Cost(Thing(INSTANCE, row), prices.instance(row, money.settled(row.get("status")))) for row in machines),
        *(Cost(Thing(VOLUME, row), prices.volume(row)) for row in volumes),
        *(Cost(Thing(SNAPSHOT, row), prices.snapshot(row)) for row in snapshots),
    ]


def _shares(costs: Iterable[Cost], part: Callable[[Cost], str]) -> list[JsonObject]:
    """Sum costs by what they have in common, the dearest first."""
    parts: dict[str, list[Cost]] = {}
    for cost in costs:
        parts.setdefault(part(cost), []).append(cost)
    return sorted(({"name": name} | _share(some) for name, some in parts.items()), key=lambda share: -share["hourly"])


def _share(costs: Iterable[Cost]) -> JsonObject:
    rates = [cost.hourly for cost in costs]
    known = [rate for rate in rates if rate is not None]
    hourly = sum(known, Decimal(0))
    return {
        "things": len(known),
        "unpriced": len(rates) - len(known),
        "hourly": money.rounded(hourly),
        "monthly": float(round(hourly * money.MONTH_HOURS, 2)),
    }


def _rate(share: JsonObject, currency: str) -> str:
    hourly = Decimal(str(share["hourly"]))
    return f"{money.write_rate(hourly, currency)}, {money.write_month(hourly, currency)}"


def _beside(share: JsonObject) -> str:
    unpriced = share["unpriced"]
    return f", and {counted(unpriced, 'thing')} whose price is not known" if unpriced else ""


def _in_words(shares: Iterable[JsonObject], currency: str) -> str:
    told = [
        f"{share['name']} {money.write_rate(Decimal(str(share['hourly'])), currency)} ({share['things']:,})"
        for share in shares
    ]
    return ", ".join(told) if told else "nothing"
