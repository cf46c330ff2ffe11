"""A browser before a server on loopback that stands for one behind TLS: its cookies are those of the public address."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from tests.support.patience import PATIENT_S

PUBLIC = "https://bot.example.com"


class _Proxy(httpx2.AsyncBaseTransport):
    """Takes what is sent to the public address to a port of this machine, as a proxy with TLS does."""

    def __init__(self, url: str) -> None:
        self._to = httpx2.URL(url)
        self._sends = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        there = request.url.copy_with(scheme="http", host=self._to.host, port=self._to.port)
        # the request itself stays the public address's: its cookies go by that
        sent = httpx2.Request(
            request.method, there, headers=request.headers, stream=request.stream, extensions=request.extensions
        )
        return await self._sends.handle_async_request(sent)

    async def aclose(self) -> None:
        await self._sends.aclose()


class Browser(httpx2.AsyncClient):
    """Keeps cookies, follows nothing, and sends forms as a page of the public address does."""

    async def open(self, path: str = "/approvals/") -> httpx2.Response:
        """Go to an address."""
        return await self.get(path)

    async def submit(self, path: str, **fields: str) -> httpx2.Response:
        """Send a form of the page."""
        return await self.post(path, data=fields, headers={"Origin": PUBLIC, "Sec-Fetch-Site": "same-origin"})

    async def sign_in(self, token: str, *, to: str = "") -> httpx2.Response:
        """Paste a token."""
        return await self.submit("/approvals/sign-in", caller_token=token, to=to)

    async def answer(self, approval_id: str, *, yes: bool, typed: str = "") -> httpx2.Response:
        """Answer a request with the form that stands on its page, whether or not it is shown there."""
        shown = await self.open(f"/approvals/requests/{approval_id}")
        marks = re.findall(r'name="mark" value="([0-9a-f]{64})"', shown.text)
        # the last is of a form of the request; the first is of signing out
        mark = marks[-1] if marks else "0" * 64
        fields = {"mark": mark, "typed": typed}
        return await self.submit(f"/approvals/requests/{approval_id}/{'approve' if yes else 'deny'}", **fields)


@asynccontextmanager
async def browsing(url: str, **options: Any) -> AsyncIterator[Browser]:
    """Open a browser that nobody used before a server at a port of this machine."""
    async with Browser(base_url=PUBLIC, transport=_Proxy(url), timeout=PATIENT_S, **options) as browser:
        yield browser
