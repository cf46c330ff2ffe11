"""Hears a request out before it is answered, also where its headers alone decide.

A proxy that is written in Go (Caddy, Traefik) hands a request's body on while it waits for the answer. One that comes
before the whole body has makes it close the connection, and the caller, who should have been told 401 and where to sign
in, is told nothing.
"""

from __future__ import annotations

from typing import Final

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ENOUGH: Final = 262_144
"""Bytes of what is refused anyway: who sends more is answered in between."""
PATIENCE_S: Final = 2.0
"""How long the rest of it may take to come."""


class Hearing:
    """Answers a request when its body has come.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer when all of it was heard."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        heard = False

        async def listen() -> Message:
            nonlocal heard
            message = await receive()
            heard = not message.get("more_body", False)
            return message

        async def answer(message: Message) -> None:
            nonlocal heard
            if not heard:
                left = ENOUGH
                with anyio.move_on_after(PATIENCE_S):
                    while not heard and left > 0:
                        left -= len((await listen()).get("body", b""))
                heard = True
            await send(message)

        await self._app(scope, listen, answer)
