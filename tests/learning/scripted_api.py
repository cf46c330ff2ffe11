"""An API that answers each address as a test says, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydantic import SecretStr

from barrack_mcp.api.client import KeyAuth
from barrack_mcp.api.learning.asking import MOST, Asker, open_asker

HOME = "https://api.example.com/api"
KEY = "key.canary-1f0c"
TODAY = date(2026, 3, 1)
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Says:
    """One answer."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Asked:
    """One request, as the API got it."""

    method: str
    host: str
    address: str
    key: bool


class Scripted:
    """Answers by method and address, or by what a function says; 404 in its own words for everything else."""

    def __init__(self, answers: Mapping[str, Says] | Callable[[Asked], Says | None]) -> None:
        self._answers = answers
        self.asked: list[Asked] = []

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        address = scope["raw_path"].decode().partition("?")[0] + (f"?{query}" if query else "")
        asked = Asked(scope["method"], headers["host"], address, KEY in " ".join(headers.values()))
        self.asked.append(asked)
        if callable(self._answers):
            said = self._answers(asked)
        else:
            said = self._answers.get(f"{asked.method} {address}") or self._answers.get(address)
        said = said or Says({"error": "no such place"}, 404)
        told = [(name.encode(), value.encode()) for name, value in {**JSON, **said.headers}.items()]
        await send({"type": "http.response.start", "status": said.status, "headers": told})
        await send({"type": "http.response.body", "body": b"" if asked.method == "HEAD" else said.raw})

    @property
    def addresses(self) -> list[str]:
        return [each.address for each in self.asked]


@asynccontextmanager
async def asking(api: Scripted, *, key: str | None = KEY, most: int = MOST) -> AsyncIterator[Asker]:
    """What asks that API, with the key or without any."""
    auth = KeyAuth(SecretStr(key), header="X-API-Key", template="{key}") if key is not None else None
    app: Any = api
    async with open_asker(HOME, auth, most=most, app=app) as asker:
        yield asker
