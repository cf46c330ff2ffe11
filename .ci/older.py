"""Let clients of the older SDK's last version call a server for a team, over streamable HTTP and SSE; count effects."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import socket
from subprocess import DEVNULL

import anyio
import httpx2

sys.path.insert(0, str(Path(__file__).parents[1]))

from barrack_mcp.catalogue import OFFERS
from barrack_mcp.simulator import create_app
from tests.support.callers import Desk
from tests.support.running import KEY, STATES, environment, listening

PATHS = {"http": "mcp", "sse": "sse"}
LONGEST_S = 120
CLIENT = Path(__file__).with_name("older_client.py")


@asynccontextmanager
async def served(transport: str, api: str, desk: Desk) -> AsyncIterator[str]:
    """Run a server for those who have a token, on a free port; gives its address."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "BARRACK_API_URL": f"{api}/api",
        "BARRACK_API_KEY": KEY,
        "BARRACK_HTTP_TOKENS_FILE": str(desk.path),
        # the client answers what it is asked itself
        "BARRACK_FOUR_EYES": "off",
    }
    command = [sys.executable, "-m", "barrack_mcp", "serve", "--transport", transport, "--port", str(port)]
    async with await anyio.open_process(
        command, env=environment(**settings), stdout=DEVNULL, stderr=DEVNULL
    ) as process:
        try:
            with anyio.fail_after(LONGEST_S):
                async with httpx2.AsyncClient() as http:
                    while True:
                        try:
                            (await http.get(f"http://127.0.0.1:{port}/health")).raise_for_status()
                        except httpx2.ConnectError:
                            await anyio.sleep(0.05)
                        else:
                            break
            yield f"http://127.0.0.1:{port}/{PATHS[transport]}"
        finally:
            process.terminate()


async def through(transport: str, python: str) -> None:
    """Connect as a caller, look, be asked, say no, then yes; and without a token."""
    app = create_app(now=lambda: 0.0)
    desk = Desk(Path(tempfile.mkdtemp(dir=STATES.name)) / "callers.toml")
    token = desk.let_in("ada")
    async with listening(app) as api, served(transport, api, desk) as url:
        with anyio.fail_after(LONGEST_S):
            done = await anyio.run_process([python, str(CLIENT), transport, url], input=token.encode(), stderr=None)
    told = json.loads(done.stdout)
    effects = [effect["operation"] for effect in app.state.barrack.journal]
    wanted = {
        "sdk": 1,
        "stranger": 401,
        "tools": [*OFFERS],
        "balance": 250.0,
        "no": "refused",
        "yes": "done",
        "questions": 2,
    }
    if told != wanted or effects != ["stop_instance"]:
        raise AssertionError(f"{transport}: effects {effects}, {told}")


async def main(python: str) -> None:
    """Try both transports."""
    began = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for transport in PATHS:
            tasks.start_soon(through, transport, python)
    sys.stdout.write(
        f"An SDK of 1.x lists, reads, is asked, and changes with a yes alone, over {' and '.join(PATHS)}, with a token "
        f"({time.monotonic() - began:.0f} s)\n"
    )


anyio.run(main, sys.argv[1])
