"""The page below the server's public address: whoever signs in is known by name, and approvers may answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from barrack_mcp.config.callers import Callers, CallersError, digest
from barrack_mcp.config.identity import Identities, Identity, Proof, UnknownYetError
from barrack_mcp.guard.approvals import Approvals, Approvers, Person
from barrack_mcp.guard.page.about import UNTOLD, About, Books
from barrack_mcp.guard.page.login.attempts import SPAN_S, Attempts, address_of
from barrack_mcp.guard.page.login.code import BEGUN_S, Client, CodeFlow
from barrack_mcp.guard.page.login.session import Seals, Session, new_id
from barrack_mcp.guard.page.page import Page, Visitor, read_fields

PATH: Final = "/approvals"
"""Where the page is, below the server's public address."""
CALLBACK: Final = "/callback"
COOKIE: Final = "__Host-barrack_approvals"
"""Its prefix makes browsers take it over TLS alone, from this very host, and no other host can set it."""
BEGUN: Final = "__Host-barrack_sign_in"
"""The cookie of a sign-in under way at the identity provider."""
SESSION_S: Final = 12 * 3600
ISSUER_SESSION_S: Final = 3600
"""The provider says who somebody is once, and can take nothing back: so it is asked again soon."""
_GROUPS_LONGEST: Final = 1_500
"""Characters of groups in a session: a browser keeps 4,096 of a cookie."""

_WRONG: Final = "No caller has this token. Nothing was signed in."
_NOT_SIGNED_IN: Final = "The identity provider did not sign you in here, or it took too long. Try it again."
_TOO_OFTEN: Final = "Too many sign-ins went wrong from here. Wait a minute, then try again."


def create_team_page(
    approvals: Approvals,
    *,
    public_url: str,
    keys: Sequence[str],
    callers: Callers,
    by_token: bool,
    approvers: Approvers,
    identities: Identities,
    client: Client | None = None,
    about: About = UNTOLD,
    costs: Books | None = None,
    now: Callable[[], float] = time.time,
) -> ASGIApp:
    """Make the page on which approvers answer what others ask for; it answers below `PATH`.

    Args:
        approvals: What it shows and decides.
        public_url: The address under which browsers reach this server.
        keys: The keys of the state, newest first.
        callers: Who may call, and so may sign in.
        by_token: Whether they may sign in by a token of the callers' file.
        approvers: Who may say yes.
        identities: Says whom the identity provider has signed in.
        client: What the provider knows the page by; None where nobody signs in by it.
        about: For what it speaks, told in its header.
        costs: The accounts whose costs are shown; None where none are.
        now: The time in seconds since 1970.
    """
    public = urlsplit(public_url)
    seals = Seals(keys, now=now)
    callback = f"{public_url}{PATH}{CALLBACK}"
    flow = None if client is None else CodeFlow(identities, client=client, callback=callback, seals=seals)
    page = _TeamPage(
        approvals,
        callers=callers,
        by_token=by_token,
        flow=flow,
        seals=seals,
        approvers=approvers,
        room=f"{public.path}{PATH}",
        about=about,
        costs=costs,
        now=now,
    )
    entered = [
        Route("/sign-in", page.ask_in),
        Route("/sign-in", page.sign_in, methods=["POST"]),
        Route("/sign-in/issuer", page.lead_out),
        Route(CALLBACK, page.come_back),
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
        by_token: bool,
        flow: CodeFlow | None,
        seals: Seals,
        approvers: Approvers,
        room: str,
        about: About,
        costs: Books | None,
        now: Callable[[], float],
    ) -> None:
        super().__init__(approvals, room=room, about=about, now=now, costs=costs, approvers=approvers)
        self._callers = callers
        self._by_token = by_token
        self._flow = flow
        self._seals = seals
        self._attempts = Attempts(now)

    async def visitor(self, request: Request) -> Visitor | None:
        """Find who signed in, and whether they still may: the callers' file is asked at each request."""
        session = self._session(request)
        person = None if session is None else self._person(session)
        if session is None or person is None or await self._approvals.is_used(_ended(session)):
            return None
        return Visitor(session.id, person)

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
        return self.render(
            "sign_in.html",
            request=request,
            status=status,
            to=self._known(to),
            error=error,
            by_token=self._by_token,
            by_issuer=self._flow is not None,
        )

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
            return self._turn_away(request, to)
        token = fields.get("caller_token", "").strip()
        who = self._callers.find(token)
        if not self._by_token or who is None:
            self._attempts.count(address)
            return self.invite(request, to, error=_WRONG)
        until = self._now() + SESSION_S
        session = Session(id=new_id(), name=who.name, proof=who.proof, bound=digest(token), until=until)
        return self._welcome(session, to)

    async def lead_out(self, request: Request) -> Response:
        """Lead to the identity provider, to sign in there."""
        to = request.query_params.get("to", "")
        if self._flow is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        try:
            place, begun = await self._flow.begin(self._known(to), now=self._now())
        except UnknownYetError as error:
            return self.invite(request, to, error=str(error), status=HTTPStatus.SERVICE_UNAVAILABLE)
        answer = RedirectResponse(place, HTTPStatus.SEE_OTHER)
        _keep(answer, BEGUN, begun, seconds=BEGUN_S)
        return answer

    async def come_back(self, request: Request) -> Response:
        """Take what the identity provider sends along with somebody, and open a session if it has signed them in."""
        query, address = request.query_params, address_of(request)
        if (flow := self._flow) is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        carried = flow.read(request.cookies.get(BEGUN, ""), query.get("state", ""))
        to = "" if carried is None else carried["to"]
        if self._attempts.too_many(address):
            return self._turn_away(request, to)
        who = None
        # each sign-in ends once, wherever it ends
        ends = carried is not None and await self._approvals.use(
            f"sign-in {carried['state']}", until=self._now() + BEGUN_S
        )
        if carried is not None and ends and "code" in query:
            try:
                who = await flow.finish(carried, code=query["code"], issuer=query.get("iss"))
            except UnknownYetError as error:
                return self.invite(request, to, error=str(error), status=HTTPStatus.SERVICE_UNAVAILABLE)
        if who is None:
            self._attempts.count(address)
            return self.invite(request, to, error=_NOT_SIGNED_IN)
        session = Session(
            id=new_id(),
            name=who.name,
            proof=who.proof,
            bound=flow.client.bound,
            groups=self._most(who.groups),
            known_as=tuple(sorted(who.known_as)),
            until=self._now() + ISSUER_SESSION_S,
        )
        answer = self._welcome(session, to)
        _forget(answer, BEGUN)
        return answer

    async def sign_out(self, request: Request) -> Response:
        """End a session, wherever else its cookie may be."""
        await self._genuine(request, "sign-out")
        session = self._session(request)
        if session is not None:
            await self._approvals.use(_ended(session), until=session.until)
        answer = RedirectResponse(f"{self._room}/sign-in", HTTPStatus.SEE_OTHER)
        _forget(answer, COOKIE)
        return answer

    def _session(self, request: Request) -> Session | None:
        return self._seals.open_session(request.cookies.get(COOKIE, ""))

    def _person(self, session: Session) -> Person | None:
        """Find who a session is of, as the callers' file says now; None if it isn't good any more."""
        groups = frozenset(session.groups)
        who = Identity(session.name, session.proof, groups=groups, known_as=frozenset(session.known_as))
        try:
            row = self._callers.row_of(who)
        except CallersError:
            return None
        if row is not None and not row.risks:
            # that is how the operator keeps somebody out
            return None
        if session.proof is Proof.FILE:
            # another token is another sign-in, whatever the name
            good = self._by_token and row is not None and row.sha256 == session.bound
        else:
            good = self._flow is not None and session.bound == self._flow.client.bound
        if not good:
            return None
        return Person(
            name=session.name,
            approver=row is not None and row.approver,
            groups=groups,
            known_as=self._callers.names_of(who),
            called=self._callers.name_of(who),
        )

    def _known(self, to: str) -> str:
        """The id of a request to open; nothing where it can't be one."""
        return to if self.place(to).endswith(f"/requests/{to}") else ""

    def _most(self, groups: frozenset[str]) -> tuple[str, ...]:
        """As many groups as a cookie holds, those that make an approver first; the others can only do without."""
        ours = self._approvers.groups if self._approvers is not None else frozenset()
        kept: list[str] = []
        for group in sorted(groups, key=lambda each: (each not in ours, each)):
            if sum(map(len, kept)) + len(group) <= _GROUPS_LONGEST:
                kept.append(group)
        return tuple(kept)

    def _turn_away(self, request: Request, to: str) -> Response:
        answer = self.invite(request, to, error=_TOO_OFTEN, status=HTTPStatus.TOO_MANY_REQUESTS)
        answer.headers["Retry-After"] = f"{SPAN_S:.0f}"
        return answer

    def _welcome(self, session: Session, to: str) -> Response:
        answer = RedirectResponse(self.place(to), HTTPStatus.SEE_OTHER)
        _keep(answer, COOKIE, self._seals.seal_session(session), seconds=session.until - self._now())
        return answer


def _ended(session: Session) -> str:
    """What is used up once a session was ended."""
    return f"signed out {session.id}"


def _keep(answer: Response, cookie: str, value: str, *, seconds: float) -> None:
    """Have a browser keep a cookie: lax, as who comes by a link from a chat is to be known; no GET changes a thing."""
    answer.set_cookie(cookie, value, max_age=int(seconds), path="/", secure=True, httponly=True, samesite="lax")


def _forget(answer: Response, cookie: str) -> None:
    """Have a browser forget a cookie."""
    answer.delete_cookie(cookie, path="/", secure=True, httponly=True, samesite="lax")
