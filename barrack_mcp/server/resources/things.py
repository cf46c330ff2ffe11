"""The things of an account that have a page of their own, found in the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from barrack_mcp.catalogue import OPERATIONS, Operation

SCHEME: Final = "barrack://"

_NAMES: Final = {"custom-images": "images"}
"""OS images have no page each, so the plain word is free."""


@dataclass(frozen=True)
class Thing:
    """A kind of thing.

    Attributes:
        name: As it stands in URIs, in the plural.
        read: The operation that reads one.
        listed: The operation that lists them.
    """

    name: str
    read: Operation
    listed: Operation

    @property
    def id_argument(self) -> str:
        """The argument that holds its id."""
        return self.read.placeholders[0]

    @property
    def template(self) -> str:
        """Its URI template."""
        return f"{SCHEME}{self.name}/{{{self.id_argument}}}"


def _things() -> tuple[Thing, ...]:
    lists = {operation.path: operation for operation in OPERATIONS if operation.reads and operation.paged}
    things = []
    for operation in OPERATIONS:
        collection, _, rest = operation.path.strip("/").partition("/")
        if operation.reads and len(operation.placeholders) == 1 and rest == f"{{{operation.placeholders[0]}}}":
            listed = lists[f"/{collection}/"]
            name = listed.tool.removeprefix("list_").replace("_", "-")
            things.append(Thing(_NAMES.get(name, name), operation, listed))
    return tuple(things)


THINGS: Final = _things()
"""All kinds, in the catalogue's order."""
BY_NAME: Final = {thing.name: thing for thing in THINGS}
