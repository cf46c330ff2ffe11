"""The price list: what a thing costs per hour, told in one place. Pure: no clock, no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from barrack_mcp.account import money
from barrack_mcp.account.money import Billed, amount

_GB_PER_UNIT: Final[Mapping[str, int]] = MappingProxyType({"tb": 1000, "gb": 1})


@dataclass(frozen=True, slots=True)
class Burn:
    """What an account's things cost per hour together."""

    hourly: Decimal
    unpriced: int
    """How many things have no known price and are missing from the sum."""


@dataclass(frozen=True, slots=True)
class Prices:
    """The price list in one currency. A thing is told by a row of its list, or by the arguments that make it.

    Attributes:
        listed: `pricing_data` as the API sends it; empty if it could not be read.
        currency: USD, EUR or INR.
    """

    listed: Mapping[str, Any]
    currency: str

    @property
    def models(self) -> list[str]:
        """The GPU models that have a price, of all tiers."""
        tiers = _node(self.listed, "gpus", "pricing")
        rows = tiers.values() if isinstance(tiers, Mapping) else ()
        return list(dict.fromkeys(str(model) for tier in rows if isinstance(tier, Mapping) for model in tier))

    def instance(self, row: Mapping[str, Any], rate: Billed | None) -> Decimal | None:
        """Answer what an instance costs per hour at a rate; None if that can't be told."""
        model = row.get("gpu_model") or row.get("gpu_type")
        price = self._price(_node(self.listed, "gpus", "pricing", str(row.get("tier")).lower(), model))
        return money.instance_hourly(rate, gpu_count=row.get("gpu_count"), price=price, currency=self.currency)

    def most_gpus(self, row: Mapping[str, Any]) -> Decimal | None:
        """Answer how many GPUs of its model an instance can have; None if the list doesn't say."""
        model = row.get("gpu_model") or row.get("gpu_type")
        most = amount(_node(self.listed, "gpus", "pricing", str(row.get("tier")).lower(), model, "max_count"))
        return most if most is not None and most >= 1 else None

    def volume(self, row: Mapping[str, Any]) -> Decimal | None:
        """Answer what a volume costs per hour: the list prices a type per TB (documented), read as 1000 GB."""
        node = _node(self.listed, "volumes", "pricing", str(row.get("tier")).lower(), row.get("volume_type"))
        return self._sized(node, row.get("size_gb"))

    def dearest_volume(self, *, tier: object, size_gb: object) -> Decimal | None:
        """Answer the most that a volume of this tier can cost per hour, where its type is not said."""
        types = _node(self.listed, "volumes", "pricing", str(tier).lower())
        prices = [self._sized(each, size_gb) for each in types.values()] if isinstance(types, Mapping) else []
        return max((price for price in prices if price is not None), default=None)

    def snapshot(self, row: Mapping[str, Any]) -> Decimal | None:
        """Answer what a snapshot costs per hour; without a size, what one of the price list's fixed size costs.

        The vendor's pages disagree on whether size counts; the price is taken for `fixed_size_gb`, in proportion.
        """
        node = _node(self.listed, "snapshots", "pricing", "legacy")
        price = self._price(node)
        fixed = amount(node.get("fixed_size_gb")) if isinstance(node, Mapping) else None
        size = amount(row.get("size_gb"))
        if price is None or not fixed or size is None:
            return price
        return price * size / fixed

    def burn(
        self,
        *,
        instances: Iterable[Mapping[str, Any]],
        volumes: Iterable[Mapping[str, Any]],
        snapshots: Iterable[Mapping[str, Any]],
    ) -> Burn:
        """Sum what all these cost per hour, each instance at the rate of the state it is in or on its way to."""
        rates = [
            *(self.instance(row, money.settled(row.get("status"))) for row in instances),
            *map(self.volume, volumes),
            *map(self.snapshot, snapshots),
        ]
        known = [rate for rate in rates if rate is not None]
        return Burn(sum(known, Decimal(0)), len(rates) - len(known))

    def _price(self, node: object) -> Decimal | None:
        price = amount(_node(node, "prices", self.currency))
        return price if price is not None and price >= 0 else None

    def _sized(self, node: object, size_gb: object) -> Decimal | None:
        """Price a size by a rate whose unit reads like `per TB per hour`; another unit is not guessed at."""
        price, size = self._price(node), amount(size_gb)
        words = str(_node(node, "unit") or "per TB per hour").casefold().split()
        per = next((_GB_PER_UNIT[word] for word in words if word in _GB_PER_UNIT), None)
        if price is None or size is None or size < 0 or per is None or "hour" not in words:
            return None
        return price * size / per


def _node(pricing: object, *steps: object) -> object:
    node = pricing
    for step in steps:
        if not isinstance(node, dict) or not isinstance(step, str) or step not in node:
            return None
        node = node[step]
    return node
