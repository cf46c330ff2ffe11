"""Bills by dates: how much of each row falls between two instants, and how surely that can be said.

A row says when it began and ended, how many minutes were billed, at which rate, and what that came to. Minutes are
billed whole, each when it is over. Where the rate by the minutes is the cost, the row cost the same all along and can
be cut anywhere; a row that lies on one side whole needs no cut. Of any other only the most and the least can be told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import anyio

from barrack_mcp.account import money
from barrack_mcp.account.money import amount
from barrack_mcp.account.reading import Listing, Reader, read_list
from barrack_mcp.account.things import counted, moment, sentence, text, write_time
from barrack_mcp.api.body import MAX_ROWS, add_notes
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT, VOLUME, kind_named_by

BILLS: Final = (
    ("get_instance_billing", INSTANCE),
    ("get_volume_billing", VOLUME),
    ("get_snapshot_billing", SNAPSHOT),
)
"""The reads of what was billed, each with the kind of thing that was."""

PAGES: Final = 60
"""Pages of bills that are read at most: a row is kept for all that ever ran."""

SECONDS: Final = 20.0
"""Time for reading bills; what isn't read by then is told as unread."""

_MINUTE: Final = 60
_FAR: Final = 10.0**12
"""A time beyond all times."""
_NOTHING: Final = Decimal(0)
_PLACE: Final = frozenset({"page", "limit", "since", "until"})


@dataclass(frozen=True, slots=True)
class Window:
    """A time between two instants, in seconds since 1970: the first counts, the last doesn't.

    Attributes:
        since: From when on.
        until: Until when.
    """

    since: float = -math.inf
    until: float = math.inf

    @classmethod
    def of_days(cls, since: str | None, until: str | None) -> Window:
        """The time from the beginning of one day to the end of another, both in UTC."""
        first = -math.inf if since is None else midnight(date.fromisoformat(since))
        last = math.inf if until is None else midnight(date.fromisoformat(until) + timedelta(days=1))
        return cls(first, last)

    @property
    def in_words(self) -> str:
        """From when to when, for people."""
        begin = "" if math.isinf(self.since) else f"from {write_time(self.since)}"
        end = "until now" if math.isinf(self.until) else f"until {write_time(self.until)}"
        return f"{begin} {end}".strip()


def midnight(day: date) -> float:
    """When a day begins in UTC, whatever the clocks do elsewhere."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Part:
    """How much of a row falls into a window.

    Attributes:
        cost: What that cost, at least.
        at_most: What it cost at most; the same where it can be told.
        minutes: How many of its minutes fall into it.
    """

    cost: Decimal = _NOTHING
    at_most: Decimal = _NOTHING
    minutes: int = 0

    @property
    def is_exact(self) -> bool:
        """Whether what it cost can be told."""
        return self.cost == self.at_most


def cut(row: Mapping[str, Any], window: Window, *, now: float) -> Part | None:
    """Answer how much of a billing row falls into a window; None if the row doesn't tell.

    Args:
        row: It, as the API shows it.
        window: From when to when.
        now: Seconds since 1970, for a row that goes on and doesn't tell its minutes.
    """
    cost, lasted = amount(row.get("total_cost")), _lasted(row, now)
    if cost is None or lasted is None:
        return None
    began, first, last = lasted
    length = last - first
    inside = max(0, min(last, _tick(window.until)) - max(first, _tick(window.since)))
    if length == 0:
        # what is over before a minute is billed lies where it began
        return Part(cost, cost) if window.since <= began < window.until else Part()
    if inside in (0, length):
        return Part(cost, cost, inside) if inside else Part()
    return _share(cost, row, length=length, inside=inside)


def _share(cost: Decimal, row: Mapping[str, Any], *, length: int, inside: int) -> Part:
    """How much of a row that is cut falls into a window, by its minutes."""
    billed, rate = amount(row.get("total_duration_minutes")), amount(row.get("per_minute_rate"))
    if billed is not None and abs(length - billed) <= 1 and _is_steady(cost, billed, rate):
        share = cost * inside / length
        return Part(share, share, inside)
    if rate is None or cost > rate * length:
        return Part(_NOTHING, max(cost, _NOTHING), inside)
    return Part(max(_NOTHING, cost - rate * (length - inside)), min(cost, rate * inside), inside)


def _lasted(row: Mapping[str, Any], now: float) -> tuple[float, int, int] | None:
    """When a row began, and the whole minutes between which it was billed; None if it doesn't tell."""
    began, ended = moment(row.get("start_time")), moment(row.get("end_time"))
    if began is None or (ended is None and row.get("end_time") is not None):
        return None
    first, billed = _tick(began), amount(row.get("total_duration_minutes"))
    goes_on_until = _tick(now) if billed is None else first + int(billed)
    return began, first, max(first, goes_on_until if ended is None else _tick(ended))


def _is_steady(cost: Decimal, minutes: Decimal, rate: Decimal | None) -> bool:
    """Whether a row cost the same all the time: its rate by its minutes is its cost, but for rounding."""
    if rate is None:
        return False
    digits = rate.as_tuple().exponent
    rounding = Decimal(10) ** min(digits if isinstance(digits, int) else 0, -_DIGITS) / 2
    return abs(rate * minutes - cost) <= minutes * rounding + _ROUNDED


_DIGITS: Final = 4
_ROUNDED: Final = Decimal("0.005")


def _tick(at: float) -> int:
    """How many whole minutes lie behind a time."""
    return math.floor(max(-_FAR, min(_FAR, at)) / _MINUTE)


@dataclass
class Spent:
    """What rows cost together, in each currency.

    Attributes:
        window: From when to when.
        cost: What they cost, at least.
        at_most: What they cost at most.
        rows: How many rows have a part in it.
        untold: How many rows don't tell what they cost when.
        unread: The lists that were not read in full, each with how far it was.
    """

    window: Window
    cost: dict[str, Decimal] = field(default_factory=dict)
    at_most: dict[str, Decimal] = field(default_factory=dict)
    rows: int = 0
    untold: int = 0
    unread: list[str] = field(default_factory=list)

    def add(self, row: Mapping[str, Any], *, currency: str, now: float, within: Window | None = None) -> Part | None:
        """Add what a row has in it, or in a part of it, and answer that."""
        part = cut(row, within or self.window, now=now)
        if part is None:
            self.untold += 1
            return None
        own = mention(text(row, "currency") or currency).upper()
        self.cost[own] = self.cost.get(own, _NOTHING) + part.cost
        self.at_most[own] = self.at_most.get(own, _NOTHING) + part.at_most
        self.rows += bool(part.minutes or part.at_most)
        return part

    @property
    def is_exact(self) -> bool:
        """Whether this is what was spent: all was read, and all of it tells."""
        return self.cost == self.at_most and not self.untold and not self.unread

    def fields(self, currency: str) -> JsonObject:
        """Answer it as data.

        Args:
            currency: The one that is told where nothing was spent.
        """
        told: JsonObject = {"rows": self.rows, "complete": self.is_exact}
        for name, at in (("since", self.window.since), ("until", self.window.until)):
            if not math.isinf(at):
                told[name] = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        costs = self.cost or {currency: _NOTHING}
        if len(costs) == 1:
            ((own, cost),) = costs.items()
            told |= {"cost": money.rounded(cost), "currency": own}
            if (most := self.at_most.get(own, cost)) != cost:
                told["at_most"] = money.rounded(most)
        else:
            told["by_currency"] = {own: money.rounded(cost) for own, cost in costs.items()}
            told["at_most_by_currency"] = {own: money.rounded(cost) for own, cost in self.at_most.items()}
        return told

    def in_words(self, currency: str) -> str:
        """Say how much that is, for people."""
        costs = self.cost or {currency: _NOTHING}
        told = " and ".join(_between(cost, self.at_most.get(own, cost), own) for own, cost in costs.items())
        return told if not (self.untold or self.unread) else f"at least {told}"

    def doubts(self) -> list[str]:
        """Say why this may not be what was spent."""
        told = [f"Not all was read: {each}." for each in self.unread]
        if self.untold:
            told.append(f"{self.untold:,} rows don't tell what they cost when, and are in no sum.")
        if self.cost != self.at_most:
            told.append(
                "Some rows cover several rates and only partly fall into this time; of them the least and the most "
                "is told."
            )
        return told


def _between(cost: Decimal, at_most: Decimal, currency: str) -> str:
    if cost == at_most:
        return money.write(cost, currency)
    return f"between {money.write(cost, currency)} and {money.write(at_most, currency)}"


def sum_up(listings: Iterable[Listing], window: Window, *, currency: str, now: float) -> Spent:
    """Sum what the rows of bills have in a window.

    Args:
        listings: The bills.
        window: From when to when.
        currency: That of rows that name none.
        now: Seconds since 1970.
    """
    spent = Spent(window)
    for listing in listings:
        for row in listing.rows:
            spent.add(row, currency=currency, now=now)
        if not listing.complete:
            spent.unread.append(f"{listing.what} ({listing.so_far})")
    return spent


def asks_for_days(values: Mapping[str, Any]) -> bool:
    """Whether a call asks for what falls between two days."""
    return "since" in values or "until" in values


async def read_between(
    read: Reader, operation: Operation, values: JsonObject, *, currency: str, now: float
) -> JsonObject:
    """Answer the rows of a bill that fall between two days, each with its part, and what these cost together.

    Args:
        read: Sends one read.
        operation: What reads the bill.
        values: Its arguments.
        currency: That of rows that name none.
        now: Seconds since 1970.

    Raises:
        ApiError: The bill could not be read.
    """
    wire = {name: value for name, value in operation.on_the_wire(values).items() if name not in _PLACE}
    listing = await read_list(read, operation.tool, wire, pages=PAGES, until=anyio.current_time() + SECONDS)
    if listing.failure is not None and not listing.rows:
        raise listing.failure
    spent = Spent(Window.of_days(values.get("since"), values.get("until")))
    shown = []
    for row in listing.rows:
        if not _is_asked_for(row, wire):
            continue
        part = spent.add(row, currency=currency, now=now)
        if part is not None and (part.minutes or part.at_most):
            most = {} if part.is_exact else {"cost_between_at_most": money.rounded(part.at_most)}
            shown.append(row | {"minutes_between": part.minutes, "cost_between": money.rounded(part.cost)} | most)
    if not listing.complete:
        spent.unread.append(f"{listing.so_far}. {listing.why_not}".rstrip(" ."))
    number, limit = values.get("page") or 1, values.get("limit") or MAX_ROWS
    data: JsonObject = {operation.result or "": shown[(number - 1) * limit : number * limit]}
    pages = max(1, -(-len(shown) // limit))
    data |= {"total": len(shown), "page": number, "limit": limit, "total_pages": pages}
    data["between"] = spent.fields(currency)
    told = f"{sentence(spent.window.in_words)}, {counted(len(shown), 'row')} cost {spent.in_words(currency)}"
    parts = "of each row the part that falls into that time (cost_between); total_cost is that of the whole row."
    add_notes(data, f"{told}: {parts}", *spent.doubts())
    return data


def tell_scope(operation: Operation, values: Mapping[str, Any], data: JsonObject) -> None:
    """Say beside a bill what its sums are sums of; changed in place."""
    if operation.tool in [tool for tool, _ in BILLS] and not asks_for_days(values) and data.get("summary"):
        add_notes(
            data, "summary is of all rows since they began, not of this page or month; since and until give a time."
        )


def _is_asked_for(row: Mapping[str, Any], wire: Mapping[str, Any]) -> bool:
    """Whether a row is of the thing that was asked for: that the API filters by id is inferred."""
    for name, wanted in wire.items():
        kind = kind_named_by(name)
        if kind is not None and (found := text(row, *kind.ids)) is not None and found != str(wanted):
            return False
    return True
