"""Who may knock on a port of this machine: requests that name it as their host, and pages that it served itself.

A page of any website can send requests to a port here, by a name of its own that leads to 127.0.0.1. Both headers are
compared whole: a prefix, another port or a name before an @ is another place.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from barrack_mcp.api.http import PLACE, is_loopback

_SCHEME: Final = "http://"
_USUAL_PORT: Final = 80


class Door:
    """Lets a request through to an application, or turns it away.

    Args:
        app: The application.
        hosts: Names under which it is reached, beside this machine's own, in small letters; behind TLS.
        anyhow: Paths that are reached under any name, since they want a token that no page can have.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = frozenset(), anyhow: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._hosts = hosts
        self._anyhow = anyhow
        self._origins = {f"https://{host}" for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge a request by its headers alone."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            port = (scope.get("server") or ("", None))[1] or _USUAL_PORT
            hosts, origins = headers.getlist("host"), headers.getlist("origin")
            named = len(hosts) == 1 and (hosts[0].lower() in self._hosts or is_this_place(hosts[0], port))
            if not named and scope["path"] not in self._anyhow:
                refusal = PlainTextResponse("Invalid Host header: this server is reached by its own address.", 421)
                await refusal(scope, receive, send)
                return
            known = len(origins) == 1 and (origins[0].lower() in self._origins or _is_page_of(origins[0], port))
            if origins and not known:
                await PlainTextResponse("Invalid Origin header: no page of another place.", 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_page_of(origin: str, port: int) -> bool:
    return origin.startswith(_SCHEME) and is_this_place(origin.removeprefix(_SCHEME), port)


def is_this_place(place: str, port: int) -> bool:
    """Whether host and port are those of this machine and of the port that listens."""
    found = PLACE.fullmatch(place)
    return found is not None and is_loopback(found[1]) and int(found[2] or _USUAL_PORT) == port
