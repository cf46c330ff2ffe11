"""What this server says of itself to clients that want a token for it (RFC 9728), and how it asks for more of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from barrack_mcp.api.http import PLACE, is_loopback

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """This server, as the identity provider's clients see it.

    Attributes:
        path: Where calls come in.
        issuer: The identity provider.
        scopes: What tokens can be good for here.
        public_url: The address that callers know; that of the request if None.
    """

    path: str
    issuer: str
    scopes: Sequence[str]
    public_url: str | None = None

    def is_asked_for(self, path: str) -> bool:
        """Whether a path is that of what the server says of itself: at the root, or for where calls come in."""
        place = f"{WELL_KNOWN}{self.path}"
        return path in (WELL_KNOWN, place) or path.startswith(f"{place}/")

    def describe(self, scope: Scope) -> Response:
        """Answer what the server says of itself."""
        if scope["method"] not in ("GET", "HEAD"):
            return Response(status_code=405, headers={"Allow": "GET, HEAD"})
        told = {
            "resource": f"{self._base(scope)}{self.path}",
            "authorization_servers": [self.issuer],
            "scopes_supported": list(self.scopes),
            "bearer_methods_supported": ["header"],
            "resource_name": "barrack-mcp",
        }
        return JSONResponse(told, headers={"Cache-Control": "max-age=3600"})

    def where(self, scope: Scope) -> str:
        """Say where the server tells of itself."""
        return f"{self._base(scope)}{WELL_KNOWN}{self.path}"

    def _base(self, scope: Scope) -> str:
        if self.public_url is not None:
            return self.public_url
        # judged at the door: one of this machine's own, or a name that the operator gave, behind TLS
        host = Headers(scope=scope).get("host", "")
        if PLACE.fullmatch(host) is None:
            # what needs no name is asked for without one, too; nothing else of it is told on
            host = "localhost"
        own = is_loopback(urlsplit(f"//{host}").hostname or "")
        return f"{'http' if own else 'https'}://{host}"


def refuse(status: int, error: str, sentence: str, *, resource: str | None, scopes: Sequence[str] = ()) -> Response:
    """Turn a request away, and say in the words of RFC 6750 what would let it in.

    Args:
        status: 401 for who isn't known, 403 for who may not.
        error: The RFC's word.
        sentence: Ours; no word of the request's stands in it.
        resource: Where the server tells of itself; None if there is no identity provider.
        scopes: What a token has to be good for.
    """
    parts = [f'error="{error}"', f'error_description="{sentence}"']
    if scopes:
        parts.append(f'scope="{" ".join(scopes)}"')
    if resource is not None:
        parts.append(f'resource_metadata="{resource}"')
    return Response(
        json.dumps({"error": error, "error_description": sentence}),
        status,
        headers={"WWW-Authenticate": f"Bearer {', '.join(parts)}"},
        media_type="application/json",
    )
