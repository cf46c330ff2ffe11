"""What one source says of the API, and how sure it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from barrack_mcp.api.openapi.document import Document

Progress: TypeAlias = Callable[[int, int], None]
"""Told how much of a source is done, of how much that is known of so far."""


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


class Hindrance(StrEnum):
    """Why a source could not be read to its end, where that is for somebody to mend."""

    KEY = "key"
    """The key is refused, or there is none."""
    UNREACHABLE = "unreachable"
    """Nobody answers, or nobody but a server in trouble."""
    THROTTLED = "throttled"
    """It wants fewer requests."""
    GATEWAY = "gateway"
    """Something on the way answers in its place."""
    SPENT = "spent"
    """All requests that learning may make were made."""


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
        hindered: Why not, where somebody can mend it; its sentence is among the notes.
    """

    source: Source
    place: str
    day: date
    document: Document
    notes: tuple[str, ...] = field(default=())
    complete: bool = True
    hindered: Hindrance | None = None
