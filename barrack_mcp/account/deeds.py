"""What was made through us a moment ago: an API may hand out an id that its own lists and pages don't know yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from barrack_mcp.account.things import Thing
from barrack_mcp.catalogue import JsonObject, Operation, signs
from barrack_mcp.catalogue.kinds import IMAGE, Kind, kind_named_by

NEW_S: Final = 600.0
"""How long something counts as new at most; what the API has shown since is not."""

_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was made through us.

    Attributes:
        thing: What was made, as it was asked for and as the API answered.
        at: When the API's answer came.
    """

    thing: Thing
    at: float

    @property
    def sentence(self) -> str:
        """Say that it is new, and what to do now."""
        return (
            f"{self.thing.in_words} is new: it was made a moment ago, and Barrack doesn't show it everywhere yet. Wait "
            "a moment, then make the same call again."
        )


class Deeds:
    """Remembers what was made, until the API shows it, it is destroyed, or some minutes have gone by.

    Args:
        now: A clock that only goes forward, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._deeds: dict[tuple[str, str], Deed] = {}

    def note(self, operation: Operation, values: Mapping[str, Any], data: JsonObject) -> None:
        """Take note of a write that was done.

        Args:
            operation: What was done.
            values: Its validated arguments.
            data: What the API answered.
        """
        if isinstance(operation.sign, signs.Gone | signs.AllGone):
            for name, value in values.items():
                if (kind := kind_named_by(name)) is not None:
                    for each in value if isinstance(value, list) else [value]:
                        self._deeds.pop((kind.type, str(each)), None)
            return
        kind, made = _made(operation), data.get(operation.result or "")
        if kind is None or not isinstance(made, dict):
            return
        told = {name: value for name, value in made.items() if value is not None}
        thing = Thing(kind, {"status": "CREATING", **_priced(values), **told})
        if thing.id is not None:
            self._deeds[kind.type, thing.id] = Deed(thing, self._now())
            while len(self._deeds) > _MOST:
                del self._deeds[next(iter(self._deeds))]

    def find(self, kind: Kind, word: str) -> Deed | None:
        """Find what is new by its id or its name."""
        return next((deed for deed in self._new(kind) if word in (deed.thing.id, deed.thing.name)), None)

    def missing(self, kind: Kind, rows: Iterable[JsonObject]) -> list[JsonObject]:
        """The rows of what is new and doesn't stand in a list that was read to its end.

        What stands there is known from now on: when it goes again, it was destroyed.
        """
        for row in rows:
            self._deeds.pop((kind.type, Thing(kind, row).id or ""), None)
        return [deed.thing.row for deed in self._new(kind)]

    def _new(self, kind: Kind) -> list[Deed]:
        since = self._now() - NEW_S
        self._deeds = {key: deed for key, deed in self._deeds.items() if deed.at > since}
        return [deed for (held, _), deed in self._deeds.items() if held == kind.type]


def changed(operation: Operation, values: Mapping[str, Any], data: JsonObject) -> list[Thing]:
    """The things that a write made or changed; what it only used stays as it was.

    Args:
        operation: What was done.
        values: Its validated arguments.
        data: What the API answered.
    """
    if (kind := _made(operation)) is not None:
        made = data.get(operation.result or "")
        return [Thing(kind, made)] if isinstance(made, dict) and Thing(kind, made).id else []
    return [
        Thing(kind, {}, asked=str(each))
        for name, value in values.items()
        if name not in _ALSO_UNCHANGED and (kind := kind_named_by(name)) is not None
        for each in (value if isinstance(value, list) else [value])
    ]


def _made(operation: Operation) -> Kind | None:
    """The kind of thing that an operation makes; None if it makes none."""
    match operation.sign:
        case signs.Made(kind=kind):
            return kind
        case signs.Imaged():
            return IMAGE
        case _:
            return None


_ALSO_UNCHANGED: Final = frozenset({"instance_ids"})
"""Lists that name what stays as it was beside what changes: who keeps a firewall, too."""


def _priced(values: Mapping[str, Any]) -> JsonObject:
    """The arguments that say what the thing costs and what it is called."""
    return {name: values[name] for name in _TELLING if values.get(name) is not None}


_TELLING: Final = ("name", "tier", "gpu_model", "gpu_count", "volume_type", "size_gb")
