"""How a client narrows what it is offered, by the address it calls or by headers; it can only ever take away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from barrack_mcp.catalogue import Offer
from barrack_mcp.config.forms import SETS, read_switch, read_words

KEY: Final = "barrack_mcp.narrowing"
"""Where a request's scope holds it."""


@dataclass(frozen=True)
class Narrowing:
    """What is left of the tools.

    Attributes:
        read_only: Reads alone.
        toolsets: Groups of toolsets: a tool is left if it belongs to one of each.
    """

    read_only: bool = False
    toolsets: frozenset[frozenset[str]] = frozenset()

    def leaves(self, offer: Offer) -> bool:
        """Whether a tool is left."""
        return (offer.reads or not self.read_only) and all(offer.is_in(group) for group in self.toolsets)

    def to(self, names: str) -> Self:
        """Narrow it further, to some toolsets.

        Args:
            names: Theirs, separated by commas.

        Raises:
            ValueError: They are none, in words.
        """
        group = frozenset(read_words(names, "toolset", SETS))
        if not group:
            raise ValueError(f"names no toolset; known: {', '.join(SETS)}")
        return type(self)(self.read_only, self.toolsets if "all" in group else self.toolsets | {group})

    def to_reads(self, word: str = "on") -> Self:
        """Narrow it to reads, or leave it.

        Args:
            word: `on` or `off`, or what means the same.

        Raises:
            ValueError: It is neither, in words.
        """
        on = read_switch(word)
        return type(self)(self.read_only or on, self.toolsets)

    def write(self) -> str:
        """Write it as an address has it, always alike; empty if it takes nothing away."""
        groups = sorted(",".join(sorted(group)) for group in self.toolsets)
        return "".join(f"/x/{group}" for group in groups) + ("/readonly" if self.read_only else "")


ALL: Final = Narrowing()


def read_path(rest: str) -> Narrowing:
    """Read what follows the place where calls come in: `/x/volumes,instances/readonly`.

    Raises:
        ValueError: It is no such thing, in words.
    """
    narrowing, parts = ALL, rest.strip("/").split("/") if rest.strip("/") else []
    while parts:
        match parts:
            case ["readonly"]:
                return narrowing.to_reads()
            case ["x", names, *parts]:
                narrowing = narrowing.to(names)
            case _:
                raise ValueError("leads nowhere; known: /readonly, /x/TOOLSETS and /x/TOOLSETS/readonly")
    return narrowing
