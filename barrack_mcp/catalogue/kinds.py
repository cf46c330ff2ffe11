"""The kinds of things that an account holds: how they are named, read and called, and which of their fields matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of thing.

    Attributes:
        type: Its one word in a plan.
        words: The same for people.
        page: Several of them, as in the address of a resource.
        arguments: Those that name one such thing, its own in a path first; one that names several ends in `s`.
        list_tool: The tool that lists them.
        get_tool: The tool that shows one.
        ids: The fields of a row that may hold the id, best first.
        names: The same for the name.
        facts: Fields that a person agrees to, each with the parts of it that count; none given, all of it does.
    """

    type: str
    words: str
    page: str
    arguments: tuple[str, ...]
    list_tool: str
    get_tool: str
    ids: tuple[str, ...]
    names: tuple[str, ...]
    facts: Mapping[str, tuple[str, ...]]

    @property
    def plural(self) -> str:
        """Several of them, in words."""
        return f"{self.words}s"


INSTANCE: Final = Kind(
    type="instance",
    words="instance",
    page="instances",
    arguments=("instance_id",),
    list_tool="list_instances",
    get_tool="get_instance",
    ids=("instance_id", "id"),
    names=("vm_name", "name"),
    facts={
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

KEY: Final = Kind(
    type="ssh_key",
    words="SSH key",
    page="ssh-keys",
    arguments=("key_id", "ssh_key_id"),
    list_tool="list_ssh_keys",
    get_tool="get_ssh_key",
    ids=("id",),
    names=("name",),
    facts=dict.fromkeys(("public_key", "fingerprint"), ()),
)

VOLUME: Final = Kind(
    type="volume",
    words="volume",
    page="volumes",
    arguments=("volume_id",),
    list_tool="list_volumes",
    get_tool="get_volume",
    ids=("volume_id", "id"),
    names=("volume_name", "name"),
    facts=dict.fromkeys(("status", "size_gb", "volume_type", "tier", "region", "bootable", "instance_id"), ()),
)

SCRIPT: Final = Kind(
    type="script",
    words="startup script",
    page="startup-scripts",
    arguments=("script_id", "startup_script_id"),
    list_tool="list_startup_scripts",
    get_tool="get_startup_script",
    ids=("id", "script_id"),
    names=("name",),
    facts={"script": ()},
)

SNAPSHOT: Final = Kind(
    type="snapshot",
    words="snapshot",
    page="snapshots",
    arguments=("snapshot_id",),
    list_tool="list_snapshots",
    get_tool="get_snapshot",
    ids=("snapshot_id", "id"),
    names=("snapshot_name", "name"),
    facts=dict.fromkeys(("status", "size_gb", "region", "tier", "instance_id", "has_image", "image_id"), ()),
)

IMAGE: Final = Kind(
    type="image",
    words="custom image",
    # OS images have no page each, so the plain word is free
    page="images",
    arguments=("image_id",),
    list_tool="list_custom_images",
    get_tool="get_custom_image",
    ids=("image_id", "id"),
    names=("name",),
    facts=dict.fromkeys(("status", "size", "region", "snapshot_id"), ()),
)

FIREWALL: Final = Kind(
    type="firewall",
    words="firewall",
    page="firewalls",
    arguments=("firewall_id",),
    list_tool="list_firewalls",
    get_tool="get_firewall",
    ids=("id", "firewall_id"),
    names=("name",),
    facts={"status": (), "region": (), "rules": _RULE},
)

KINDS: Final = (INSTANCE, KEY, VOLUME, SCRIPT, SNAPSHOT, IMAGE, FIREWALL)
"""All of them, in the catalogue's order. Rules have no names and no tools of their own, so they are no kind."""

SEVERAL: Final[Mapping[str, Kind]] = MappingProxyType({"add": INSTANCE, "remove": INSTANCE})
"""Arguments of ours that name several things, and not by their kind: whom a firewall gains and loses."""

BY_ARGUMENT: Final[Mapping[str, Kind]] = MappingProxyType({name: kind for kind in KINDS for name in kind.arguments})


def kind_named_by(argument: str) -> Kind | None:
    """Answer the kind of thing that an argument names, be it one or several; None if it names none."""
    return SEVERAL.get(argument) or BY_ARGUMENT.get(argument.removesuffix("s"))
