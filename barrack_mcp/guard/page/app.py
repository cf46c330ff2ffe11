"""The page itself: what is asked for at which address, and what a form does."""

from __future__ import annotations

import contextlib
import functools
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from http import HTTPStatus
from importlib import resources
from typing import Any, Final
from urllib.parse import parse_qsl

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from barrack_mcp.api.errors import ApiError
from barrack_mcp.api.text import escape
from barrack_mcp.guard.approvals import Approval, Approvals, NotPending, Status, UnknownApproval, WrongName
from barrack_mcp.guard.page.costs import BAR, HEIGHT, WIDTH, ReadCosts
from barrack_mcp.guard.page.entry import SESSION_S, Entry, Pass
from barrack_mcp.guard.page.live import Live
from barrack_mcp.guard.page.shield import HEADERS, Shield
from barrack_mcp.guard.page.view import UNTOLD, About, by_caller, card
from barrack_mcp.guard.ruling import ON_THE_PAGE
from barrack_mcp.state.store import StoreError

_MAX_CARDS: Final = 5
"""What waits beyond these is shown in short."""
_MAX_FIELDS: Final = 8
_LONGEST_CHALLENGE: Final = 200
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
    HTTPStatus.MISDIRECTED_REQUEST: "This page answers under its own address only: 127.0.0.1 and its port.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The page failed; what went wrong is in the server's log. Look at the request "
    "again to see whether your answer was taken.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Too many pages listen for news already; close some of them.",
}
_OLD_LINK: Final = "This link was used before, or is too old. Get a new one."
_UNREADABLE: Final = "Nothing changed: another version wrote this request, and what can't be shown can't be approved."

_Endpoint = Callable[[Request], Awaitable[Response]]


def create_page(
    approvals: Approvals,
    *,
    secret: str,
    room: str,
    allowed_hosts: Collection[str],
    passphrase: str | None = None,
    about: About = UNTOLD,
    costs: ReadCosts | None = None,
    now: Callable[[], float] = time.time,
) -> Starlette:
    """Make the page on which a person approves and denies.

    Args:
        approvals: What it shows and decides.
        secret: What lets a person in; at least 16 characters. No answer or log ever holds it.
        room: The path below which it lives, see `new_room`; what stands outside of it tells nothing of it.
        allowed_hosts: The names with ports under which it may be addressed, such as `127.0.0.1:40123`.
        passphrase: Hash of what has to be typed beside; None where the link is enough.
        about: For what it speaks, told in its header.
        costs: Reads what runs and what it costs; None where that isn't shown.
        now: The time in seconds since 1970.
    """
    page = _Page(approvals, Entry(secret, room=room, passphrase=passphrase, now=now), room, about, now, costs=costs)
    app = Starlette(
        routes=[
            Route("/", page.outside),
            Route("/proof", page.prove),
            Route("/static/{name}", page.asset),
            Mount(
                room,
                routes=[
                    Route("/", page.inside(page.home)),
                    Route("/enter", page.enter),
                    Route("/enter", page.enter_with_passphrase, methods=["POST"]),
                    Route("/requests/{approval_id}", page.inside(page.show)),
                    Route("/requests/{approval_id}/approve", page.inside(page.approve), methods=["POST"]),
                    Route("/requests/{approval_id}/deny", page.inside(page.deny), methods=["POST"]),
                    Route("/callers/deny", page.inside(page.deny_all), methods=["POST"]),
                    Route("/events", page.inside(page.events)),
                    Route("/costs", page.inside(page.what_runs)),
                ],
            ),
        ],
        middleware=[Middleware(Shield, hosts=allowed_hosts, refuse=page.problem)],
        exception_handlers={
            HTTPException: page.on_http,
            UnknownApproval: page.on_unknown,
            StoreError: page.on_store,
            Exception: page.on_failure,
        },
    )
    app.router.redirect_slashes = False
    app.state.live = page.live
    return app


class _Page:
    def __init__(
        self,
        approvals: Approvals,
        entry: Entry,
        room: str,
        about: About,
        now: Callable[[], float],
        *,
        costs: ReadCosts | None,
    ) -> None:
        self._approvals = approvals
        self._entry = entry
        self._room = room
        self._about = about
        self._now = now
        self._costs = costs
        self.live = Live(approvals)
        folder = resources.files("barrack_mcp.guard.page") / "static"
        self._assets = {name: (folder / name).read_bytes() for name in _ASSETS}

    def inside(self, endpoint: _Endpoint) -> _Endpoint:
        """Let only those in who signed in."""

        async def guarded(request: Request) -> Response:
            if self._entry.holds(_session(request)):
                return await endpoint(request)
            return self._sign_in(request, request.path_params.get("approval_id", ""))

        return guarded

    async def home(self, request: Request) -> Response:
        """Show what waits, and what was decided lately."""
        pending, recent = await self._approvals.pending(), await self._approvals.recent()
        return self._render(
            "home.html",
            request=request,
            waiting=len(pending),
            cards=[card(approval, now=self._now()) for approval in pending[:_MAX_CARDS]],
            more=[card(approval, now=self._now()) for approval in pending[_MAX_CARDS:]],
            together=by_caller(pending),
            rows=[card(approval, now=self._now()) for approval in recent],
        )

    async def show(self, request: Request) -> Response:
        """Show one request."""
        return self._one(request, await self._approvals.find(request.path_params["approval_id"]))

    async def approve(self, request: Request) -> Response:
        """Take a yes."""
        fields = await self._genuine(request)
        approval_id = request.path_params["approval_id"]
        if card(await self._approvals.find(approval_id), now=self._now()).details is None:
            return self.problem(HTTPStatus.CONFLICT, _UNREADABLE, request=request)
        return await self._decide(
            request, self._approvals.approve(approval_id, by=ON_THE_PAGE, typed=fields.get("typed"))
        )

    async def deny(self, request: Request) -> Response:
        """Take a no."""
        await self._genuine(request)
        return await self._decide(request, self._approvals.deny(request.path_params["approval_id"], by=ON_THE_PAGE))

    async def deny_all(self, request: Request) -> Response:
        """Take one no for all that a caller asks for."""
        fields = await _fields(request)
        caller = fields.get("caller", "")
        if not self._entry.marks(fields.get("mark", ""), _session(request), f"caller {caller}"):
            raise HTTPException(HTTPStatus.FORBIDDEN)
        for approval in await self._approvals.pending():
            if approval.caller == caller:
                # what was answered or lapsed meanwhile needs no no
                with contextlib.suppress(NotPending):
                    await self._approvals.deny(approval.id, by=ON_THE_PAGE)
        return RedirectResponse(self._place(""), HTTPStatus.SEE_OTHER)

    async def what_runs(self, request: Request) -> Response:
        """Show what runs and what it costs, as it is now."""
        if self._costs is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        try:
            found = await self._costs()
        except ApiError as error:
            return self.problem(HTTPStatus.BAD_GATEWAY, error.sentence, request=request)
        return self._render("costs.html", request=request, costs=found, width=WIDTH, height=HEIGHT, bar=BAR)

    async def events(self, _: Request) -> Response:
        """Tell of changes as they happen."""
        if self.live.full:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE)
        return self.live.stream()

    async def enter(self, request: Request) -> Response:
        """Take a link that works once, and open a session."""
        to, token = request.query_params.get("to", ""), request.query_params.get("token", "")
        if self._entry.wants_passphrase and self._read(request, token) is not None:
            return self._sign_in(request, to, token=token)
        return await self._let_in(request, to, token)

    async def enter_with_passphrase(self, request: Request) -> Response:
        """Take a link and the passphrase from a form, and open a session."""
        fields = await _fields(request)
        to, token = fields.get("to", ""), fields.get("token", "")
        if not self._entry.wants_passphrase or self._read(request, token) is None:
            return self._sign_in(request, to, error=_OLD_LINK)
        if not await self._entry.knows(fields.get("passphrase", "")):
            return self._sign_in(request, to, token=token, error="That is not the passphrase.")
        return await self._let_in(request, to, token)

    async def outside(self, request: Request) -> Response:
        """Say how to get in; from here nobody learns where the page is."""
        return self._sign_in(request, "")

    async def prove(self, request: Request) -> Response:
        """Show to the person's own terminal that this is the page, and nobody who took its port."""
        challenge = request.query_params.get("challenge", "")[:_LONGEST_CHALLENGE]
        return PlainTextResponse(self._entry.answer(challenge, host=request.headers["host"].lower()))

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
        return self._render(
            "problem.html",
            request=request,
            status=status,
            headers=headers,
            title=known.phrase,
            sentence=sentence or _SENTENCES.get(known, known.description),
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

    async def _genuine(self, request: Request) -> dict[str, str]:
        fields = await _fields(request)
        if not self._entry.marks(fields.get("mark", ""), _session(request), request.path_params["approval_id"]):
            raise HTTPException(HTTPStatus.FORBIDDEN)
        return fields

    async def _decide(self, request: Request, decision: Awaitable[Approval]) -> Response:
        try:
            decided = await decision
        except NotPending as error:
            return self._one(request, error.approval, status=HTTPStatus.CONFLICT, error=str(error))
        except WrongName as error:
            return self._one(request, error.approval, status=HTTPStatus.UNPROCESSABLE_ENTITY, error=str(error))
        return RedirectResponse(self._place(decided.id), HTTPStatus.SEE_OTHER)

    def _one(
        self, request: Request, approval: Approval, *, status: int = HTTPStatus.OK, error: str | None = None
    ) -> Response:
        shown = card(approval, now=self._now())
        return self._render("request.html", request=request, status=status, card=shown, error=error)

    def _read(self, request: Request, token: str) -> Pass | None:
        return self._entry.read(token, host=request.headers["host"].lower())

    async def _let_in(self, request: Request, to: str, token: str) -> Response:
        """Use a link up, and open a session."""
        read = self._read(request, token)
        if read is None or not await self._approvals.use(read.nonce, until=read.until):
            return self._sign_in(request, to, error=_OLD_LINK)
        return self._welcome(request, to)

    def _sign_in(self, request: Request, to: str, *, token: str | None = None, error: str | None = None) -> Response:
        """Say how to get in; with a link that is good, ask for the passphrase."""
        to = to if _ID.fullmatch(to) else ""
        return self._render(
            "enter.html",
            request=request,
            status=HTTPStatus.UNAUTHORIZED,
            here=self._place(to),
            to=to,
            token=token,
            error=error,
        )

    def _welcome(self, request: Request, to: str) -> Response:
        answer = RedirectResponse(self._place(to), HTTPStatus.SEE_OTHER)
        session = self._entry.open(_session(request))
        # a cookie goes to every port of this machine, but to this path only; nobody else knows it
        answer.set_cookie(
            _cookie(request), session, max_age=SESSION_S, path=f"{self._room}/", httponly=True, samesite="strict"
        )
        return answer

    def _render(
        self,
        name: str,
        *,
        request: Request | None = None,
        status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
        **shown: Any,
    ) -> Response:
        session = "" if request is None else _session(request)
        # who stands outside is told no address inside
        room = self._room if request is not None and request.url.path.startswith(f"{self._room}/") else None

        def mark(about: str) -> str:
            return self._entry.mark(session, about)

        text = (
            _templates()
            .get_template(name)
            .render(
                mark=mark,
                room=room,
                about=self._about,
                pending=Status.PENDING.value,
                tells_costs=self._costs is not None,
                **shown,
            )
        )
        return HTMLResponse(text, status, headers)

    def _place(self, approval_id: str) -> str:
        return f"{self._room}/requests/{approval_id}" if _ID.fullmatch(approval_id) else f"{self._room}/"


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


def _cookie(request: Request) -> str:
    """Name the cookie after the port: a browser keeps one jar for all ports of this machine."""
    return f"barrack_page_{request.headers['host'].rpartition(':')[2]}"


def _session(request: Request) -> str:
    return request.cookies.get(_cookie(request), "")


async def _fields(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        text = (await request.body()).decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"))
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None
