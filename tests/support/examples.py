"""Good and bad arguments for every operation, made from its own schema and from what the simulator holds.

A new operation is covered without a word here, as long as its arguments bear the names that others bear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.models import BLANK_COUNTS
from barrack_mcp.catalogue.schema import arguments_schema

State = dict[str, Any]

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF7sDcQZqoM3v3JfAm/anHjByxxkLur/nW4REvN3g+lC someone"
UNKNOWN_ID = "BRK-999999X"


def first(things: list[JsonObject], **wanted: Any) -> JsonObject:
    return next(thing for thing in things if all(thing.get(name) == value for name, value in wanted.items()))


def active(state: State) -> JsonObject:
    """A running machine of the legacy tier that has a volume."""
    return next(
        instance
        for instance in state["instances"]
        if instance["status"] == "ACTIVE" and instance["tier"] == "legacy" and instance["volume_attachments"]
    )


def free_volume(state: State, **wanted: Any) -> JsonObject:
    return first(state["volumes"], instance_id=None, **wanted)


def advanced_volume(state: State) -> JsonObject:
    return first(state["volumes"], tier="advanced")


def imageless_snapshot(state: State) -> JsonObject:
    return first(state["snapshots"], image_id=None)


def unused_key(state: State) -> JsonObject:
    """A key that no running machine uses."""
    running = [instance for instance in state["instances"] if instance["status"] == "ACTIVE"]
    used = {key["id"] for instance in running for key in instance["ssh_keys"]}
    return next(key for key in state["ssh_keys"] if key["id"] not in used)


BY_NAME: dict[str, Callable[[State], Any]] = {
    "instance_id": lambda state: active(state)["instance_id"],
    "instance_ids": lambda state: [first(state["instances"], status="ACTIVE", region="CANADA-1")["instance_id"]],
    "volume_id": lambda state: free_volume(state)["volume_id"],
    "volume_ids": lambda state: [free_volume(state, region=active(state)["region"])["volume_id"]],
    "snapshot_id": lambda state: imageless_snapshot(state)["snapshot_id"],
    "snapshot_ids": lambda state: [snapshot["snapshot_id"] for snapshot in state["snapshots"]],
    "image_id": lambda state: state["images"][0]["image_id"],
    "firewall_id": lambda state: first(state["firewalls"], region="CANADA-1")["id"],
    "key_id": lambda state: state["ssh_keys"][0]["id"],
    "ssh_key_ids": lambda state: [state["ssh_keys"][0]["id"]],
    "script_id": lambda state: state["scripts"][0]["id"],
    "script_ids": lambda state: [script["id"] for script in state["scripts"]],
    "startup_script_id": lambda state: state["scripts"][0]["id"],
    "rule_id": lambda state: active(state)["security_rules"][0]["id"],
    "region": lambda state: active(state)["region"],
    "gpu_model": lambda _: "RTX-A6000",
    "gpu_count": lambda _: 1,
    "os_image": lambda state: active(state)["image"]["name"],
    "remote_ip_prefix": lambda _: "203.0.113.0/24",
    "protocol": lambda _: "tcp",
    "port_range_min": lambda _: 8000,
    "port_range_max": lambda _: 8010,
    "name": lambda _: "fresh-1",
    "script": lambda _: "#!/bin/sh\necho ready\n",
    "public_key": lambda _: PUBLIC_KEY,
    "boot_source": lambda _: "os_image",
    "size_gb": lambda _: 500,
    "status": lambda _: "ACTIVE",
}

BY_TOOL: dict[str, dict[str, Callable[[State], Any]]] = {
    "attach_firewall": {"instance_ids": BY_NAME["instance_ids"]},
    "deploy_instance": {
        **{
            name: BY_NAME[name]
            for name in ("os_image", "region", "gpu_model", "gpu_count", "boot_source", "ssh_key_ids")
        },
        "tier": lambda _: "legacy",
    },
    "start_instance": {"instance_id": lambda state: first(state["instances"], status="SHUTOFF")["instance_id"]},
    "restore_instance": {"instance_id": lambda state: first(state["instances"], status="HIBERNATED")["instance_id"]},
    "delete_ssh_key": {"key_id": lambda state: unused_key(state)["id"]},
    "create_ssh_key": {"public_key": BY_NAME["public_key"]},
    "clone_volume": {"volume_id": lambda state: advanced_volume(state)["volume_id"]},
    "resize_volume": {
        "volume_id": lambda state: advanced_volume(state)["volume_id"],
        "size_gb": lambda state: advanced_volume(state)["size_gb"] + 100,
    },
    "detach_volumes": {"volume_ids": lambda state: [active(state)["volume_attachments"][0]["volume_id"]]},
    "update_startup_script": {"name": lambda _: "renamed"},
    "remove_firewall_rule": {
        "rule_id": lambda state: first(state["firewalls"], region="CANADA-1")["rules"][0]["id"],
    },
    "delete_firewall": {"firewall_id": lambda state: first(state["firewalls"], attachments=[])["id"]},
    "restore_snapshot": {"snapshot_id": lambda state: state["snapshots"][0]["snapshot_id"]},
}
"""Where an operation wants a thing in another state, or an optional argument that its rules require."""


def good(operation: Operation, state: State) -> JsonObject:
    """Arguments with which the operation succeeds on the simulator's scenario `small`."""
    special = BY_TOOL.get(operation.tool, {})
    schema = arguments_schema(operation.arguments)
    names = [*schema.get("required", []), *(name for name in special if name not in schema.get("required", []))]
    return {name: _value(schema["properties"][name], special.get(name) or BY_NAME.get(name), state) for name in names}


def _value(schema: JsonObject, resolve: Callable[[State], Any] | None, state: State) -> Any:
    if resolve is not None:
        return resolve(state)
    return (
        schema["enum"][0]
        if "enum" in schema
        else {"boolean": True, "integer": schema.get("minimum", 1)}[schema["type"]]
    )


def required(operation: Operation) -> list[str]:
    return list(arguments_schema(operation.arguments).get("required", []))


def out_of_range(operation: Operation) -> Iterator[tuple[str, Any]]:
    """For every argument, values that no operation accepts; an empty one only where leaving out is not the same."""
    properties = arguments_schema(operation.arguments)["properties"]
    yield from ((name, "") for name, schema in properties.items() if _blank_counts(operation, name, schema))
    for name, schema in properties.items():
        match schema["type"]:
            case "integer":
                above = (schema["maximum"] + 1,) if "maximum" in schema else ()
                yield from (
                    (name, value)
                    for value in (
                        schema.get("minimum", 1) - 1,
                        *above,
                        1.5,
                        "1.5",
                        "one",
                        "0x1",
                        "1e2",
                        "\u0661",
                        True,
                        "- 1",
                    )
                )
            case "boolean":
                yield from ((name, value) for value in ("yes", "1", "on", 1, 0, 2))
            case "array":
                yield from ((name, value) for value in (7, "no array", [True], [1.5], ["a/b"], [None]))
            case "object":
                yield from ((name, value) for value in (7, "no object", {"unheard": 1}))
            case "string":
                yield name, True
                yield name, ["a"]
                yield name, 1.5
                if "enum" in schema:
                    yield from ((name, value) for value in ("unheard", f"{schema['enum'][0]}s"))
                elif name.endswith("_id"):
                    yield from ((name, value) for value in (".", "..", "a/b", "a b", "billing", "x" * 65, "é"))
                elif "maxLength" in schema:
                    yield name, "x" * (schema["maxLength"] + 1)


def _blank_counts(operation: Operation, name: str, schema: JsonObject) -> bool:
    """Whether an empty text is no value of an argument and doesn't stand for its absence either."""
    info = operation.arguments.model_fields[name]
    marks = info.json_schema_extra
    counts = info.is_required() or (isinstance(marks, dict) and BLANK_COUNTS in marks)
    return counts and (schema["type"] != "string" or "enum" in schema or name.endswith("_id"))
