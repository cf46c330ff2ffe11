"""A call that is ruled on: who makes it, what it asks for, and where it is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from barrack_mcp.account.account import Account
from barrack_mcp.account.desk import Beside
from barrack_mcp.account.reading import Reader
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.guard.approvals import Approval
from barrack_mcp.guard.asking.asker import Asker
from barrack_mcp.guard.asking.meanings import Meant
from barrack_mcp.guard.decide import ALL_ALLOWED, Allowance
from barrack_mcp.guard.turns import Turn
from barrack_mcp.state.store import Overtaken, Yes


@dataclass(frozen=True)
class Caller:
    """Who makes a call, for which account, and how a question reaches the person behind it.

    Attributes:
        subject: The token's subject, else `local:<uid>`.
        account: What the call is about.
        asker: Asks through the client; None where there is none.
        allowance: What the caller may, of what all may.
        on_behalf_of: For whom it says that it calls: a claim, made safe, that is shown and never trusted.
        known_as: What else the caller is called, by who knows them.
    """

    subject: str
    account: Account
    asker: Asker | None = None
    allowance: Allowance = ALL_ALLOWED
    on_behalf_of: str | None = None
    known_as: frozenset[str] = frozenset()

    async def tell(self, sentence: str, *, progress: float = 0.0, total: float | None = None) -> None:
        """Say something while the call goes on, if there is somebody who listens."""
        if self.asker is not None:
            await self.asker.report(sentence, progress=progress, total=total)


class Book(Protocol):
    """Where a call is written down, so that it is sent once and what it costs is known, whatever becomes of us."""

    async def look_up(self, bindings: Sequence[str]) -> Approval | None:
        """Find the live request for a yes to the call; whatever holds the call back is raised.

        Args:
            bindings: What a yes to it is bound to: by the newest key first.

        Raises:
            StoreError: The state can't be read or written, so nobody is to be asked.
        """
        ...

    async def begin(self, turn: Turn, yes: Yes | None = None) -> Overtaken | None:
        """Write down that the call is about to be sent, and use its yes up; whatever holds the call back is raised.

        Args:
            turn: The account's.
            yes: What lets it pass; None where nobody was asked.

        Returns:
            Why the yes is no longer good, and so nothing was written down; None if all of it was.

        Raises:
            StoreError: It can't be written down, so it must not be sent.
        """
        ...

    async def drop(self) -> None:
        """Take back what was written down of a call that is not sent after all; its yes stays used."""
        ...


@dataclass(frozen=True)
class Call:
    """A call that is ruled on.

    Attributes:
        operation: What would be done.
        values: Its validated arguments, with ids for names.
        caller: Who asks for it.
        given: The digest of the call as it came, with its names.
        meant: What the words in it stand for.
        bindings: What a yes to it is bound to: by the newest key first.
        book: Where it is written down.
        read: Reads for the question.
        beside: Reads beside the last look what its sending wants to know.
    """

    operation: Operation
    values: JsonObject
    caller: Caller
    given: str
    meant: Meant
    bindings: Sequence[str]
    book: Book
    read: Reader
    beside: Beside | None

    @property
    def here(self) -> str:
        """Who answers at the terminal where it is made."""
        return f"{self.caller.subject} at a terminal"
