"""How a test bends what the API answers on its way to a plan: fields of a thing, the rows of a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from barrack_mcp.catalogue import JsonObject
from tests.plans.asking import Bend

ARCHIVE, TRAIN, TRAIN_2, NOTEBOOK, INFER = "BRK-103320D", "BRK-103339D", "BRK-103342D", "BRK-103350D", "BRK-103368D"
DATASETS, CHECKPOINTS, MODELS, COLD = "BRK-103386V", "BRK-103402V", "BRK-103422V", "BRK-103424V"
TRAIN_BASE, UPGRADE = "BRK-103428S", "BRK-103448S"
GOLDEN = "BRK-103461I"
OFFICE, BATCH = "FW-103463", "FW-103471"
LAPTOP, CI = "KEY-103232", "KEY-103235"
DOCKER, SCRATCH = "SCR-103240", "SCR-103250"
NORWAY, CANADA, FINLAND = "NORWAY-1", "CANADA-1", "FIN-01"


def with_instance(**fields: Any) -> dict[str, Bend]:
    return {"get_instance": lambda answer: answer["instance"].update(fields)}


def with_volume(**fields: Any) -> dict[str, Bend]:
    return {"get_volume": lambda answer: answer["volume"].update(fields)}


def with_snapshot(**fields: Any) -> dict[str, Bend]:
    return {"get_snapshot": lambda answer: answer["snapshot"].update(fields)}


def with_image(**fields: Any) -> dict[str, Bend]:
    return {"get_custom_image": lambda answer: answer["image"].update(fields)}


def with_firewall(**fields: Any) -> dict[str, Bend]:
    return {"get_firewall": lambda answer: answer["firewall"].update(fields)}


def with_key(**fields: Any) -> dict[str, Bend]:
    return {"get_ssh_key": lambda answer: answer["ssh_key"].update(fields)}


def with_script(**fields: Any) -> dict[str, Bend]:
    return {"get_startup_script": lambda answer: answer["script"].update(fields)}


def with_rows(tool: str, result: str, *rows: JsonObject) -> dict[str, Bend]:
    """A list that holds these rows alone."""
    return {tool: lambda answer: answer.update({result: list(rows), "total": len(rows)})}


def with_each(tool: str, result: str, **fields: Any) -> dict[str, Bend]:
    """A list all of whose rows have these fields."""

    def change(answer: JsonObject) -> None:
        for row in answer[result]:
            row.update(fields)

    return {tool: change}


def with_one(tool: str, result: str, at: str, **fields: Any) -> dict[str, Bend]:
    """A list in which the row of one thing has these fields."""

    def change(answer: JsonObject) -> None:
        for row in answer[result]:
            if at in row.values():
                row.update(fields)

    return {tool: change}


def cut(tool: str) -> dict[str, Bend]:
    """A list that says that there are more rows than ever come."""
    return {tool: lambda answer: answer.update(total=99)}


def some(number: int, make: Callable[[int], JsonObject]) -> list[JsonObject]:
    """So many rows."""
    return [make(at) for at in range(number)]


def rule(prefix: str, low: int | None, high: int | None, at: str = "1", **more: Any) -> JsonObject:
    return {
        "id": at,
        "direction": "ingress",
        "ethertype": "IPv6" if ":" in prefix else "IPv4",
        "protocol": "tcp",
        "remote_ip_prefix": prefix,
        "port_range_min": low,
        "port_range_max": high,
        **more,
    }


SSH = rule("0.0.0.0/0", 22, 22)
WEB = rule("0.0.0.0/0", 80, 443)
NARROW = rule("198.51.100.7/32", 8080, 8080)
OUT = rule("0.0.0.0/0", 443, 443, direction="egress")
