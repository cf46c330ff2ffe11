"""One call on its way through the corridor."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from barrack_mcp.account.account import Account
from barrack_mcp.account.reading import Reader
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.dispatch.arguments.names import Names
from barrack_mcp.guard.asking.meanings import Meant
from barrack_mcp.guard.ruling.call import Caller


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call on its way.

    Attributes:
        operation: What is asked for.
        values: Its validated arguments, with ids for names.
        caller: Who asks, and for which account.
        given: The arguments as they came.
        names: The names in them, and what they stand for.
        meant: What its words stand for, as a person was or will be asked about them.
        read: Reads what is looked at before the question; the same but once.
        offered: The tools on offer: no other is named as a next step.
        patience: How many seconds to wait until what was done has settled; None if nobody waits.
        aside: What to say of how the wish was brought into what the API takes.
    """

    operation: Operation
    values: JsonObject
    caller: Caller
    given: Mapping[str, Any]
    names: Names
    meant: Meant
    read: Reader
    offered: Collection[str]
    patience: float | None = None
    aside: str = ""

    @property
    def account(self) -> Account:
        """What it is about."""
        return self.caller.account
