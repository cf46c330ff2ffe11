"""Starts the product with a simulator whose every hundredth answer is a fault: `python -m tests.bench.faulty serve`."""

from __future__ import annotations

import itertools
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from barrack_mcp import simulator
from barrack_mcp.cli import main

ONE_IN: Final = 100
_FAULTS: Final = (Response("{}", 500), Response("<html>", 200, media_type="text/html"), Response('{"success": tr', 200))


class Faulty:
    """An application that now and then answers an error, a web page, or half an answer."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._asked = itertools.count(1)
        self.state = app.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = next(self._asked)
        answer = self._app if asked % ONE_IN else _FAULTS[asked // ONE_IN % len(_FAULTS)]
        await answer(scope, receive, send)


if __name__ == "__main__":
    made = simulator.create_app
    simulator.create_app = lambda **how: Faulty(made(**how))  # type: ignore[assignment]  # as much of it as is used
    main()
