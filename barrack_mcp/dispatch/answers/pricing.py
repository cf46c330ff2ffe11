"""The price list: recalled for what is told beside an answer; cut to what was asked for, as the API sends it all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import anyio

from barrack_mcp.account.account import Account
from barrack_mcp.account.prices import Prices
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import JsonObject, Operation

AWAITED_S: Final = 2.0
"""Time to find out what things cost, beside what was asked for."""

_log = logging.getLogger(__name__)
_KINDS: Final = ("gpus", "volumes", "snapshots")
_ABOUT: Final = {"gpu_model": "gpus", "gpu_count": "gpus", "volume_type": "volumes", "volume_size_gb": "volumes"}
"""The part of the list that an argument is about."""


async def recall_prices(account: Account, currency: str) -> Prices:
    """The price list; empty if it can't be read soon."""
    return Prices((await recall_soon(account, "get_pricing")).get("pricing_data") or {}, currency)


async def recall_soon(account: Account, tool: str) -> JsonObject:
    """What seldom changes; empty if it can't be read soon, since it is but an addition."""
    with anyio.move_on_after(AWAITED_S):
        try:
            return await account.recall(tool, {})
        except ApiError as error:
            _log.info("%s could not be read: %s", tool, error.failure)
    return {}


def cut_prices(operation: Operation, values: Mapping[str, Any], data: JsonObject) -> None:
    """Leave in a price list what a call asked for, if it asked for something; changed in place.

    Args:
        operation: What was read; all but price lists stay as they are.
        values: The arguments of the call.
        data: Its typed answer.
    """
    listed = data.get("pricing_data")
    if operation.request.__name__ != "PricingRequest" or not values or not isinstance(listed, dict):
        return
    about = {_ABOUT[name] for name in _ABOUT if name in values}
    kinds = {values["resource_type"]} if "resource_type" in values else about or {*_KINDS}
    left: JsonObject = {}
    for kind, part in listed.items():
        if kind in kinds and isinstance(part, dict):
            left[kind] = {**part, "pricing": _pricing(kind, part.get("pricing"), values)}
        elif kind not in _KINDS and kind != "metadata":
            left[kind] = part
    data["pricing_data"] = left


def _pricing(kind: str, tiers: object, values: Mapping[str, Any]) -> JsonObject:
    """The prices of one kind, by tier and model or type, as far as they are asked for."""
    wanted = {"gpus": values.get("gpu_model"), "volumes": values.get("volume_type")}.get(kind)
    found = _part(tiers, lambda tier: values.get("tier") in (None, tier.lower()))
    if kind != "snapshots" and wanted is not None:
        found = {tier: models for tier, rows in found.items() if (models := _part(rows, lambda name: name == wanted))}
    told: JsonObject = _in_currency(found, values.get("currency"))
    return told


def _part(node: object, fits: Callable[[str], bool]) -> JsonObject:
    return {name: part for name, part in node.items() if fits(str(name))} if isinstance(node, dict) else {}


def _in_currency(node: Any, currency: str | None) -> Any:
    if not isinstance(node, dict) or currency is None:
        return node
    return {
        name: {currency: part[currency]}
        if name == "prices" and isinstance(part, dict) and currency in part
        else _in_currency(part, currency)
        for name, part in node.items()
    }
