"""The API's own OpenAPI document: read from a file or from its address, and what it makes of the catalogue."""

from __future__ import annotations

import anyio

from barrack_mcp.api.fetch import FetchError, fetch
from barrack_mcp.api.openapi.adopt import adopted
from barrack_mcp.api.openapi.document import Document, DocumentError, read
from barrack_mcp.api.wire.overrides import Overrides

__all__ = ["DocumentError", "FetchError", "VendorError", "document_from", "overrides_from"]


class VendorError(Exception):
    """The document gives no overrides; one sentence."""


async def document_from(source: str) -> Document:
    """Read an OpenAPI document from a file or from its address.

    Raises:
        DocumentError: It is none, or can't be read.
        FetchError: Its address gives nothing.
    """
    if "://" in source:
        return read(await fetch(source), source.partition("?")[0])
    try:
        raw = await anyio.Path(source).read_bytes()
    except OSError as error:
        raise DocumentError(f"{source} can't be read ({error.strerror}).") from None
    return read(raw, source)


async def overrides_from(source: str) -> Overrides:
    """Read a document and answer the overrides that it makes, as far as they are sure.

    Raises:
        VendorError: It is none, or can't be read or reached.
    """
    try:
        return adopted(await document_from(source))
    except (DocumentError, FetchError) as error:
        raise VendorError(str(error)) from None
