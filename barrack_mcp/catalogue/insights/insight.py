"""How a tool of our own is declared. Pure data: no I/O, no MCP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from barrack_mcp.catalogue.models import NoArguments, Request
from barrack_mcp.catalogue.operation import Offer, Risk, Toolset

OURS: Final = "ours"
"""What stands in the place of how sure we are of a tool's wire form, where it has none."""

_UNASKED: Final = frozenset({Risk.READ, Risk.CHANGE})


@dataclass(frozen=True, kw_only=True, eq=False)
class Insight(Offer):
    """A tool that no operation of the API answers: from several reads, or from what we keep ourselves.

    It checks itself when it is made.

    Raises:
        TypeError: It lacks something; the sentence names the tool and what it lacks.
    """

    toolset: Toolset = Toolset.INSIGHTS
    arguments: type[Request] = NoArguments
    """What a caller may say."""

    def _faults(self) -> Iterator[str]:
        yield from super()._faults()
        if self.risk not in _UNASKED:
            yield f"what needs a person's yes is an operation, and its risk is {self.risk}"
