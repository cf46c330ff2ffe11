"""The page itself: what is asked for at which address, and what a form does."""

from __future__ import annotations

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
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from barrack_mcp.api.text import escape
from barrack_mcp.guard.approvals import Approval, Approvals, NotPending, Status, UnknownApproval, WrongName
from barrack_mcp.guard.page.entry import SESSION_S, Entry
from barrack_mcp.guard.page.live import Live
from barrack_mcp.guard.page.shield import HEADERS, Shield
from barrack_mcp.guard.page.view import card
from barrack_mcp.state.store import StoreError

BY: Final = "on the page"
"""How an answer given here is recorded."""

_MAX_CARDS: Final = 25
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
    HTTPStatus.MISDIRECTED_REQUEST: "This page answers under its own address only: 127.0.0.1 and its port.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The page failed; what went wrong is in the server's log. Look at the request "
    "again to see whether your answer was taken.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Too many pages listen for news already; close some of them.",
}
_UNREADABLE: Final = "Nothing changed: another version wrote this request, and what can't be shown can't be approved."

_Endpoint = Callable[[Request], Awaitable[Response]]


def create_page(
    approvals: Approvals, *, secret: str, allowed_hosts: Collection[str], now: Callable[[], float] = time.time
) -> Starlette:
    """Make the page on which a person approves and denies.

    Args:
        approvals: What it shows and decides.
        secret: What lets a person in; at least 16 characters. No answer or log ever holds it.
        allowed_hosts: The names with ports under which it may be addressed, such as `127.0.0.1:40123`.
        now: The time in seconds since 1970.
    """
    page = _Page(approvals, Entry(secret, now=now), now)
    app = Starlette(
        routes=[
            Route("/", page.inside(page.home)),
            Route("/enter", page.enter),
            Route("/enter", page.enter_with_secret, methods=["POST"]),
            Route("/requests/{approval_id}", page.inside(page.show)),
            Route("/requests/{approval_id}/approve", page.inside(page.approve), methods=["POST"]),
            Route("/requests/{approval_id}/deny", page.inside(page.deny), methods=["POST"]),
            Route("/events", page.inside(page.events)),
            Route("/static/{name}", page.asset),
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
    def __init__(self, approvals: Approvals, entry: Entry, now: Callable[[], float]) -> None:
        self._approvals = approvals
        self._entry = entry
        self._now = now
        self.live = Live(approvals)
        folder = resources.files("barrack_mcp.guard.page") / "static"
        self._assets = {name: (folder / name).read_bytes() for name in _ASSETS}

    def inside(self, endpoint: _Endpoint) -> _Endpoint:
        """Let only those in who signed in."""

        async def guarded(request: Request) -> Response:
            if self._entry.holds(_session(request)):
                return await endpoint(request)
            return self._sign_in(request.path_params.get("approval_id", ""))

        return guarded

    async def home(self, request: Request) -> Response:
        """Show what waits, and what was decided lately."""
        pending, recent = await self._approvals.pending(), await self._approvals.recent()
        return self._render(
            "home.html",
            request=request,
            waiting=len(pending),
            cards=[card(approval, now=self._now()) for approval in pending[:_MAX_CARDS]],
            rows=[card(approval, now=self._now()) for approval in pending[_MAX_CARDS:] + recent],
        )

    async def show(self, request: Request) -> Response:
        """Show one request."""
        return self._one(request, await self._approvals.find(request.path_params["approval_id"]))

    async def approve(self, request: Request) -> Response:
        """Take a yes."""
        fields = await self._genuine(request)
        approval_id = request.path_params["approval_id"]
        if card(await self._approvals.find(approval_id), now=self._now()).details is None:
            return self.problem(HTTPStatus.CONFLICT, _UNREADABLE)
        return await self._decide(request, self._approvals.approve(approval_id, by=BY, typed=fields.get("typed")))

    async def deny(self, request: Request) -> Response:
        """Take a no."""
        await self._genuine(request)
        return await self._decide(request, self._approvals.deny(request.path_params["approval_id"], by=BY))

    async def events(self, _: Request) -> Response:
        """Tell of changes as they happen."""
        if self.live.full:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE)
        return self.live.stream()

    async def enter(self, request: Request) -> Response:
        """Take a link that works once, and open a session."""
        to = request.query_params.get("to", "")
        token = self._entry.read(request.query_params.get("token", ""), host=request.headers["host"].lower())
        if token is None or not await self._approvals.use(token.nonce, until=token.until):
            return self._sign_in(to, error="This link was used before, or is too old. Get a new one.")
        return self._welcome(request, to)

    async def enter_with_secret(self, request: Request) -> Response:
        """Take the secret from a form, and open a session."""
        fields = await _fields(request)
        to = fields.get("to", "")
        if not self._entry.knows(fields.get("secret", "").strip()):
            return self._sign_in(to, error="That is not the secret.")
        return self._welcome(request, to)

    async def asset(self, request: Request) -> Response:
        """Give out the style or the script."""
        name = request.path_params["name"]
        if name not in _ASSETS:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return Response(self._assets[name], media_type=_ASSETS[name])

    def problem(self, status: int, sentence: str | None = None, headers: Mapping[str, str] | None = None) -> Response:
        """Say in a small page what went wrong."""
        known = HTTPStatus(status)
        return self._render(
            "problem.html",
            status=status,
            headers=headers,
            title=known.phrase,
            sentence=sentence or _SENTENCES.get(known, known.description),
        )

    async def on_http(self, _: Request, error: Exception) -> Response:
        """Answer for an address or method that isn't there."""
        assert isinstance(error, HTTPException)  # noqa: S101  # registered for it
        return self.problem(error.status_code, headers=error.headers)

    async def on_unknown(self, _: Request, error: Exception) -> Response:
        """Answer for a request that isn't there."""
        return self.problem(HTTPStatus.NOT_FOUND, str(error))

    async def on_store(self, _: Request, error: Exception) -> Response:
        """Answer when the state can't be read or written."""
        return self.problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))

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
        return RedirectResponse(f"/requests/{decided.id}", HTTPStatus.SEE_OTHER)

    def _one(
        self, request: Request, approval: Approval, *, status: int = HTTPStatus.OK, error: str | None = None
    ) -> Response:
        shown = card(approval, now=self._now())
        return self._render("request.html", request=request, status=status, card=shown, error=error)

    def _sign_in(self, approval_id: str, *, error: str | None = None) -> Response:
        to = approval_id if _ID.fullmatch(approval_id) else ""
        return self._render("enter.html", status=HTTPStatus.UNAUTHORIZED, here=_place(to), to=to, error=error)

    def _welcome(self, request: Request, to: str) -> Response:
        answer = RedirectResponse(_place(to), HTTPStatus.SEE_OTHER)
        session = self._entry.open(_session(request))
        answer.set_cookie(_cookie(request), session, max_age=SESSION_S, path="/", httponly=True, samesite="strict")
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

        def mark(approval_id: str) -> str:
            return self._entry.mark(session, approval_id)

        text = _templates().get_template(name).render(mark=mark, pending=Status.PENDING.value, **shown)
        return HTMLResponse(text, status, headers)


@functools.cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("barrack_mcp.guard.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["escape"] = escape
    return templates


def _cookie(request: Request) -> str:
    """Name the cookie after the port: a browser keeps one jar for all ports of this machine."""
    return f"barrack_page_{request.headers['host'].rpartition(':')[2]}"


def _session(request: Request) -> str:
    return request.cookies.get(_cookie(request), "")


def _place(approval_id: str) -> str:
    return f"/requests/{approval_id}" if _ID.fullmatch(approval_id) else "/"


async def _fields(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        text = (await request.body()).decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"))
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None
