"""The kinds of things that an account holds: their words, and where their rows keep what matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_RULE: Final = (
    "id",
    "direction",
    "ethertype",
    "protocol",
    "remote_ip_prefix",
    "port_range_min",
    "port_range_max",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing: its words, and where its rows keep what matters."""

    type: str
    words: str
    ids: tuple[str, ...]
    names: tuple[str, ...]
    facts: Mapping[str, tuple[str, ...]]
    """Fields that a person agrees to, each with the parts of it that count; none given, all of it does."""


INSTANCE: Final = Kind(
    "instance",
    "instance",
    ("instance_id", "id"),
    ("vm_name", "name"),
    {
        "status": (),
        "gpu_type": (),
        "gpu_count": (),
        "region": (),
        "tier": (),
        "public_ip": (),
        "image": ("name", "image_id", "id"),
        "volume_attachments": ("volume_id", "size_gb"),
        "security_rules": _RULE,
    },
)


VOLUME: Final = Kind(
    "volume",
    "volume",
    ("volume_id", "id"),
    ("volume_name", "name"),
    dict.fromkeys(("status", "size_gb", "volume_type", "tier", "region", "bootable", "instance_id"), ()),
)


SNAPSHOT: Final = Kind(
    "snapshot",
    "snapshot",
    ("snapshot_id", "id"),
    ("snapshot_name", "name"),
    dict.fromkeys(("status", "size_gb", "region", "tier", "instance_id", "has_image", "image_id"), ()),
)


IMAGE: Final = Kind(
    "image",
    "custom image",
    ("image_id", "id"),
    ("name",),
    dict.fromkeys(("status", "size", "region", "snapshot_id"), ()),
)


FIREWALL: Final = Kind(
    "firewall",
    "firewall",
    ("id", "firewall_id"),
    ("name",),
    {"status": (), "region": (), "rules": _RULE},
)


KEY: Final = Kind("ssh_key", "SSH key", ("id",), ("name",), dict.fromkeys(("public_key", "fingerprint"), ()))


SCRIPT: Final = Kind("script", "startup script", ("id", "script_id"), ("name",), {"script": ()})
