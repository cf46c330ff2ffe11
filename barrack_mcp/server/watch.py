"""What is told to those who watch a server from outside, while it goes on."""

from __future__ import annotations

from typing import Final, Literal, Protocol, TypeAlias

from barrack_mcp.api.client import Attempt
from barrack_mcp.dispatch.ending import Ended

Kept: TypeAlias = Literal["store", "audit"]
Full: TypeAlias = Literal["connections", "requests", "streams", "bodies", "accounts"]
"""What a server over HTTP has room for so many of."""


class Watch(Protocol):
    """Is told what happens; it must not raise, and must not take long."""

    def ended(self, call: Ended) -> None:
        """A call is over."""
        ...

    def sent(self, attempt: Attempt) -> None:
        """A request to the API is over; one of number 0 was not begun."""
        ...

    def unkept(self, what: Kept) -> None:
        """The state or the record could not be read or written."""
        ...

    def busy(self, full: Full) -> None:
        """Somebody was turned away over HTTP, since there is no room for more of that."""
        ...


class Nobody:
    """Watches nothing."""

    def ended(self, call: Ended) -> None:
        """Let a call end."""

    def sent(self, attempt: Attempt) -> None:
        """Let a request go."""

    def unkept(self, what: Kept) -> None:
        """Let what is told in the log be told there alone."""

    def busy(self, full: Full) -> None:
        """Let whoever was turned away alone know it."""


NOBODY: Final = Nobody()
