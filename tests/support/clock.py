"""The one clock of the tests: it stands still until a test moves it, or something sleeps by it."""

from __future__ import annotations

import asyncio
import time

import anyio.lowlevel


class Clock:
    """Tells its time when called; sleeping by it moves it and takes no time."""

    def __init__(self, at: float = 1_000_000.0) -> None:
        self.at = at
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds
        await anyio.lowlevel.checkpoint()


def let_pass(seconds: float) -> None:
    """Have the running event loop believe that so much time went by: what waits for it ends now."""
    loop = asyncio.get_running_loop()
    at = loop.time() + seconds - time.monotonic()
    loop.time = lambda: time.monotonic() + at  # type: ignore[method-assign]  # the loop has no other way to be told


async def at_once(_: float) -> None:
    """Don't wait."""
    await anyio.lowlevel.checkpoint()
