"""Greets the client at this process's stdin and stdout while the house is being built, and hands it over.

Loads nothing but the standard library. Where anything isn't as it usually is, nobody is greeted, and the house is
waited for.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from barrack_mcp.transports.ending import ENDING
from barrack_mcp.transports.stdio.greeting import LONGEST, Greeting, is_sdk_recorded, read_record, surface

_CHUNK: Final = 65_536


@dataclass(frozen=True)
class Greeted:
    """What the house takes over.

    Attributes:
        heard: What the client said and the house has to hear first.
        unspoken: The id of a request in it whose answer the client has; None if there is none.
        unsaid: The rest of an answer that the client hasn't read so far; the house has to say it first.
    """

    heard: bytes = b""
    unspoken: str | None = None
    unsaid: bytes = b""


NOT_GREETED: Final = Greeted()


class Greeter:
    """Answers at two file descriptors, in a thread, until it is told to stop.

    Args:
        greeting: What to answer.
        incoming: File descriptor to read from.
        outgoing: File descriptor to write to.
    """

    def __init__(self, greeting: Greeting, incoming: int, outgoing: int) -> None:
        self._greeting = greeting
        self._incoming = incoming
        self._outgoing = outgoing
        self._begun = b""
        self._unsaid = b""
        self._wake, self._waker = os.pipe()
        # a daemon: whatever ends the process before the house is there ends this, too
        self.thread = threading.Thread(target=self._run, name="greeter", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self.thread.start()

    def stop(self) -> Greeted:
        """Listen no more, and answer what the house has to know."""
        os.write(self._waker, b"!")
        self.thread.join()
        for end in (self._wake, self._waker):
            os.close(end)
        heard = b"".join(self._greeting.rest) + self._begun
        return Greeted(heard, self._greeting.unspoken, self._unsaid)

    def _run(self) -> None:
        # what is broken is for the house to find
        with suppress(OSError):
            while not self._greeting.silent and self._may(self._incoming, select.POLLIN) and self._take():
                pass

    def _may(self, descriptor: int, event: int) -> bool:
        """Wait until a descriptor is ready; answers whether this goes on."""
        poll = select.poll()
        poll.register(descriptor, event)
        poll.register(self._wake, select.POLLIN)
        return self._wake not in {ready for ready, _ in poll.poll()}

    def _take(self) -> bool:
        """Hear what has come; answers whether more may come."""
        try:
            chunk = os.read(self._incoming, _CHUNK)
        except BlockingIOError:
            return True
        self._begun += chunk
        while not self._greeting.silent and b"\n" in self._begun:
            line, _, self._begun = self._begun.partition(b"\n")
            self._unsaid = self._greeting.hear(line) or b""
            if not self._say():
                return False
        return bool(chunk) and len(self._begun) <= LONGEST

    def _say(self) -> bool:
        """Write the answer; answers whether all of it could be before this was told to stop."""
        while self._unsaid:
            if not self._may(self._outgoing, select.POLLOUT):
                return False
            # whoever started us may share it and have made it so that it doesn't block
            with suppress(BlockingIOError):
                # no more than what fits at once: a client that doesn't read must not keep the house waiting
                self._unsaid = self._unsaid[os.write(self._outgoing, self._unsaid[: select.PIPE_BUF]) :]
        return True


_greeters: list[Greeter] = []
"""The one of this process's stdin and stdout, from `greet` to `take_over`."""


def greet(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Begin to greet the client, if this process is about to serve one over stdio and it is known how.

    Args:
        arguments: The command line behind the program's name.
        environ: The process's environment.
    """
    if arguments[:1] != ["serve"] or not hasattr(select, "poll") or sys.stdin is None or sys.stdout is None:
        return
    with suppress(OSError, ValueError):
        if sys.stdin.isatty():
            return
        record = read_record()
        offered = surface(arguments[1:], environ, record)
        # the first folder is that of the script or of the user, who may have a million files in it
        if offered is not None and is_sdk_recorded(record, sys.path[1:]):
            greeter = Greeter(Greeting(record, offered), sys.stdin.fileno(), sys.stdout.fileno())
            for number in ENDING:
                # nothing is under way yet that would have to end first
                signal.signal(number, lambda *_: os._exit(0))
            _greeters.append(greeter)
            greeter.start()


def take_over() -> Greeted:
    """End the greeting; what the client said that the house has to hear is nothing if it was never greeted."""
    return _greeters.pop().stop() if _greeters else NOT_GREETED
