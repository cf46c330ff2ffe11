"""Puts the approval page for a team beside what is served: under its own path, behind a sign-in of its own."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from barrack_mcp.guard.page.login.page import PATH


class Beside:
    """Answers below the page's path with the page, and everywhere else with what is served.

    The page has a shield of its own, which is stricter than the door of the rest: it takes no other name than the
    public one.

    Args:
        page: The page.
        served: What is served, behind its door and its login.
    """

    def __init__(self, page: ASGIApp, served: ASGIApp) -> None:
        self._page = page
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run through one start and end of the server."""
        path = scope.get("path", "")
        own = scope["type"] == "http" and (path == PATH or path.startswith(f"{PATH}/"))
        await (self._page if own else self._served)(scope, receive, send)
