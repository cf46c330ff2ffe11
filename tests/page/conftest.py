"""A page with a clock that tests move, a browser that is signed in, and a watch for the secret."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from barrack_mcp.catalogue import Risk
from barrack_mcp.catalogue.outcome import Cost, Plan, Safer
from barrack_mcp.guard.approvals import Approval, Approvals
from barrack_mcp.guard.page import login_link
from barrack_mcp.guard.page.about import UNTOLD, About, Books
from barrack_mcp.guard.page.link.page import create_page
from barrack_mcp.state.store import SqliteStore
from tests.support.clock import Clock

HOST = "127.0.0.1:4000"
ORIGIN = f"http://{HOST}"
ROOM = "/a-path-that-nobody-guesses"
PAGE = f"{ORIGIN}{ROOM}"
SECRET = "canary-0123456789-secret"

PLAN = Plan(
    summary="Delete instance train-1 for good, with its boot disk.",
    risk=Risk.DESTROY,
    target={"type": "instance", "id": "i-8f42", "name": "train-1", "status": "ACTIVE", "gpu_count": 2},
    cost=Cost(currency="USD", hourly_now=4.98, hourly_after=0.0, spent_so_far=737.04),
    lost=["Boot disk, 100 GB."],
    kept=["Volume datasets."],
    warnings=["No snapshot of it was ever made."],
    safer=[
        Safer(tool="hibernate_instance", arguments={"instance_id": "i-8f42"}, why="The bill falls to 0.12 USD an hour.")
    ],
)


@dataclass
class Desk:
    """Everything around one page."""

    approvals: Approvals
    now: Clock
    seen: list[str] = field(default_factory=list)
    asked: int = 0
    passphrase: str | None = None
    about: About = UNTOLD
    costs: Books | None = None

    def browser(self, **headers: str) -> httpx2.AsyncClient:
        """A browser that keeps cookies, follows nothing and has everything it is answered written down."""

        async def write_down(response: httpx2.Response) -> None:
            await response.aread()
            self.seen.append(f"{response.status_code} {response.headers} {response.text}")

        page = create_page(
            self.approvals,
            secret=SECRET,
            room=ROOM,
            allowed_hosts=[HOST, "localhost:4000"],
            passphrase=self.passphrase,
            about=self.about,
            costs=self.costs,
            now=self.now,
        )
        # a failure is answered as a browser would see it
        transport = httpx2.ASGITransport(app=page, raise_app_exceptions=False)
        return httpx2.AsyncClient(
            transport=transport, base_url=PAGE, headers=headers, event_hooks={"response": [write_down]}
        )

    def link(self, **changed: Any) -> str:
        given: dict[str, Any] = {"origin": PAGE, "secret": SECRET, "now": self.now}
        return login_link(**given | changed)

    async def ask(self, plan: Plan | dict[str, Any] = PLAN, **changed: Any) -> Approval:
        self.asked += 1
        call: dict[str, Any] = {
            "binding": f"binding-{self.asked}",
            "caller": "local:1000",
            "tool": "delete_instance",
            "arguments": {"instance_id": "i-8f42"},
            "plan": plan.model_dump(mode="json") if isinstance(plan, Plan) else plan,
            "must_type": "train-1",
            "fingerprint": "seen",
        }
        return await self.approvals.request(**call | changed)


def text_of(response: httpx2.Response) -> str:
    """What a person reads: without tags, entities resolved, white space made single."""
    bare = re.sub(r"<(style|script|svg).*?</\1>|<[^>]*>", " ", response.text, flags=re.DOTALL)
    return " ".join(html.unescape(bare).split())


def led(response: httpx2.Response) -> str:
    """Where a browser is led, below the page's own path."""
    location = response.headers["location"]
    assert location.startswith(f"{ROOM}/")
    return str(location.removeprefix(ROOM))


def marks_of(response: httpx2.Response) -> list[str]:
    """The marks of a page's forms, in order."""
    return re.findall(r'name="mark" value="([0-9a-f]{64})"', response.text)


@pytest.fixture
async def desk(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> AsyncIterator[Desk]:
    """A page; afterwards the secret must stand in no answer, no log, and nothing printed."""
    caplog.set_level(logging.DEBUG)
    clock = Clock()
    async with SqliteStore(":memory:", now=clock) as store:
        made = Desk(Approvals(store, ttl=600, now=clock), clock)
        yield made
    printed = capfd.readouterr()
    for text in (*made.seen, caplog.text, printed.out, printed.err):
        assert SECRET not in text
    assert printed.out == ""


@pytest.fixture
async def browser(desk: Desk) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that is signed in."""
    async with desk.browser() as opened:
        assert (await opened.get(desk.link())).status_code == 303
        yield opened
