"""The names an operation has on our side: its arguments and the fields of its answer, nested ones with dots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, TypeAlias, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from barrack_mcp.catalogue import Operation
from barrack_mcp.catalogue.answers.machines import Machine, VMVolumeAttachment
from barrack_mcp.catalogue.operations.deploy import DeploymentData
from barrack_mcp.catalogue.operations.firewalls import (
    FirewallAttachment,
    FirewallInstance,
    FirewallResponse,
    FirewallVM,
)
from barrack_mcp.catalogue.operations.images import Image
from barrack_mcp.catalogue.operations.instances import (
    AttachedFirewall,
    InstanceReceipt,
    ListInstancesQuery,
    SnapshotVMResponse,
)
from barrack_mcp.catalogue.operations.snapshots import RestoreSnapshotData, Snapshot
from barrack_mcp.catalogue.operations.volumes import VolumeResponse
from barrack_mcp.catalogue.rules import Rule

JsonValue: TypeAlias = Any
"""Whatever JSON can say."""

_DEEPEST: Final = 8

STATES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "instance": (
            *("ACTIVE", "SHUTOFF", "HIBERNATED", "DELETED", "ERROR", "UNKNOWN"),
            *("CREATING", "BUILD", "STARTING", "STOPPING", "HIBERNATING", "RESTORING", "REBOOTING", "DELETING"),
        ),
        "volume": ("creating", "available", "in-use", "attached", "error"),
        "snapshot": ("creating", "SUCCESS", "available", "error"),
        "image": ("creating", "SUCCESS", "available", "error"),
        "firewall": ("CREATING", "SUCCESS", "ERROR"),
        "attachment": ("ATTACHING", "SUCCESS", "ERROR"),
        "rule": ("CREATING", "SUCCESS", "ERROR"),
    }
)
"""The states that we know, by kind of thing; a state that is none of them counts as one on the way."""

_KINDS: Final[tuple[tuple[str, tuple[type[BaseModel], ...]], ...]] = (
    ("attachment", (VMVolumeAttachment, FirewallAttachment, AttachedFirewall)),
    (
        "instance",
        (
            *(Machine, DeploymentData, InstanceReceipt, FirewallVM, FirewallInstance, SnapshotVMResponse),
            *(RestoreSnapshotData, ListInstancesQuery),
        ),
    ),
    ("volume", (VolumeResponse,)),
    ("snapshot", (Snapshot,)),
    ("image", (Image,)),
    ("firewall", (FirewallResponse,)),
    ("rule", (Rule,)),
)

__all__ = ["STATES", "JsonValue", "answer_places", "model_of", "request_places", "status_kinds"]


def model_of(annotation: Any) -> type[BaseModel] | None:
    """Find the model inside an optional, a list or a map of it; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        if (found := model_of(part)) is not None:
            return found
    return None


def _walk(model: type[BaseModel], before: str, depth: int) -> Iterator[tuple[str, type[BaseModel], FieldInfo]]:
    for name, info in model.model_fields.items():
        yield before + name, model, info
        inner = model_of(info.annotation)
        if inner is not None and depth < _DEEPEST:
            yield from _walk(inner, f"{before}{name}.", depth + 1)


@cache
def _places(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    return MappingProxyType({path: info for path, _, info in _walk(model, "", 0)})


def request_places(operation: Operation) -> Mapping[str, FieldInfo]:
    """An operation's arguments by name; `security_rules.protocol` is a field of each row of `security_rules`."""
    return _places(operation.arguments)


def answer_places(operation: Operation) -> Mapping[str, FieldInfo]:
    """The fields of an operation's answer by name; `instances.status` is a field of each row of `instances`."""
    return _places(operation.response)


@cache
def status_kinds(model: type[BaseModel]) -> Mapping[str, str]:
    """Which fields of a model, at any depth, hold a state, and of what kind of thing."""
    found = {}
    for path, owner, _ in _walk(model, "", 0):
        name = path.rpartition(".")[2]
        kind = next((kind for kind, models in _KINDS if issubclass(owner, models)), None)
        if name == "status" and kind is not None:
            found[path] = kind
    return MappingProxyType(found)
