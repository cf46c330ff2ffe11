"""What runs and what it costs, for a person to look at: the spending overview's own figures, and spending by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import anyio.to_thread

from barrack_mcp.account import money
from barrack_mcp.account.account import Account
from barrack_mcp.account.spending.bills import Window, sum_up
from barrack_mcp.account.spending.overview import Overview, read_overview
from barrack_mcp.account.things import write_time
from barrack_mcp.catalogue import OFFERS, JsonObject

DAYS: Final = 30
"""Days that the chart shows, today the last."""
WIDTH: Final = 600
HEIGHT: Final = 120
"""Of the chart, in its own units."""

BAR: Final = WIDTH / DAYS - 3
"""Width of a bar, with a gap beside it."""

_CUTS: Final = (
    ("by_kind", "kind"),
    ("by_tier", "tier"),
    ("by_region", "region"),
    ("by_gpu", "GPU"),
    ("by_state", "state"),
)


@dataclass(frozen=True)
class Day:
    """What was spent on one day, and its bar in the chart.

    Attributes:
        date: In UTC.
        cost: In words.
        x: Left edge of the bar.
        y: Top of the bar.
        height: Height of the bar.
    """

    date: str
    cost: str
    x: float
    y: float
    height: float


@dataclass(frozen=True)
class Costs:
    """What runs and what it costs.

    Attributes:
        told: The overview's own figures.
        days: What was spent by day, the oldest first.
        currency: Currency of the figures.
    """

    told: JsonObject
    days: list[Day]
    currency: str

    @property
    def cuts(self) -> list[tuple[str, list[JsonObject]]]:
        """The burn, taken apart: by what, and the parts."""
        return [(word, rows) for name, word in _CUTS if (rows := self.told["burn"].get(name))]

    @property
    def credit(self) -> str:
        """The credit, in words."""
        balance = self.told["balance"]
        return money.write(Decimal(str(balance["amount"])), balance["currency"])

    @property
    def ends(self) -> str:
        """When the credit ends, in words."""
        return write_time(datetime.fromisoformat(self.told["runway"]["ends_at"]).timestamp())

    def write(self, amount: object) -> str:
        """Write an amount of the figures' currency."""
        return money.write(Decimal(str(amount)), self.currency)


async def read_costs(account: Account, currency: str, *, now: float) -> Costs:
    """Read what runs and what it costs.

    Args:
        account: Whose.
        currency: Currency of prices.
        now: Seconds since 1970.

    Raises:
        ApiError: Nothing of it could be read.
    """
    overview = await read_overview(account, currency, now=now, offered=OFFERS)
    # many rows by many days take their time, and calls are waiting
    days = await anyio.to_thread.run_sync(_by_day, overview)
    return Costs(overview.fields(), days, currency)


def _by_day(overview: Overview) -> list[Day]:
    today = datetime.fromtimestamp(overview.now, UTC).date()
    dates = [(today - timedelta(days=back)).isoformat() for back in reversed(range(DAYS))]
    spent = [
        sum_up(overview.bills, Window.of_days(date, date), currency=overview.currency, now=overview.now)
        for date in dates
    ]
    costs = [each.cost.get(overview.currency, Decimal(0)) for each in spent]
    most = max([*costs, Decimal(0)])
    wide = WIDTH / DAYS
    days = []
    for place, (date, each, cost) in enumerate(zip(dates, spent, costs, strict=True)):
        tall = float(cost / most) * HEIGHT if most else 0.0
        left = round(place * wide + (wide - BAR) / 2, 1)
        days.append(Day(date, each.in_words(overview.currency), left, round(HEIGHT - tall, 1), round(tall, 1)))
    return days
