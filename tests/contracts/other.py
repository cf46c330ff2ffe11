"""Another Barrack, deliberately different by rule: other paths, methods, names, values, roots, paging and key header.

It stands before a simulator and translates, by a table of its own; of the product it uses nothing but the catalogue's
document, to write one that says how *it* speaks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.running import KEY

Json = dict[str, Any]

HEADER = "X-API-Key"

ENTRIES: list[Json] = json.loads(
    (Path(__file__).parents[1] / "contract" / "operations.json").read_text(encoding="utf-8")
)
"""The operations as the contract has them."""

WORDS = {
    "instances": "servers",
    "volumes": "disks",
    "snapshots": "backups",
    "firewalls": "security-groups",
    "scripts": "recipes",
    "images": "templates",
    "os-images": "operating-systems",
    "ssh-keys": "access-keys",
    "regions": "locations",
    "pricing": "price-list",
    "balance": "account/credits",
    "gpu-stocks": "gpus/availability",
    "gpu-specs": "gpus/specifications",
    "billing": "costs",
    "types": "kinds",
    "for-snapshot": "candidates",
    "security-rules": "rules",
    "start": "actions/power-on",
    "stop": "actions/shutdown",
    "reboot": "actions/restart",
    "hibernate": "actions/suspend",
    "restore": "actions/resume",
    "toggle-public-ip": "actions/flip-ip",
    "attach-volumes": "disks",
    "detach-volumes": "disks",
    "clone": "copies",
    "attach": "servers",
    "image-relationship": "template",
    "image-relationships": "templates",
}
"""What it calls the segments of a path; what is no thing and no action here has no segment there."""
NO_SEGMENT = {"", "add", "create", "delete", "deploy", "resize", "bulk-delete"}
METHODS = {
    "reboot_instance": "PUT",
    "toggle_instance_public_ip": "PATCH",
    "detach_volumes": "DELETE",
    "resize_volume": "PATCH",
    "update_startup_script": "PATCH",
    "bulk_delete_startup_scripts": "DELETE",
    "attach_firewall": "PUT",
}
"""Its own methods; two of them delete with a body."""
BODY_OF_DELETE = ("detach_volumes", "bulk_delete_startup_scripts")
WITHOUT_ID = {"create_custom_image": "/templates", "add_firewall_rule": "/security-groups/rules"}
"""Where the body holds the id that our path holds."""


def _place(entry: Json) -> tuple[str, str]:
    segments = [part for part in entry["path"].split("/") if part not in NO_SEGMENT]
    path = "/" + "/".join(WORDS.get(part, part) for part in segments)
    tool, method = str(entry["tool"]), str(entry["method"])
    return METHODS.get(tool, method), WITHOUT_ID.get(tool, path)


PATHS = {entry["tool"]: _place(entry) for entry in ENTRIES}
"""Where it answers each operation."""

ROOTS = {
    "instances": "servers",
    "instance": "server",
    "volumes": "disks",
    "volume": "disk",
    "scripts": "recipes",
    "script": "recipe",
    "snapshots": "backups",
    "snapshot": "backup",
    "firewalls": "security_groups",
    "firewall": "security_group",
    "regions": "locations",
    "records": "charges",
    "specs": "specifications",
    "stocks": "stock_items",
    "balance": "credit",
    "pricing_data": "prices",
    "relationships": "pairs",
    "data": "created",
    "rule": "new_rule",
}
"""The root of an answer's result, which sits inside `data`."""

POSITION = {"total": "total_count", "page": "current_page", "limit": "page_size", "total_pages": "page_count"}
"""Where a page says which it is, inside `meta`."""

ALIKE = {
    "instance_id": "server_id",
    "instance_ids": "server_ids",
    "vm_name": "server_name",
    "region": "location",
    "volume_id": "disk_id",
    "volume_ids": "disk_ids",
    "volume_type": "disk_type",
    "volume_name": "disk_name",
    "snapshot_id": "backup_id",
    "snapshot_ids": "backup_ids",
    "snapshot_name": "backup_name",
    "firewall_id": "security_group_id",
    "size_gb": "capacity_gb",
    "gpu_count": "number_of_gpus",
    "remote_ip_prefix": "remote_cidr",
    "port_range_min": "port_min",
    "port_range_max": "port_max",
    "created_at": "created_on",
    "status": "state",
    "boot_source": "boot_from",
    "os_volume": "os_disk",
    "page": "page_number",
    "limit": "per_page",
    "gpu_type": "gpu_model",
}
"""Names that a person, or a comparison, can recognise."""

UNLIKE = {
    **ALIKE,
    "region": "dc",
    "size_gb": "extent",
    "vm_name": "moniker",
    "instance_id": "ref",
    "tier": "grade",
    "deleted_ids": "removed_ids",
    "gpu_count": "cards",
    "remote_ip_prefix": "peer",
    "volume_type": "medium",
    "status": "mood",
}
"""Names that only a person can."""

ALIKE_VALUES: dict[str, dict[str, Any]] = {
    "tier": {"legacy": "legacy_tier", "advanced": "advanced_tier"},
    "direction": {"ingress": "inbound", "egress": "outbound"},
    "boot_source": {"os_image": "os-image", "custom_image": "custom-image"},
    "volume_type": {"SSD": "ssd_disk", "HDD": "hdd_disk", "NVMe": "nvme_disk"},
    "status": {"ACTIVE": "running", "SHUTOFF": "stopped", "HIBERNATED": "hibernated"},
}
UNLIKE_VALUES: dict[str, dict[str, Any]] = {
    "tier": {"legacy": "A", "advanced": "B"},
    "direction": {"ingress": "from-outside", "egress": "to-outside"},
    "boot_source": {"os_image": 1, "volume": 2, "custom_image": 3},
    "volume_type": {"SSD": "flash", "HDD": "disc", "NVMe": "lane"},
    "status": {"ACTIVE": "busy", "SHUTOFF": "idle", "HIBERNATED": "cold"},
}


@dataclass
class Other:
    """The other Barrack, as an application."""

    simulator: ASGIApp
    operations: list[Json]
    """The contract: tool, method, path, result."""
    names: dict[str, str] = field(default_factory=lambda: ALIKE)
    values: dict[str, dict[str, Any]] = field(default_factory=lambda: ALIKE_VALUES)
    key: str = KEY
    document: Json | None = None
    """What it says of itself under /openapi.json, to anybody."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call in this dialect."""
        raw, more = b"", True
        while more:
            message = await receive()
            raw, more = raw + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        path = scope["raw_path"].decode().removeprefix("/api")
        found = self._find(scope["method"], path)
        if path == "/openapi.json" and self.document is not None:
            await _answer(send, 200, self.document)
        elif found is None:
            await _answer(send, 404, {"detail": "Not found."})
        elif headers.get(HEADER.lower()) != self.key:
            await _answer(send, 401, {"detail": "No key."})
        else:
            await self._pass_on(*found, scope, raw, send)

    def _find(self, method: str, path: str) -> tuple[Json, dict[str, str]] | None:
        # a fixed segment wins over a placeholder
        for entry in sorted(self.operations, key=lambda entry: PATHS[entry["tool"]][1].count("{")):
            verb, template = PATHS[entry["tool"]]
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
            hit = re.fullmatch(pattern, path)
            if verb == method and hit:
                return entry, hit.groupdict()
        return None

    async def _pass_on(self, entry: Json, places: dict[str, str], scope: Scope, raw: bytes, send: Send) -> None:
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        body = json.loads(raw) if raw else None
        if strange := [name for name in (*query, *(body or {})) if self._is_ours(name)]:
            await _answer(send, 400, {name: ["Unknown field."] for name in strange})
            return
        given = self._ours({**query, **(body or {})})
        for name in re.findall(r"\{(\w+)\}", entry["path"]):
            places.setdefault(name, str(given.pop(name, "")))
        path = entry["path"].format_map({name: quote(value, safe="") for name, value in places.items()})
        reads = entry["method"] in ("GET", "DELETE")
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.simulator)) as http:
            answer = await http.request(
                entry["method"],
                f"http://127.0.0.1/api{path}" + (f"?{urlencode(given)}" if reads and given else ""),
                json=None if reads or not given else given,
                headers={"Authorization": f"Bearer {self.key}"},
            )
        told = answer.json()
        await _answer(send, answer.status_code, self._wrapped(entry, told) if answer.is_success else told)

    def _is_ours(self, name: str) -> bool:
        """Whether this dialect has another name for it."""
        return self.names.get(name, name) != name and name not in self.names.values()

    def _ours(self, value: Any) -> Any:
        back = {theirs: ours for ours, theirs in self.names.items() if ours != "gpu_type"}
        tables = {name: {str(theirs): ours for ours, theirs in table.items()} for name, table in self.values.items()}
        return _walked(value, lambda name: (back.get(name, name), tables.get(back.get(name, name), {})))

    def _theirs(self, value: Any) -> Any:
        return _walked(value, lambda name: (self.names.get(name, name), self.values.get(name, {})))

    def _wrapped(self, entry: Json, told: Json) -> Json:
        meta = {POSITION[name]: told.pop(name) for name in POSITION if name in told}
        top: Json = {name: told.pop(name) for name in ("success", "message", "request_id") if name in told}
        root = re.split(r"\W", entry["result"])[0]
        data: Json = {}
        for name, inner in told.items():
            ((new, content),) = self._theirs({name: inner}).items()
            data[ROOTS.get(name, new) if name == root else new] = content
        return {**top, "data": data, **({"meta": meta} if meta else {})}


def _walked(value: Any, translate: Callable[[str], tuple[str, dict[str, Any]]]) -> Any:
    if isinstance(value, list):
        return [_walked(item, translate) for item in value]
    if not isinstance(value, dict):
        return value
    walked = {}
    for name, inner in value.items():
        new, table = translate(name)
        walked[new] = _walked(inner, translate) if isinstance(inner, dict | list) else table.get(str(inner), inner)
    return walked


async def _answer(send: Send, status: int, body: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
