"""A real Redis of a test's own: started, killed, started again, with what it kept or without."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Final, Self

import pytest

from barrack_mcp.state.store.redis import scripts
from tests.support.patience import PATIENT_S

NEEDED: Final = "TESTS_NEED_REDIS"
"""The variable with which a run says that the tests of a shared state must not be left out."""


class RedisServer:
    """A `redis-server` on a free port of this machine.

    Args:
        folder: Where it keeps what it keeps.
        settings: Words for its command line.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.client = ["redis-cli", "-p", str(self.port)]
        self._folder = folder
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *settings: str) -> None:
        """Start it with what lies in its folder, and wait until it answers."""
        words = ["redis-server", "--port", str(self.port), "--dir", str(self._folder), "--save", ""]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([*words, *self._settings, *settings], stdout=log, stderr=log)
        for _ in range(200):
            if self.says("PING") == "PONG":
                return
        pytest.fail(f"redis-server did not start: {(self._folder / 'redis.log').read_text()[-2_000:]}")

    def says(self, *words: str) -> str:
        """What it answers to a command."""
        done = subprocess.run([*self.client, *words], capture_output=True, text=True, timeout=PATIENT_S, check=False)
        return done.stdout.strip()

    def kill(self) -> None:
        """Kill it, as a machine would that fails."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(PATIENT_S)

    def forget(self) -> None:
        """Lose all that it kept; to be called while it doesn't run."""
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)
        (self._folder / "dump.rdb").unlink(missing_ok=True)

    def signal(self, number: int) -> None:
        """Send it a signal, such as the one that stops it until it is told to go on."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def need_redis() -> None:
    """Leave the test out where this machine has no Redis, unless the run says that it must not be."""
    if shutil.which("redis-server") is not None and shutil.which("redis-cli") is not None:
        return
    told = "this machine has no redis-server (Debian: apt install redis-server)"
    if os.environ.get(NEEDED):
        pytest.fail(told)
    pytest.skip(told)


def free_port() -> int:
    """A port of this machine that is free now; the nodes of a cluster talk 10,000 above theirs."""
    while True:
        with socket.socket() as asked:
            asked.bind(("127.0.0.1", 0))
            port = int(asked.getsockname()[1])
        if port + 10_000 < 1 << 16:
            return port


class Monitor:
    """Hears each command that a Redis is sent, and so how often its clients waited for it.

    What is not heard: signs of life, which come by the clock, and claims of pace, which go beside a request to the API;
    and a script that was sent in full, since its digest came before.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._marks = 0

    async def __aenter__(self) -> Self:
        self._heard, self._hearing = await asyncio.open_connection("127.0.0.1", self._port)
        self._said, self._saying = await asyncio.open_connection("127.0.0.1", self._port)
        self._hearing.write(b"MONITOR\r\n")
        await self._heard.readline()
        return self

    async def __aexit__(self, *_: object) -> None:
        for writer in (self._hearing, self._saying):
            writer.close()
            await writer.wait_closed()

    async def trips(self) -> int:
        """How many commands came since this was asked last."""
        self._marks += 1
        mark = f"mark-{self._marks}".encode()
        self._saying.write(b"ECHO " + mark + b"\r\n")
        count = 0
        while mark not in (line := await self._heard.readline()):
            count += b" lua] " not in line and not any(word in line for word in _UNHEARD)
        for _ in range(2):
            await self._said.readline()
        return count


_UNHEARD: Final = (
    *(f'"{word}"'.encode() for word in ("EVAL", "INFO", "CONFIG", "SUBSCRIBE", "HELLO", "CLIENT", "SELECT", "AUTH")),
    *(script.digest.encode() for script in (scripts.BEAT, scripts.GO, scripts.CLAIM)),
)
