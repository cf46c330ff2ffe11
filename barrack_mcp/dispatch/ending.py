"""How a call ended, for those who count: its tool, what came of it, how long it took; not what it was about."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias, get_args

from opentelemetry import trace

from barrack_mcp.catalogue.outcome import Ending
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.guard.asking.asker import Asked

OUTCOME: Final = "barrack_mcp.outcome"
"""Name of the attribute of a call's span."""

_ENDINGS: Final[frozenset[str]] = frozenset(get_args(Ending))


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that is over.

    Attributes:
        tool: Its tool.
        outcome: What came of it, `asked` where a person has to answer first, `cancelled` where nobody waited for it.
        seconds: How long it took.
        caller: Who made it.
    """

    tool: str
    outcome: str
    seconds: float
    caller: str


OnEnd: TypeAlias = Callable[[Ended], None]


class Call:
    """A call that goes on."""

    outcome: str = "cancelled"

    def came_to(self, answer: Answer | Asked) -> None:
        """Take note of what is answered."""
        self.outcome = outcome_of(answer)


@contextmanager
def ending(tool: str, caller: str, on_end: OnEnd | None) -> Iterator[Call]:
    """Tell of a call when the block is over.

    Args:
        tool: The call's tool.
        caller: Who makes it.
        on_end: Who is told; beside the span that it runs in.
    """
    call, began = Call(), time.perf_counter()
    try:
        yield call
    finally:
        trace.get_current_span().set_attribute(OUTCOME, call.outcome)
        if on_end is not None:
            on_end(Ended(tool, call.outcome, time.perf_counter() - began, caller))


def outcome_of(answer: Answer | Asked) -> str:
    """Name what a call came to; a read that succeeded says nothing of it, and is done."""
    if isinstance(answer, Asked):
        return "asked"
    said = answer.structured.get("outcome")
    # what a read answers may have a field of that name
    return said if isinstance(said, str) and said in _ENDINGS else "failed" if answer.is_error else "done"
