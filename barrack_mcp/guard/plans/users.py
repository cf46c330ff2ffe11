"""Who uses an SSH key or a startup script: told by the details of instances alone, so these are looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from barrack_mcp.account.reading import Listing
from barrack_mcp.account.things import Thing, joined, labels, text, usable_id
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.kinds import INSTANCE
from barrack_mcp.guard.plans.draft import Inquiry

MOST_LOOKED_AT: Final = 20
"""Instances whose details are read."""


@dataclass(frozen=True)
class Users:
    """The instances that use something.

    Attributes:
        found: Those that say so.
        told: Whether any instance says what it uses at all.
        looked_at: How many were looked at.
        known: How many there are, as far as could be read.
        whole: Whether these are all.
    """

    found: list[Thing]
    told: bool
    looked_at: int
    known: int
    whole: bool

    @property
    def kept(self) -> list[str]:
        """The instances, which stay."""
        return [f"instances that use it: {joined(labels(self.found))}"] if self.found else []

    @property
    def warnings(self) -> list[str]:
        """How far to trust that."""
        if not self.known and not self.whole:
            # that they could not be read is told already
            return []
        if self.looked_at < self.known or not self.whole:
            return [f"Only {self.looked_at} of at least {self.known:,} instances were looked at for its use."]
        if self.known and not self.told:
            return ["Which instances use it is not told by Barrack."]
        return [] if self.found else ["No instance shows that it uses it."]


async def users(
    inquiry: Inquiry, instances: Listing, *, fields: tuple[str, ...], uses: Callable[[JsonObject], bool]
) -> Users:
    """Look at the details of instances for the use of something.

    Args:
        inquiry: The call.
        instances: The account's instances.
        fields: Where a row may say it.
        uses: Whether a row that says it says it of this thing.
    """
    ids = [found for row in instances.rows if (found := usable_id(text(row, "instance_id", "id")))]
    async with inquiry.desk.side_by_side() as sheet:
        details = [
            sheet.one("get_instance", {"instance_id": at}, "some of the instances that may use it")
            for at in ids[:MOST_LOOKED_AT]
        ]
    rows = [detail.data for detail in details if detail.data]
    return Users(
        found=[Thing(INSTANCE, row) for row in rows if uses(row)],
        told=any(name in row for row in rows for name in fields),
        looked_at=len(rows),
        known=len(instances.rows),
        whole=instances.complete,
    )
