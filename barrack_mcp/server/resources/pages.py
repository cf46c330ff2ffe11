"""What can be read by URI: the account, the price list, the guides, and each thing by its id."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final

from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from barrack_mcp.api.text import write_json
from barrack_mcp.catalogue import BY_TOOL, OFFERS, Operation
from barrack_mcp.catalogue.kinds import KINDS
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.dispatch.crash import log_crash
from barrack_mcp.server.cards import BY_URI as CARD_BY_URI
from barrack_mcp.server.cards import CARDS
from barrack_mcp.server.cards import MIME_TYPE as CARD
from barrack_mcp.server.guides import GUIDES
from barrack_mcp.server.resources.account import CREDIT, PRICES, account
from barrack_mcp.server.resources.addresses import SCHEME, read_address, template
from barrack_mcp.server.resources.reading import Reads

JSON: Final = "application/json"
MARKDOWN: Final = "text/markdown"
GUIDE_KEPT_MS: Final = 3_600_000

_MODERN: Final = "2026-07-28"
_NOT_FOUND: Final = -32002
"""Of the protocol before that; it has been retired since in favour of «invalid params»."""
_HARMLESS: Final = re.compile(r"[A-Za-z0-9:/._-]{1,200}")


@dataclass(frozen=True)
class Page:
    """A resource that is read from the API.

    Attributes:
        resource: As it is listed.
        needs: The operation that must be on offer.
        read: Reads it.
    """

    resource: Resource
    needs: Operation
    read: Callable[[Reads], Awaitable[Answer]]


async def _prices(reads: Reads) -> Answer:
    return await reads.answer(PRICES.tool, {})


PAGES: Final = (
    Page(
        Resource(
            uri=f"{SCHEME}account",
            name="account",
            title="Account",
            description="Credit left, what everything costs per hour, and how many hours the credit lasts.",
            mime_type=JSON,
        ),
        CREDIT,
        account,
    ),
    Page(
        Resource(
            uri=f"{SCHEME}pricing",
            name="pricing",
            title="Price list",
            description="Prices now: GPUs per hour, volumes per TB and hour, snapshots.",
            mime_type=JSON,
        ),
        PRICES,
        _prices,
    ),
)
_BY_URI: Final = {page.resource.uri: page for page in PAGES}
_GUIDE_BY_URI: Final = {f"{SCHEME}guides/{guide.name}": guide for guide in GUIDES}


def listed(surface: Collection[str]) -> list[Resource]:
    """List what has a URI of its own, as far as the surface offers what it is read with."""
    pages = [page.resource for page in PAGES if page.needs.tool in surface]
    guides = [
        Resource(
            uri=uri,
            name=f"guide-{guide.name}",
            title=f"Guide: {guide.title}",
            description=guide.description,
            mime_type=MARKDOWN,
            size=len(guide.text.encode()),
        )
        for uri, guide in _GUIDE_BY_URI.items()
    ]
    looks = [
        Resource(
            uri=card.uri,
            name=f"card-{card.name}",
            title=f"Card: {card.title}",
            description=card.description,
            mime_type=CARD,
            size=len(card.html.encode()),
        )
        for card in CARDS
        if card.tool in surface
    ]
    return pages + guides + looks


def templates(surface: Collection[str]) -> list[ResourceTemplate]:
    """List the kinds of things that are read by id, as far as the surface offers it."""
    return [
        ResourceTemplate(
            uri_template=template(kind),
            name=kind.page,
            title=BY_TOOL[kind.get_tool].title,
            description=BY_TOOL[kind.get_tool].description,
            mime_type=JSON,
        )
        for kind in KINDS
        if kind.get_tool in surface
    ]


async def read(reads: Reads, uri: str, protocol: str) -> ReadResourceResult:
    """Read one resource.

    Args:
        reads: Reads from the API.
        uri: Which.
        protocol: Revision that is spoken, which decides the code for what doesn't exist.

    Raises:
        MCPError: There is no such resource, or the API didn't give it: in the words that the tool would use.
    """
    if guide := _GUIDE_BY_URI.get(uri):
        return _content(uri, guide.text, MARKDOWN, kept_ms=GUIDE_KEPT_MS)
    if (card := CARD_BY_URI.get(uri)) and reads.offers(OFFERS[card.tool]):
        return _content(uri, card.html, CARD, kept_ms=GUIDE_KEPT_MS)
    page, kind, thing_id = _BY_URI.get(uri), *read_address(uri)
    if page is not None and reads.offers(page.needs):
        answer = await _guarded(page.read(reads))
    elif kind is not None and reads.offers(BY_TOOL[kind.get_tool]):
        answer = await _guarded(reads.answer(kind.get_tool, {kind.arguments[0]: thing_id}))
    else:
        raise _missing(uri, protocol, "No such resource; resources/list and its templates name those there are.")
    if not answer.is_error:
        return _content(uri, write_json(answer.structured), JSON)
    if kind is not None and answer.failure in ("arguments", "rejected"):
        raise _missing(uri, protocol, answer.text)
    raise MCPError(INTERNAL_ERROR, answer.text)


async def _guarded(answer: Awaitable[Answer]) -> Answer:
    """Wait for an answer; an error of our own becomes an id to find it by."""
    try:
        return await answer
    except Exception:  # noqa: BLE001 - logged, and answered without its text
        raise MCPError(INTERNAL_ERROR, log_crash("a resource")) from None


def _content(uri: str, text: str, mime_type: str, *, kept_ms: int = 0) -> ReadResourceResult:
    contents = TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return ReadResourceResult(contents=[contents], ttl_ms=kept_ms, cache_scope="private")


def _missing(uri: str, protocol: str, message: str) -> MCPError:
    code = INVALID_PARAMS if protocol >= _MODERN else _NOT_FOUND
    return MCPError(code, message, {"uri": uri} if _HARMLESS.fullmatch(uri) else None)
