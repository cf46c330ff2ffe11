"""What an account spends: all that costs, taken apart by what it is, where it is and how it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.account.account import Account
from barrack_mcp.account.desk import Desk
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.reading import MOST_PAGES
from barrack_mcp.account.standing import Standing
from barrack_mcp.account.things import Thing, counted, said
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT, VOLUME

SECONDS: Final = 20.0
"""Time for all reads of an overview: what isn't read by then is told as unread."""

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
        standing: The reads that it rests on.
        currency: Currency of prices.
        now: When it was read, in seconds since 1970.
        unread: What could not be read, or how far it was.
    """

    standing: Standing
    currency: str
    now: float
    unread: list[str]

    @property
    def prices(self) -> Prices:
        """The price list."""
        return self.standing.prices(self.currency)

    @property
    def costs(self) -> list[Cost]:
        """All that costs."""
        return price_all(self.standing, self.prices)

    def fields(self) -> JsonObject:
        """Answer it as data."""
        costs = self.costs
        outlook = self.standing.outlook(lambda _: Decimal(0), self.currency)
        balance, own = self.standing.balance(self.currency)
        burn = _share("all", costs) | {
            "by_kind": _shares(costs, lambda cost: cost.thing.kind.words),
            "by_tier": _shares(costs, lambda cost: (said(cost.thing.row, "tier") or _UNTOLD).lower()),
            "by_region": _shares(costs, lambda cost: said(cost.thing.row, "region") or _UNTOLD),
            "by_gpu": _shares(_machines(costs), lambda cost: said(cost.thing.row, "gpu_type", "gpu_model") or _UNTOLD),
            "by_state": _shares(_machines(costs), lambda cost: mention(cost.thing.status) or _UNTOLD),
        }
        told: JsonObject = {
            "currency": self.currency,
            "complete": not self.unread and not any(cost.hourly is None for cost in costs),
            "unread": self.unread,
            "burn": burn,
        }
        if balance is not None:
            told["balance"] = {"amount": money.rounded(balance), "currency": own}
        if (hours := outlook.runway_hours) is not None and hours.is_finite():
            told["runway"] = {"hours": money.rounded(hours)}
            if hours <= _DATED_HOURS:
                ends = datetime.fromtimestamp(self.now + float(hours) * 3600, UTC)
                told["runway"]["ends_at"] = ends.isoformat(timespec="seconds")
        return told

    def sentences(self) -> list[str]:
        """Say the same in plain sentences."""
        told = self.fields()
        burn = told["burn"]
        hourly = Decimal(str(burn["hourly"]))
        at_least = "" if told["complete"] else "at least "
        beside = f", and {counted(burn['unpriced'], 'thing')} whose price is not known" if burn["unpriced"] else ""
        rate = f"{money.write_rate(hourly, self.currency)}, {money.write_month(hourly, self.currency)}"
        lines = [f"All that costs: {at_least}{rate}, for {counted(burn['things'], 'thing')}{beside}."]
        lines += [
            f"By {words}: {_in_words(burn[name], self.currency)}."
            for name, words in _PARTS.items()
            if len(burn[name]) > 1 or name == "by_kind"
        ]
        lines += self.standing.tell_lasting(self.currency, at=self.now)
        return [*lines, *self.unread]


_PARTS: Final = {"by_kind": "kind", "by_tier": "tier", "by_region": "region", "by_gpu": "GPU", "by_state": "state"}
_DATED_HOURS: Final = 10 * 365 * 24
"""Beyond this no date is told."""


async def read_overview(account: Account, currency: str, *, now: float) -> Overview:
    """Read what an account spends: whole lists, side by side, as far as they can be read in time.

    Args:
        account: Whose.
        currency: Currency of prices.
        now: Seconds since 1970.

    Raises:
        ApiError: Nothing of it could be read.
    """
    desk = Desk(account.read, seconds=SECONDS, pages=MOST_PAGES, deeds=account.deeds)
    async with desk.side_by_side() as sheet:
        standing = Standing.ask(sheet)
    lists = (standing.instances, standing.volumes, standing.snapshots)
    failures = [listing.failure for listing in lists if listing.failure is not None]
    if len(failures) == len(lists) and not any(listing.readable for listing in lists):
        raise failures[0]
    return Overview(standing, currency, now, desk.unread)


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


def _machines(costs: Iterable[Cost]) -> list[Cost]:
    return [cost for cost in costs if cost.thing.kind is INSTANCE]


def _shares(costs: Iterable[Cost], part: Callable[[Cost], str]) -> list[JsonObject]:
    """Sum costs by what they have in common, the dearest first."""
    parts: dict[str, list[Cost]] = {}
    for cost in costs:
        parts.setdefault(part(cost), []).append(cost)
    return sorted((_share(name, some) for name, some in parts.items()), key=lambda share: -share["hourly"])


def _share(name: str, costs: Iterable[Cost]) -> JsonObject:
    rates = [cost.hourly for cost in costs]
    known = [rate for rate in rates if rate is not None]
    hourly = sum(known, Decimal(0))
    return {
        "name": name,
        "things": len(known),
        "unpriced": len(rates) - len(known),
        "hourly": money.rounded(hourly),
        "monthly": float(round(hourly * money.MONTH_HOURS, 2)),
    }


def _in_words(shares: Iterable[JsonObject], currency: str) -> str:
    told = [
        f"{share['name']} {money.write_rate(Decimal(str(share['hourly'])), currency)} ({share['things']:,})"
        for share in shares
    ]
    return ", ".join(told) if told else "nothing"
