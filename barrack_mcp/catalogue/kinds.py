"""The kinds of things that an account holds: how they are named, read and called, and which of their fields matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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


_MINUTE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Usually:
    """How long something usually takes.

    Attributes:
        least: From how many seconds on it may be over.
        most: After how many seconds it seldom isn't.
    """

    least: int
    most: int

    @property
    def in_words(self) -> str:
        """The same for people: `3 to 10 minutes`."""
        first, last = self.least // _MINUTE_S, -(-self.most // _MINUTE_S)
        if last <= 1:
            return "within a minute"
        return f"within {last} minutes" if first < 1 else f"{first} to {last} minutes"


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
        rests: The states in which it stays until somebody changes it, each under all its names; none if it has no
            state.
        ways: The states in which it is on its way, each with how long that usually takes.
        bonds: The field that holds what it is attached to or has attached, each with a state of its own.
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
    rests: tuple[tuple[str, ...], ...] = ()
    ways: Mapping[str, Usually] = field(default_factory=dict)
    bonds: str = ""

    def names_of(self, state: str) -> tuple[str, ...]:
        """All names of a state in which it stays, that by which people know it first; else the one that it came by."""
        wanted = state.upper()
        return next((rest for rest in self.rests if wanted in (name.upper() for name in rest)), (state,))

    @property
    def plural(self) -> str:
        """Several of them, in words."""
        return f"{self.words}s"


_MADE: Final = Usually(20, 60)
"""How long it takes to put up what is small, or to attach it."""
_COMPLETE: Final = (("available", "SUCCESS", "complete", "completed"),)
"""The one state in which a copy of a disk stays."""
_BONDS: Final = {"ATTACHING": _MADE, "DETACHING": _MADE}

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
    rests=(("ACTIVE",), ("SHUTOFF",), ("HIBERNATED",), ("DELETED",)),
    ways={
        "CREATING": Usually(180, 600),
        "BUILD": Usually(180, 600),
        "STARTING": Usually(30, 60),
        "STOPPING": Usually(30, 60),
        "REBOOTING": Usually(30, 120),
        "HIBERNATING": Usually(60, 120),
        "RESTORING": Usually(120, 300),
        "DELETING": Usually(20, 60),
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
    rests=(("available",), ("in-use", "attached")),
    ways={"CREATING": _MADE, **_BONDS},
    bonds="attachment",
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
    rests=_COMPLETE,
    ways={"CREATING": Usually(120, 600)},
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
    rests=_COMPLETE,
    ways={"CREATING": Usually(90, 600)},
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
    rests=(("SUCCESS",),),
    ways={"CREATING": _MADE, **_BONDS},
    bonds="attachments",
)

KINDS: Final = (INSTANCE, KEY, VOLUME, SCRIPT, SNAPSHOT, IMAGE, FIREWALL)
"""All of them, in the catalogue's order. Rules have no names and no tools of their own, so they are no kind."""

SEVERAL: Final[Mapping[str, Kind]] = MappingProxyType({"add": INSTANCE, "remove": INSTANCE})
"""Arguments of ours that name several things, and not by their kind: whom a firewall gains and loses."""

BY_ARGUMENT: Final[Mapping[str, Kind]] = MappingProxyType(
    {name: kind for kind in KINDS for name in kind.arguments} | {"like": INSTANCE}
)


def kind_named_by(argument: str) -> Kind | None:
    """Answer the kind of thing that an argument names, be it one or several; None if it names none."""
    return SEVERAL.get(argument) or BY_ARGUMENT.get(argument.removesuffix("s"))


def kind_told_by(arguments: Mapping[str, object]) -> Kind | None:
    """Answer the kind of thing that `id` names, which `resource` beside it tells; None if it tells none."""
    told = str(arguments.get("resource")).strip().casefold()
    return next((kind for kind in KINDS if kind.type == told), None)
