"""The page itself, common to all its entries: what is asked for at which address, and what a form does."""

from __future__ import annotations

import contextlib
import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from barrack_mcp.api.errors import ApiError
from barrack_mcp.api.text import escape
from barrack_mcp.guard.approvals import (
    Approval,
    Approvals,
    Approvers,
    NotPending,
    Person,
    Status,
    UnknownApproval,
    WrongName,
    sign,
)
from barrack_mcp.guard.page.about import About, Books
from barrack_mcp.guard.page.costs import BAR, HEIGHT, WIDTH
from barrack_mcp.guard.page.live import Live
from barrack_mcp.guard.page.shield import HEADERS, Shield
from barrack_mcp.guard.page.view import Card, by_caller, card
from barrack_mcp.state.store import StoreError

_MAX_CARDS: Final = 5
"""What waits beyond these is shown in short."""
_MAX_ROWS: Final = 20
_MOST_LOOKED_AT: Final = 500
_MAX_FIELDS: Final = 8
_ID: Final = re.compile(r"[a-z0-9-]{1,40}")
_ASSETS: Final = {"page.css": "text/css", "page.js": "text/javascript"}
_SENTENCES: Final = {
    HTTPStatus.BAD_REQUEST: "The browser sent something that this page can't read.",
    HTTPStatus.FORBIDDEN: "This form was not sent from this page, or it is too old. Nothing changed; open the request "
    "again and answer there.",
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address takes no such request. Open the request again.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The browser sent more than this page takes. Nothing changed.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "This page takes plain forms only. Nothing changed.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The page failed; what went wrong is in the server's log. Look at the request "
    "again to see whether your answer was taken.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Too many pages listen for news already; close some of them.",
}
_UNREADABLE: Final = "Nothing changed: another version wrote this request, and what can't be shown can't be approved."

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Visitor:
    """Whose browser asks.

    Attributes:
        session: What tells this sign-in from every other.
        person: Who signed in; None where the page knows no names, and whoever got in may answer everything.
    """

    session: str
    person: Person | None = None


class Page(ABC):
    """The page; how people get in, and who they are, is its entry's part.

    Args:
        approvals: What it shows and decides.
        room: The path below which it lives, as browsers see it.
        about: For what it speaks, told in its header.
        now: The time in seconds since 1970.
        costs: The accounts whose costs are shown; None where none are.
        approvers: Who may say yes; None where everybody may who got in.
    """

    scheme = "http"
    """How browsers reach it."""
    misdirected = "This page answers under its own address only."

    def __init__(
        self,
        approvals: Approvals,
        *,
        room: str,
        about: About,
        now: Callable[[], float],
        costs: Books | None,
        approvers: Approvers | None = None,
    ) -> None:
        self._approvals = approvals
        self._room = room
        self._about = about
        self._now = now
        self._costs = costs
        self._approvers = approvers
        self.live = Live(approvals)
        folder = resources.files("barrack_mcp.guard.page") / "static"
        self._assets = {name: (folder / name).read_bytes() for name in _ASSETS}

    @abstractmethod
    async def visitor(self, request: Request) -> Visitor | None:
        """Find whose browser asks; None for a stranger's."""

    @abstractmethod
    def mark(self, visitor: Visitor | None, about: str) -> str:
        """Make the mark that a form carries: it shows that this visitor was shown this."""

    @abstractmethod
    def marks(self, mark: str, visitor: Visitor, about: str) -> bool:
        """Whether a form's mark is genuine."""

    @abstractmethod
    def invite(self, request: Request, to: str) -> Response:
        """Answer a stranger: say how to get in, and lead to a request from there."""

    def routes(self) -> Sequence[BaseRoute]:
        """What is shown to who got in, below the page's own path."""
        return [
            Route("/", self.inside(self.home)),
            Route("/requests/{approval_id}", self.inside(self.show)),
            Route("/requests/{approval_id}/approve", self.inside(self.approve), methods=["POST"]),
            Route("/requests/{approval_id}/deny", self.inside(self.deny), methods=["POST"]),
            Route("/callers/deny", self.inside(self.deny_all), methods=["POST"]),
            Route("/events", self.inside(self.events)),
            Route("/costs", self.inside(self.what_runs)),
        ]

    def serve(self, routes: Sequence[BaseRoute], *, hosts: Collection[str]) -> Starlette:
        """Put the page behind its shield.

        Args:
            routes: All that it answers.
            hosts: The names with ports under which it may be addressed, such as `127.0.0.1:40123`.
        """
        app = Starlette(
            routes=routes,
            middleware=[Middleware(Shield, hosts=hosts, scheme=self.scheme, refuse=self.problem)],
            exception_handlers={
                HTTPException: self.on_http,
                UnknownApproval: self.on_unknown,
                StoreError: self.on_store,
                Exception: self.on_failure,
            },
        )
        app.router.redirect_slashes = False
        app.state.live = self.live
        return app

    def inside(self, endpoint: Endpoint) -> Endpoint:
        """Let only those in who signed in."""

        async def guarded(request: Request) -> Response:
            visitor = await self.visitor(request)
            if visitor is None:
                return self.invite(request, request.path_params.get("approval_id", ""))
            request.state.visitor = visitor
            return await endpoint(request)

        return guarded

    async def home(self, request: Request) -> Response:
        """Show what waits, and what was decided lately."""
        visitor = _visitor(request)
        pending = self._seen_by(visitor, await self._approvals.pending())
        # of many, those of one caller are few
        recent = self._seen_by(visitor, await self._approvals.recent(_MOST_LOOKED_AT))[:_MAX_ROWS]
        cards = [self._card(visitor, approval) for approval in pending]
        return self.render(
            "home.html",
            request=request,
            waiting=sum(each.hindrance is None for each in cards),
            others=sum(each.hindrance is not None for each in cards),
            cards=cards[:_MAX_CARDS],
            more=cards[_MAX_CARDS:],
            together=by_caller(pending),
            rows=[self._card(visitor, approval) for approval in recent],
        )

    async def show(self, request: Request) -> Response:
        """Show one request."""
        return self._one(request, await self._found(request))

    async def approve(self, request: Request) -> Response:
        """Take a yes."""
        fields = await self._genuine(request, request.path_params["approval_id"])
        visitor, approval = _visitor(request), await self._found(request)
        shown = self._card(visitor, approval)
        if shown.hindrance is not None:
            return self._one(request, approval, status=HTTPStatus.FORBIDDEN, error=shown.hindrance)
        if shown.details is None:
            return self.problem(HTTPStatus.CONFLICT, _UNREADABLE, request=request)
        return await self._decide(
            request, self._approvals.approve(approval.id, by=_signature(visitor), typed=fields.get("typed"))
        )

    async def deny(self, request: Request) -> Response:
        """Take a no."""
        await self._genuine(request, request.path_params["approval_id"])
        approval = await self._found(request)
        return await self._decide(request, self._approvals.deny(approval.id, by=_signature(_visitor(request))))

    async def deny_all(self, request: Request) -> Response:
        """Take one no for all that a caller asks for."""
        caller = (await read_fields(request)).get("caller", "")
        await self._genuine(request, f"caller {caller}")
        visitor = _visitor(request)
        for approval in self._seen_by(visitor, await self._approvals.pending()):
            if approval.caller == caller:
                # what was answered or lapsed meanwhile needs no no
                with contextlib.suppress(NotPending):
                    await self._approvals.deny(approval.id, by=_signature(visitor))
        return RedirectResponse(self.place(""), HTTPStatus.SEE_OTHER)

    async def what_runs(self, request: Request) -> Response:
        """Show what runs and what it costs, as it is now."""
        if self._costs is None or not self._approves(_visitor(request)):
            raise HTTPException(HTTPStatus.NOT_FOUND)
        try:
            found = await self._costs.read(caller := request.query_params.get("of", ""))
        except ApiError as error:
            return self.problem(HTTPStatus.BAD_GATEWAY, error.sentence, request=request)
        return self.render(
            "costs.html",
            request=request,
            costs=found,
            owners=self._costs.owners(),
            brought=self._costs.brought,
            whose=self._costs.owners_of(caller),
            width=WIDTH,
            height=HEIGHT,
            bar=BAR,
        )

    async def events(self, _: Request) -> Response:
        """Tell of changes as they happen."""
        if self.live.full:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE)
        return self.live.stream()

    async def asset(self, request: Request) -> Response:
        """Give out the style or the script."""
        name = request.path_params["name"]
        if name not in _ASSETS:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return Response(self._assets[name], media_type=_ASSETS[name])

    def problem(
        self,
        status: int,
        sentence: str | None = None,
        headers: Mapping[str, str] | None = None,
        request: Request | None = None,
    ) -> Response:
        """Say in a small page what went wrong."""
        known = HTTPStatus(status)
        own = self.misdirected if known is HTTPStatus.MISDIRECTED_REQUEST else None
        return self.render(
            "problem.html",
            request=request,
            status=status,
            headers=headers,
            title=known.phrase,
            sentence=sentence or own or _SENTENCES.get(known, known.description),
        )

    async def on_http(self, request: Request, error: Exception) -> Response:
        """Answer for an address or method that isn't there."""
        assert isinstance(error, HTTPException)  # noqa: S101  # registered for it
        return self.problem(error.status_code, headers=error.headers, request=request)

    async def on_unknown(self, request: Request, error: Exception) -> Response:
        """Answer for a request that isn't there."""
        return self.problem(HTTPStatus.NOT_FOUND, str(error), request=request)

    async def on_store(self, request: Request, error: Exception) -> Response:
        """Answer when the state can't be read or written."""
        return self.problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), request=request)

    async def on_failure(self, _: Request, __: Exception) -> Response:
        """Answer for a mistake of ours, from outside the shield."""
        return self.problem(HTTPStatus.INTERNAL_SERVER_ERROR, headers=HEADERS)

    def render(
        self,
        name: str,
        *,
        request: Request | None = None,
        status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
        **shown: Any,
    ) -> Response:
        """Lay out one of the page's sheets."""
        visitor = None if request is None else getattr(request.state, "visitor", None)
        text = (
            _templates()
            .get_template(name)
            .render(
                mark=functools.partial(self.mark, visitor),
                room=self.told_room(request),
                assets=self.assets_path,
                about=self._about,
                pending=Status.PENDING.value,
                person=None if visitor is None else visitor.person,
                signs_in=self._approvers is not None,
                tells_costs=self._costs is not None and (visitor is None or self._approves(visitor)),
                **shown,
            )
        )
        return HTMLResponse(text, status, headers)

    @property
    def assets_path(self) -> str:
        """Where the style and the script are."""
        return "/static"

    def told_room(self, request: Request | None) -> str | None:
        """The page's own path, for whoever may know it; None for others."""
        # who stands outside is told no address inside
        return self._room if request is not None and request.url.path.startswith(f"{self._room}/") else None

    def place(self, approval_id: str) -> str:
        """The path of a request; that of the list where there can be no such request."""
        return f"{self._room}/requests/{approval_id}" if _ID.fullmatch(approval_id) else f"{self._room}/"

    async def _genuine(self, request: Request, about: str) -> dict[str, str]:
        """Read a form that this visitor was shown."""
        fields = await read_fields(request)
        if not self.marks(fields.get("mark", ""), _visitor(request), about):
            raise HTTPException(HTTPStatus.FORBIDDEN)
        return fields

    async def _found(self, request: Request) -> Approval:
        """Find a request, as far as its visitor may know of it."""
        approval = await self._approvals.find(request.path_params["approval_id"])
        if not self._seen_by(_visitor(request), [approval]):
            raise UnknownApproval
        return approval

    async def _decide(self, request: Request, decision: Awaitable[Approval]) -> Response:
        try:
            decided = await decision
        except NotPending as error:
            return self._one(request, error.approval, status=HTTPStatus.CONFLICT, error=str(error))
        except WrongName as error:
            return self._one(request, error.approval, status=HTTPStatus.UNPROCESSABLE_ENTITY, error=str(error))
        return RedirectResponse(self.place(decided.id), HTTPStatus.SEE_OTHER)

    def _one(
        self, request: Request, approval: Approval, *, status: int = HTTPStatus.OK, error: str | None = None
    ) -> Response:
        shown = self._card(_visitor(request), approval)
        own = self._costs is not None and self._costs.owners_of(approval.caller)
        about = f"?{urlencode({'of': approval.caller})}" if own else ""
        return self.render("request.html", request=request, status=status, card=shown, error=error, about_whom=about)

    def _card(self, visitor: Visitor, approval: Approval) -> Card:
        if self._approvers is None or visitor.person is None:
            return card(approval, now=self._now())
        hindrance = self._approvers.why_not(visitor.person, approval)
        return card(approval, now=self._now(), hindrance=hindrance, own=approval.caller == visitor.person.name)

    def _seen_by(self, visitor: Visitor, approvals: Sequence[Approval]) -> list[Approval]:
        if self._approvers is None or visitor.person is None:
            return list(approvals)
        return [each for each in approvals if self._approvers.may_see(visitor.person, each)]

    def _approves(self, visitor: Visitor) -> bool:
        return self._approvers is None or visitor.person is None or self._approvers.include(visitor.person)


@functools.cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("barrack_mcp.guard.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # a browser gets it as HTML, escaped as such, and reads no Markdown
    templates.globals["escape"] = functools.partial(escape, code=True)
    return templates


def _visitor(request: Request) -> Visitor:
    """Whose browser asks, as was found before."""
    visitor: Visitor = request.state.visitor
    return visitor


def _signature(visitor: Visitor) -> str:
    return sign(None if visitor.person is None else visitor.person.name)


async def read_fields(request: Request) -> dict[str, str]:
    """Read a plain form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        text = (await request.body()).decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"))
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None
