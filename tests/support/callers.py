"""Callers of a server over HTTP: their file, the server behind its login, and a client with a token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from pydantic import SecretStr

from barrack_mcp.config import read_settings
from barrack_mcp.config.callers import digest, new_token
from barrack_mcp.server.house import House, open_server
from barrack_mcp.transports.login import open_gate
from barrack_mcp.transports.web import http_app
from tests.support.listening import listening
from tests.support.patience import PATIENT_S


@dataclass
class Desk:
    """Who may call, as the file says.

    Attributes:
        path: The callers' file.
        tokens: Each caller's token.
        more: Further rows, of callers without one.
    """

    path: Path
    tokens: dict[str, str] = field(default_factory=dict)
    more: str = ""
    _rows: dict[str, str] = field(default_factory=dict)

    def let_in(self, name: str, *more: str) -> str:
        """Add a caller with lines of TOML; answers the token."""
        self.tokens[name] = new_token()
        self._rows[name] = "\n".join([f'["{name}"]', f'sha256 = "{digest(self.tokens[name])}"', *more])
        self._keep()
        return self.tokens[name]

    def put_out(self, name: str) -> None:
        """Take a caller out."""
        del self._rows[name]
        self._keep()

    def _keep(self) -> None:
        # another file, as `barrack-mcp callers` puts one in place
        made = self.path.with_name("made")
        made.write_text("\n\n".join([*self._rows.values(), self.more]), encoding="utf-8")
        made.chmod(0o600)
        made.replace(self.path)


@dataclass
class Served:
    """A server behind its login.

    Attributes:
        url: Its address.
        house: What is served.
        desk: Who may call.
    """

    url: str
    house: House
    desk: Desk

    @asynccontextmanager
    async def client(
        self,
        name: str,
        *,
        token: str | None = None,
        path: str = "/mcp",
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> AsyncIterator[Client]:
        """Connect as a caller: by the name of a row, or by a token."""
        sent = {"Authorization": f"Bearer {token or self.desk.tokens[name]}", **(headers or {})}
        async with (
            httpx2.AsyncClient(headers=sent, timeout=PATIENT_S) as http,
            Client(streamable_http_client(f"{self.url}{path}", http_client=http), **options) as connected,
        ):
            yield connected

    async def status(self, path: str = "/mcp", headers: Sequence[tuple[str, str]] = (), **options: Any) -> int:
        """Ask without a client; answers the status."""
        return (await self.ask(path, headers, **options)).status_code

    async def ask(self, path: str = "/mcp", headers: Sequence[tuple[str, str]] = (), **options: Any) -> httpx2.Response:
        """Ask without a client."""
        async with httpx2.AsyncClient(timeout=PATIENT_S) as http:
            return await http.request(options.pop("method", "POST"), f"{self.url}{path}", headers=headers, **options)


@asynccontextmanager
async def served(
    folder: Path, callers: Mapping[str, Sequence[str]], *, rows: str = "", **settings: str
) -> AsyncIterator[Served]:
    """Serve the simulator over HTTP for callers, each with lines of TOML of theirs, and for further rows."""
    desk = Desk(folder / "callers.toml", more=rows)
    for name, lines in callers.items():
        desk.let_in(name, *lines)
    given = {
        "BARRACK_SIMULATOR": "1",
        "BARRACK_STATE": str(folder / "state.db"),
        "BARRACK_HTTP_TOKENS_FILE": str(desk.path),
        **settings,
    }
    known = read_settings(given)
    async with open_server(known, remote=True) as house:
        assert house.callers is not None
        gate, hosts = open_gate(known, house.callers, "/mcp"), frozenset({"bot.example.com"})
        page = None if house.page is None else house.page(gate.credentials)
        async with listening(
            http_app(house.server, gate=gate, hosts=hosts, page=page, stateless=isinstance(known.state, SecretStr))
        ) as url:
            yield Served(url, house, desk)
