"""Serves the third Barrack on loopback until it is ended; says on which port."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import uvicorn


async def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.learning.third.settings"
    from django import setup  # noqa: PLC0415 - after its settings are named
    from django.core.asgi import get_asgi_application  # noqa: PLC0415 - Django wants its settings first
    from django.core.management import call_command  # noqa: PLC0415 - likewise

    setup()
    await asyncio.to_thread(call_command, "migrate", run_syncdb=True, verbosity=0)
    listening = socket.create_server(("127.0.0.1", 0))
    # whoever asks from now on waits until it serves
    print(listening.getsockname()[1], flush=True)  # noqa: T201 - whom it is for reads this
    config = uvicorn.Config(get_asgi_application(), log_level="warning", lifespan="off")
    await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
