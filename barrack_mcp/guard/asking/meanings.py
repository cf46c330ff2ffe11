"""What the words of a call stood for when a person was asked about it: a yes to them is good for that alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from barrack_mcp.catalogue import JsonObject


@dataclass(frozen=True)
class Meant:
    """What the words of a call stand for, as a person was asked about them.

    Attributes:
        names: The names in its arguments, by their place, each with the id that it stands for.
        wish: The arguments that its wish came to, by what the last look reads again; None if it holds none.
    """

    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    wish: JsonObject | None = None


NOTHING_MEANT: Final = Meant()
"""Where nobody was asked, or all words mean what they say."""


class Meanings:
    """What the words of calls that wait out of band stood for when a person was asked, until their time is over.

    Args:
        now: Seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: dict[str, tuple[float, Meant]] = {}

    def of(self, given: str) -> Meant:
        """Answer what the words of a call stand for, by the digest of the call as it came; nothing if unknown."""
        until, meant = self._kept.get(given, (0.0, NOTHING_MEANT))
        return meant if self._now() < until else NOTHING_MEANT

    def keep(self, given: str, meant: Meant, *, until: float) -> None:
        """Keep what the words of a call stand for, and forget those whose time is over."""
        now = self._now()
        self._kept = {each: kept for each, kept in self._kept.items() if now < kept[0]}
        if meant != NOTHING_MEANT:
            self._kept[given] = (until, meant)

    def forget(self, given: str) -> bool:
        """Forget what the words of a call stand for: its next one means what it means by then."""
        return self._kept.pop(given, None) is not None
