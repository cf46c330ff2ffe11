"""The page below the server's public address: whoever signs in is known by name, and approvers may answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from barrack_mcp.config.callers import CallerRow, Callers, CallersError
from barrack_mcp.config.identity import Identity
from barrack_mcp.guard.approvals import Approvals, Approvers, Person
from barrack_mcp.guard.page.costs import ReadCosts
from barrack_mcp.guard.page.login.attempts import SPAN_S, Attempts, address_of
from barrack_mcp.guard.page.login.session import Seals, Session, new_id
from barrack_mcp.guard.page.page import Page, Visitor, read_fields
from barrack_mcp.guard.page.view import UNTOLD, About

PATH: Final = "/approvals"
"""Where the page is, below the server's public address."""
COOKIE: Final = "__Host-barrack_approvals"
"""Its prefix makes browsers take it over TLS alone, from this very host, and no other host can set it."""
SESSION_S: Final = 12 * 3600

_WRONG: Final = "No caller has this token. Nothing was signed in."
_TOO_OFTEN: Final = "Too many sign-ins went wrong from here. Wait a minute, then try again."


def create_team_page(
    approvals: Approvals,
    *,
    public_url: str,
    keys: Sequence[str],
    callers: Callers,
    approvers: Approvers,
    about: About = UNTOLD,
    costs: ReadCosts | None = None,
    now: Callable[[], float] = time.time,
) -> Starlette:
    """Make the page on which approvers answer what others ask for; it answers below `PATH`.

    Args:
        approvals: What it shows and decides.
        public_url: The address under which browsers reach this server.
        keys: The keys of the state, newest first.
        callers: Who may call, and so may sign in.
        approvers: Who may say yes.
        about: For what it speaks, told in its header.
        costs: Reads what runs and what it costs; None where that isn't shown.
        now: The time in seconds since 1970.
    """
    public = urlsplit(public_url)
    page = _TeamPage(
        approvals,
        callers=callers,
        seals=Seals(keys, now=now),
        approvers=approvers,
        room=f"{public.path}{PATH}",
        about=about,
        costs=costs,
        now=now,
    )
    entered = [
        Route("/sign-in", page.ask_in),
        Route("/sign-in", page.sign_in, methods=["POST"]),
        Route("/sign-out", page.inside(page.sign_out), methods=["POST"]),
        Route("/static/{name}", page.asset),
    ]
    return page.serve(
        [Route(PATH, page.lead_in), Mount(PATH, routes=[*page.routes(), *entered])],
        hosts=[public.netloc.lower().removesuffix(":443")],
    )


class _TeamPage(Page):
    scheme = "https"
    misdirected = "This page answers under the server's public address only."

    def __init__(
        self,
        approvals: Approvals,
        *,
        callers: Callers,
        seals: Seals,
        approvers: Approvers,
        room: str,
        about: About,
        costs: ReadCosts | None,
        now: Callable[[], float],
    ) -> None:
        super().__init__(approvals, room=room, about=about, now=now, costs=costs, approvers=approvers)
        self._callers = callers
        self._seals = seals
        self._attempts = Attempts(now)

    async def visitor(self, request: Request) -> Visitor | None:
        """Find who signed in, and whether they still may: the callers' file is asked at each request."""
        session = self._session(request)
        person = None if session is None else self._person(session)
        return None if session is None or person is None else Visitor(session.id, person)

    def mark(self, visitor: Visitor | None, about: str) -> str:
        """Make the mark that a form carries: it shows that this session was shown this."""
        return self._seals.mark("" if visitor is None else visitor.session, about)

    def marks(self, mark: str, visitor: Visitor, about: str) -> bool:
        """Whether a form's mark is genuine."""
        return self._seals.marks(mark, visitor.session, about)

    @property
    def assets_path(self) -> str:
        """Where the style and the script are: below the page's own path, as all of it."""
        return f"{self._room}/static"

    def told_room(self, _: Request | None) -> str | None:
        """The page's own path, which is no secret."""
        return self._room

    def invite(
        self, request: Request, to: str, *, error: str | None = None, status: int = HTTPStatus.UNAUTHORIZED
    ) -> Response:
        """Show the form to sign in with, and lead to a request from there."""
        known = self.place(to).endswith(f"/{to}")
        return self.render("sign_in.html", request=request, status=status, to=to if known else "", error=error)

    async def lead_in(self, _: Request) -> Response:
        """Lead to the list."""
        return RedirectResponse(self.place(""), HTTPStatus.SEE_OTHER)

    async def ask_in(self, request: Request) -> Response:
        """Show the form to sign in with."""
        return self.invite(request, request.query_params.get("to", ""), status=HTTPStatus.OK)

    async def sign_in(self, request: Request) -> Response:
        """Take a caller's token, and open a session."""
        fields, address = await read_fields(request), address_of(request)
        to = fields.get("to", "")
        if self._attempts.too_many(address):
            answer = self.invite(request, to, error=_TOO_OFTEN, status=HTTPStatus.TOO_MANY_REQUESTS)
            answer.headers["Retry-After"] = f"{SPAN_S:.0f}"
            return answer
        who = self._callers.find(fields.get("caller_token", "").strip())
        row = None if who is None else self._row(who)
        if who is None or row is None:
            self._attempts.count(address)
            return self.invite(request, to, error=_WRONG)
        until = self._now() + SESSION_S
        session = Session(id=new_id(), name=who.name, proof=who.proof, bound=str(row.sha256), until=until)
        return self._welcome(session, to)

    async def sign_out(self, request: Request) -> Response:
        """End a session: its browser forgets it."""
        await self._genuine(request, "sign-out")
        answer = RedirectResponse(f"{self._room}/sign-in", HTTPStatus.SEE_OTHER)
        answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
        return answer

    def _session(self, request: Request) -> Session | None:
        return self._seals.open_session(request.cookies.get(COOKIE, ""))

    def _person(self, session: Session) -> Person | None:
        """Find who a session is of, as the callers' file says now; None if it isn't good any more."""
        row = self._row(Identity(session.name, session.proof, groups=frozenset(session.groups)))
        # another token is another sign-in, whatever the name
        if row is None or row.sha256 != session.bound:
            return None
        return Person(name=session.name, approver=row.approver)

    def _row(self, who: Identity) -> CallerRow | None:
        try:
            return self._callers.row_of(who)
        except CallersError:
            return None

    def _welcome(self, session: Session, to: str) -> Response:
        answer = RedirectResponse(self.place(to), HTTPStatus.SEE_OTHER)
        # lax: who comes by a link from a chat is to be known, and nothing changes by a GET
        answer.set_cookie(
            COOKIE,
            self._seals.seal_session(session),
            max_age=int(session.until - self._now()),
            path="/",
            secure=True,
            httponly=True,
            samesite="lax",
        )
        return answer
