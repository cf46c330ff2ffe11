"""Bytes in and out of file descriptors by two threads: pipes, files and terminals alike.

None of them can block the event loop, and a thread that hangs in one can't keep the process from ending.
"""

from __future__ import annotations

import os
import queue
import select
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol, Self

import anyio

_CHUNK: Final = 65_536
_CHUNKS_AHEAD: Final = 4
_STDERR: Final = 2


class Loop(Protocol):
    """As much of an event loop as another thread may use."""

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: object) -> object:
        """Call it in the loop's own thread."""


class Source:
    """Reads chunks in a thread, a few ahead of who takes them."""

    def __init__(self, descriptor: int, loop: Loop) -> None:
        self._descriptor = descriptor
        self._loop = loop
        self._ahead = threading.Semaphore(_CHUNKS_AHEAD)
        self._chunks: deque[bytes] = deque()
        self._came = anyio.Event()
        # a daemon: blocked in a read, it must not keep the process
        threading.Thread(target=self._run, name="stdin", daemon=True).start()

    async def next(self) -> bytes:
        """Wait for the next chunk; empty at the end."""
        while not self._chunks:
            self._came = anyio.Event()
            await self._came.wait()
        self._ahead.release()
        return self._chunks.popleft()

    def _put(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._came.set()

    def _run(self) -> None:
        chunk = b"?"
        # the loop may be closed by now: then nobody reads on
        with suppress(RuntimeError):
            while chunk:
                self._ahead.acquire()
                chunk = _read(self._descriptor)
                self._loop.call_soon_threadsafe(self._put, chunk)


class Sink:
    """Writes in a thread; `gone` once nobody reads what it writes."""

    def __init__(self, descriptor: int, loop: Loop) -> None:
        self.gone = False
        self._descriptor = descriptor
        self._loop = loop
        self._written = anyio.Event()
        self._given: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="stdout", daemon=True).start()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._given.put(None)

    async def write(self, data: bytes) -> None:
        """Wait until all of it is written, or `gone`."""
        self._written = anyio.Event()
        self._given.put(data)
        await self._written.wait()

    def _run(self) -> None:
        with suppress(RuntimeError):
            while (data := self._given.get()) is not None:
                try:
                    _write(self._descriptor, data)
                except OSError:
                    self.gone = True
                self._loop.call_soon_threadsafe(self._done)

    def _done(self) -> None:
        self._written.set()


def is_unread(descriptor: int) -> bool:
    """Whether whoever was to read what is written there is gone; False where that can't be told."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def _read(descriptor: int) -> bytes:
    """Read what there is; nothing at the end. A terminal that was hung up is an end, too."""
    while True:
        try:
            return os.read(descriptor, _CHUNK)
        except BlockingIOError:
            # whoever started us shares it and made it so
            select.select([descriptor], [], [])
        except OSError:
            return b""


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            select.select([], [descriptor], [])


def fill_standard_descriptors() -> None:
    """Put the null device where a standard stream is closed, so that nothing of ours lands there."""
    while (filled := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(filled)


def taken_stdin() -> int:
    """Move stdin to a descriptor of our own and leave an empty one in its place."""
    empty = os.open(os.devnull, os.O_RDONLY)
    if sys.stdin is None:
        return empty
    taken = os.dup(sys.stdin.fileno())
    os.dup2(empty, sys.stdin.fileno())
    os.close(empty)
    return taken


def taken_stdout() -> int:
    """Move stdout to a descriptor of our own and leave stderr in its place, for good: prints flushed late go there."""
    if sys.stdout is None:
        return os.open(os.devnull, os.O_WRONLY)
    taken = os.dup(sys.stdout.fileno())
    instead = os.open(os.devnull, os.O_WRONLY) if sys.stderr is None else os.dup(sys.stderr.fileno())
    os.dup2(instead, sys.stdout.fileno())
    os.close(instead)
    return taken
