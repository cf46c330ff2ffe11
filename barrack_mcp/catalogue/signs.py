"""How a write shows once it took place: where to look, what is there that was not before, where it leads. Pure data.

Each sign names the `arguments` of the write that it is judged by, and the `fields` in which what was read shows it, so
that a declaration whose pieces don't fit together is found when it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from barrack_mcp.catalogue.kinds import Kind, Usually

Names: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """The read that shows whether a write without an answer took place."""

    tool: str
    arguments: Names = ()
    """Arguments of the write that the read takes over, under the same name."""


@dataclass(frozen=True, slots=True)
class Settles:
    """What a write leads to in the end, some time after the API has taken it."""

    kind: Kind
    way: str
    """The state in which the thing is on its way."""
    state: str
    """The state in which it will stay."""
    argument: str = ""
    """The argument of the write that names it, or several such things; none where it is what was made."""
    subject: str = "it is"
    """It in words, with its verb."""

    @property
    def usually(self) -> Usually:
        """How long it takes."""
        return self.kind.ways[self.way]


@dataclass(frozen=True)
class Made:
    """A thing of the name that was asked for is in the list, and was not there before."""

    kind: Kind
    same: Names = ()
    """Arguments that its row repeats under the same name."""
    texts: Names = ()
    """The same for longer texts."""

    @property
    def arguments(self) -> Names:
        """Its name, and what its row repeats."""
        return ("name", *self.same, *self.texts)

    @property
    def fields(self) -> Names:
        """Its id, its name, and what its row repeats."""
        return (self.kind.ids[0], self.kind.names[0], *self.same, *self.texts)


@dataclass(frozen=True, kw_only=True)
class Copied(Made):
    """As `Made`; where no name was given, the one thing that is new and bears the name of what it was made from."""

    origin: Kind


@dataclass(frozen=True)
class Imaged:
    """The snapshot has an image of the name that was asked for, and had none before."""

    arguments: ClassVar[Names] = ("name",)
    fields: ClassVar[Names] = ("image", "has_image")


@dataclass(frozen=True)
class Gone:
    """The thing was there before, and is not there any more, or on its way out."""

    arguments: ClassVar[Names] = ()
    fields: ClassVar[Names] = ()


@dataclass(frozen=True)
class AllGone:
    """All of several things were there before, and none is there any more."""

    kind: Kind
    ids: str
    """The argument that names them."""

    @property
    def arguments(self) -> Names:
        """What names them."""
        return (self.ids,)

    @property
    def fields(self) -> Names:
        """Their id."""
        return (self.kind.ids[0],)


@dataclass(frozen=True)
class Reaches:
    """The thing is in a state to which the call leads, and was in none of them before."""

    states: Names
    """Those states, the ones on the way included."""
    passes: bool = False
    """Whether it soon looks again as it did before."""
    arguments: ClassVar[Names] = ()
    fields: ClassVar[Names] = ("status",)


@dataclass(frozen=True)
class Flipped:
    """The instance had a public address and has none now, or the other way round."""

    arguments: ClassVar[Names] = ()
    fields: ClassVar[Names] = ("public_ip", "ip_status")


@dataclass(frozen=True)
class Shows:
    """The thing shows what was asked for, and did not before."""

    values: Mapping[str, str]
    """The field that shows it, by argument."""

    @property
    def arguments(self) -> Names:
        """What was asked for."""
        return tuple(self.values)

    @property
    def fields(self) -> Names:
        """Where it shows."""
        return tuple(self.values.values())


@dataclass(frozen=True)
class RuleAdded:
    """There is a rule like the one asked for that was not there before."""

    rules: str
    """The field that holds the thing's rules."""
    arguments: ClassVar[Names] = ("direction", "ethertype", "protocol", "remote_ip_prefix")

    @property
    def fields(self) -> Names:
        """The rules."""
        return (self.rules,)


@dataclass(frozen=True)
class RuleRemoved:
    """The rule was there before, and is not now, while the thing itself still is."""

    rules: str
    """The field that holds the thing's rules."""
    arguments: ClassVar[Names] = ("rule_id",)

    @property
    def fields(self) -> Names:
        """The rules."""
        return (self.rules,)


@dataclass(frozen=True)
class VolumesMoved:
    """The volumes are on the instance now and some were not before, or the other way round."""

    attached: bool
    """Whether they were to be attached; else detached."""
    arguments: ClassVar[Names] = ("volume_ids",)
    fields: ClassVar[Names] = ("volume_attachments",)


@dataclass(frozen=True)
class FirewallMoved:
    """The instances that were to have the firewall have it, and it was otherwise before."""

    arguments: ClassVar[Names] = ("instance_ids",)
    fields: ClassVar[Names] = ("attachments",)


Sign: TypeAlias = (
    Made | Imaged | Gone | AllGone | Reaches | Flipped | Shows | RuleAdded | RuleRemoved | VolumesMoved | FirewallMoved
)
"""What to see in the look's read."""
