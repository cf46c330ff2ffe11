"""The page behind a socket that only this machine reaches."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup

from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.guard.page.about import UNTOLD, About, Books
from barrack_mcp.guard.page.link.entry import login_link, new_room

_HOST: Final = "127.0.0.1"
_NAMES: Final = (_HOST, "localhost", "[::1]")


class PageError(Exception):
    """The page can't be served; its text is one sentence for the operator."""


class PageServer:
    """Serves the page from the first `start()` until its block ends; until then nothing listens.

    Args:
        approvals: What the page shows and decides.
        secret: What lets a person in; at least 16 characters.
        port: The port on 127.0.0.1; 0 for any free one.
        passphrase: Hash of what has to be typed at the sign-in; None where a link is enough.
        about: For what it speaks, told in its header.
        costs: The accounts whose costs are shown; None where none are.
        now: The time in seconds since 1970.
    """

    def __init__(
        self,
        approvals: Approvals,
        *,
        secret: str,
        port: int = 0,
        passphrase: str | None = None,
        about: About = UNTOLD,
        costs: Books | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._approvals = approvals
        self._secret = secret
        self._port = port
        self._passphrase = passphrase
        self._about = about
        self._costs = costs
        self._now = now
        self._starting = anyio.Lock()
        self._tasks: TaskGroup | None = None
        self._room = new_room()
        self._url: str | None = None

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        tasks, self._tasks, self._url = self._tasks, None, None
        if tasks is None:
            return None
        tasks.cancel_scope.cancel()
        if not isinstance(error, Exception):
            return await tasks.__aexit__(kind, error, trace)
        # the group would wrap the block's own failure
        await tasks.__aexit__(None, None, None)
        return None

    @property
    def url(self) -> str:
        """The page's address with its path, which is this start's own and for its owner only."""
        if self._url is None:
            raise PageError("The page is not being served.")
        return self._url

    def login_url(self, approval_id: str | None = None) -> str:
        """Make a link that signs in once, within two minutes, and opens a request or the list. For a person only."""
        return login_link(self.url, secret=self._secret, approval_id=approval_id, now=self._now)

    async def start(self) -> None:
        """Begin to listen; a second call changes nothing.

        Raises:
            PageError: The port is taken, or the block has ended.
        """
        async with self._starting:
            if self._url is not None:
                return
            if self._tasks is None:
                raise PageError("The page is not being served.")
            try:
                bound = socket.create_server((_HOST, self._port))
            except (OSError, OverflowError):
                raise PageError(
                    f"The approval page can't have port {self._port}; is it taken? Set BARRACK_PAGE_PORT to another "
                    "one, or leave it out for any free port."
                ) from None
            port = bound.getsockname()[1]
            await self._tasks.start(self._serve, bound, port)
            self._url = f"http://{_HOST}:{port}{self._room}"

    async def _serve(self, bound: socket.socket, port: int, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        from barrack_mcp.guard.page.link.listen import serve_page  # noqa: PLC0415 - a web server, and mostly not needed

        await serve_page(
            self._approvals,
            bound,
            secret=self._secret,
            room=self._room,
            hosts=[f"{name}:{port}" for name in _NAMES],
            passphrase=self._passphrase,
            about=self._about,
            costs=self._costs,
            started=task_status.started,
            now=self._now,
        )
