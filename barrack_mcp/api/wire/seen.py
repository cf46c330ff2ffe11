"""What has been seen to work: kept as JSON by the API's address, good only while method and path are the same."""

from __future__ import annotations

import json
from typing import Any

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.catalogue import BY_TOOL, JsonObject


def remembered(raw: bytes, url: str, contract: Contract) -> frozenset[str]:
    """Which tools a record says have worked at this address, by the method and path that the contract has now.

    Args:
        raw: The record as `noted` wrote it; what can't be read counts as empty.
        url: The API's base URL.
        contract: The contract in force.
    """
    worked = _record(raw).get(url)
    if not isinstance(worked, dict):
        return frozenset()
    known = ((tool, contract.for_(BY_TOOL[tool])) for tool in worked if tool in BY_TOOL)
    return frozenset(tool for tool, wire in known if worked[tool] == wire.asked)


def noted(raw: bytes, url: str, contract: Contract) -> bytes:
    """Write the record anew, with what the contract has seen to work at this address."""
    record = _record(raw)
    before: Any = record.get(url)
    worked = dict(before) if isinstance(before, dict) else {}
    worked |= {tool: contract.for_(BY_TOOL[tool]).asked for tool in contract.seen if tool in BY_TOOL}
    return (json.dumps({**record, url: worked}, indent=2, sort_keys=True) + "\n").encode()


def _record(raw: bytes) -> JsonObject:
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
