"""What the page is told when it is opened: for what it speaks, and whose costs it shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    # what lays requests and costs out is loaded with the first of them: a start is sooner without
    from barrack_mcp.guard.page.costs import Costs


@dataclass(frozen=True)
class About:
    """For what the page speaks.

    Attributes:
        api: The API's host.
        account: What tells the key from others, without telling the key.
        simulator: Whether nothing of it is real.
        remote: Whether calls come over HTTP, from whoever can reach it.
    """

    api: str = ""
    account: str = ""
    simulator: bool = False
    remote: bool = False


UNTOLD: Final = About()
"""Where nobody said for what the page speaks."""


@dataclass(frozen=True)
class Books:
    """The accounts whose costs are shown.

    Attributes:
        read: Reads what runs and what it costs now in the account that a caller's calls are about; an `ApiError` if
            nothing of it could be read.
        owners: Answers the callers who have accounts of their own, those of one account together.
        brought: Whether callers may bring keys, of whose accounts nothing can be shown.
    """

    read: Callable[[str], Awaitable[Costs]]
    owners: Callable[[], Sequence[Sequence[str]]] = tuple
    brought: bool = False

    def owners_of(self, caller: str) -> Sequence[str]:
        """Whose account a caller's calls are about; nobody's where it is the one that the others share."""
        return next((owners for owners in self.owners() if caller in owners), ())
