"""What one source says of the API, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from barrack_mcp.api.openapi.document import Document


class Source(StrEnum):
    """Where facts come from, the surest first."""

    SITE = "documentation"
    """A page of the vendor's documentation site."""
    DOCUMENT = "schema"
    """The OpenAPI document that the API itself serves."""
    ROOT = "root"
    """The map of lists that the API's root answers."""
    ADDRESS = "options"
    """What one address says of itself: OPTIONS, or the methods that a 405 allows."""


@dataclass(frozen=True)
class Found:
    """What one source says.

    Attributes:
        source: Which one.
        place: Its address, with nothing secret in it.
        day: When it was read.
        document: The operations in it, each with the page or address that it comes from; those of `ADDRESS` bear the
            tool that was looked for as their operation id, since the address was tried for it.
        notes: What was odd, missing or refused, a sentence each.
        complete: Whether all of it was read.
    """

    source: Source
    place: str
    day: date
    document: Document
    notes: tuple[str, ...] = field(default=())
    complete: bool = True
