"""The page on loopback: entered by a link that works once, and it knows no names."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.guard.page.about import UNTOLD, About, Books
from barrack_mcp.guard.page.link.entry import SESSION_S, Entry, Pass
from barrack_mcp.guard.page.page import Page, Visitor, read_fields

_LONGEST_CHALLENGE: Final = 200
_OLD_LINK: Final = "This link was used before, or is too old. Get a new one."


def create_page(
    approvals: Approvals,
    *,
    secret: str,
    room: str,
    allowed_hosts: Collection[str],
    passphrase: str | None = None,
    about: About = UNTOLD,
    costs: Books | None = None,
    now: Callable[[], float] = time.time,
) -> Starlette:
    """Make the page on which the owner of this machine approves and denies.

    Args:
        approvals: What it shows and decides.
        secret: What lets a person in; at least 16 characters. No answer or log ever holds it.
        room: The path below which it lives, see `new_room`; what stands outside of it tells nothing of it.
        allowed_hosts: The names with ports under which it may be addressed, such as `127.0.0.1:40123`.
        passphrase: Hash of what has to be typed beside; None where the link is enough.
        about: For what it speaks, told in its header.
        costs: The accounts whose costs are shown; None where none are.
        now: The time in seconds since 1970.
    """
    entry = Entry(secret, room=room, passphrase=passphrase, now=now)
    page = _LinkPage(approvals, entry, room=room, about=about, now=now, costs=costs)
    entered = [Route("/enter", page.enter), Route("/enter", page.enter_with_passphrase, methods=["POST"])]
    return page.serve(
        [
            Route("/", page.outside),
            Route("/proof", page.prove),
            Route("/static/{name}", page.asset),
            Mount(room, routes=[*page.routes(), *entered]),
        ],
        hosts=allowed_hosts,
    )


class _LinkPage(Page):
    misdirected = "This page answers under its own address only: 127.0.0.1 and its port."

    def __init__(
        self,
        approvals: Approvals,
        entry: Entry,
        *,
        room: str,
        about: About,
        now: Callable[[], float],
        costs: Books | None,
    ) -> None:
        super().__init__(approvals, room=room, about=about, now=now, costs=costs)
        self._entry = entry

    async def visitor(self, request: Request) -> Visitor | None:
        """Find the session of a browser that came by a link."""
        session = _session(request)
        return Visitor(session) if self._entry.holds(session) else None

    def mark(self, visitor: Visitor | None, about: str) -> str:
        """Make the mark that a form carries: it shows that this session was shown this."""
        return self._entry.mark("" if visitor is None else visitor.session, about)

    def marks(self, mark: str, visitor: Visitor, about: str) -> bool:
        """Whether a form's mark is genuine."""
        return self._entry.marks(mark, visitor.session, about)

    def invite(self, request: Request, to: str, *, token: str | None = None, error: str | None = None) -> Response:
        """Say how to get in; with a link that is good, ask for the passphrase."""
        here = self.place(to)
        return self.render(
            "enter.html",
            request=request,
            status=HTTPStatus.UNAUTHORIZED,
            here=here,
            to=to if here.endswith(f"/{to}") else "",
            token=token,
            error=error,
        )

    async def enter(self, request: Request) -> Response:
        """Take a link that works once, and open a session."""
        to, token = request.query_params.get("to", ""), request.query_params.get("token", "")
        if self._entry.wants_passphrase and self._read(request, token) is not None:
            return self.invite(request, to, token=token)
        return await self._let_in(request, to, token)

    async def enter_with_passphrase(self, request: Request) -> Response:
        """Take a link and the passphrase from a form, and open a session."""
        fields = await read_fields(request)
        to, token = fields.get("to", ""), fields.get("token", "")
        if not self._entry.wants_passphrase or self._read(request, token) is None:
            return self.invite(request, to, error=_OLD_LINK)
        if not await self._entry.knows(fields.get("passphrase", "")):
            return self.invite(request, to, token=token, error="That is not the passphrase.")
        return await self._let_in(request, to, token)

    async def outside(self, request: Request) -> Response:
        """Say how to get in; from here nobody learns where the page is."""
        return self.invite(request, "")

    async def prove(self, request: Request) -> Response:
        """Show to the person's own terminal that this is the page, and nobody who took its port."""
        challenge = request.query_params.get("challenge", "")[:_LONGEST_CHALLENGE]
        return PlainTextResponse(self._entry.answer(challenge, host=request.headers["host"].lower()))

    def _read(self, request: Request, token: str) -> Pass | None:
        return self._entry.read(token, host=request.headers["host"].lower())

    async def _let_in(self, request: Request, to: str, token: str) -> Response:
        """Use a link up, and open a session."""
        read = self._read(request, token)
        if read is None or not await self._approvals.use(read.nonce, until=read.until):
            return self.invite(request, to, error=_OLD_LINK)
        answer = RedirectResponse(self.place(to), HTTPStatus.SEE_OTHER)
        session = self._entry.open(_session(request))
        # a cookie goes to every port of this machine, but to this path only; nobody else knows it
        answer.set_cookie(
            _cookie(request), session, max_age=SESSION_S, path=f"{self._room}/", httponly=True, samesite="strict"
        )
        return answer


def _cookie(request: Request) -> str:
    """Name the cookie after the port: a browser keeps one jar for all ports of this machine."""
    return f"barrack_page_{request.headers['host'].rpartition(':')[2]}"


def _session(request: Request) -> str:
    return request.cookies.get(_cookie(request), "")
