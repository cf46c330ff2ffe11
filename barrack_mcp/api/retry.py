"""When a request may be sent again, how long to wait before, and when to leave the API alone.

The usual libraries (stamina, tenacity) retry one function by the type of its exception. Here the rule hangs on the
operation *and* on what is known of its effect, all calls share one budget and one circuit, every attempt gets a share
of one deadline, and tests move the clock: what would be left of a library is its loop, which is short.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import Operation

ATTEMPTS: Final = 3
"""Requests for one call at most."""

_BACKOFF_S: Final = 0.25
_NOT_APPLIED: Final = frozenset({Failure.UNREACHABLE, Failure.THROTTLED})
_PASSING: Final = frozenset({Failure.BROKEN, Failure.SILENT})

_RESERVE: Final = 10.0
_PER_CALL: Final = 0.2

_FAILURES_TO_OPEN: Final = 5
_OPEN_S: Final = 5.0


def repeatable(operation: Operation, error: ApiError) -> bool:
    """Whether the same request may be sent again after this error.

    What was not applied may, whatever it is. What may have been applied may only if it changes nothing.
    """
    if error.failure in _NOT_APPLIED:
        return True
    return error.failure in _PASSING and not error.lasting and operation.reads


def wait_before(attempts: int, error: ApiError, random: Callable[[], float]) -> float:
    """Choose the seconds to wait after that many attempts: full jitter, on top of what the API asked for.

    Args:
        attempts: How many there were.
        error: How the last one failed.
        random: Gives a number from 0 to 1.
    """
    return (error.retry_after or 0.0) + random() * _BACKOFF_S * (1 << attempts - 1)


class Budget:
    """Retries that the process may still spend: a fifth of its calls, and a small reserve.

    When the API is down, each call's own retries would multiply the load just when it is least bearable.
    """

    def __init__(self) -> None:
        self._left = _RESERVE

    def earn(self) -> None:
        """Count a call."""
        self._left = min(self._left + _PER_CALL, _RESERVE)

    def spend(self) -> bool:
        """Take one retry; False if there is none left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Circuit:
    """Leaves an API alone for a moment that could not be reached several times in a row, then tries it with one call.

    Args:
        now: A clock that only goes forward, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failures = 0
        self._open_until = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether the API is being left alone."""
        return self._failures >= _FAILURES_TO_OPEN and self._now() < self._open_until

    def check(self) -> None:
        """Let a request pass.

        Raises:
            ApiError: The API is being left alone.
        """
        if self._failures < _FAILURES_TO_OPEN:
            return
        left = self._open_until - self._now()
        if left > 0 or self._probing:
            wait = max(left, 1.0)
            raise ApiError(
                Failure.UNREACHABLE,
                f"The API could not be reached {self._failures} times in a row, so it is left alone for {wait:.0f} s",
                retry_after=wait,
            )

    def watching(self) -> AbstractContextManager[None]:
        """Send one request within the block, and learn from it whether the API can be reached.

        Raises:
            ApiError: The API is being left alone; or what the block raised.
        """
        return _Watch(self)

    def begin(self) -> bool:
        """Begin a request; whether it tries an API that was left alone.

        Raises:
            ApiError: The API is being left alone.
        """
        self.check()
        probe = self._failures >= _FAILURES_TO_OPEN
        self._probing = self._probing or probe
        return probe

    def end(self, error: BaseException | None, *, probe: bool) -> None:
        """Learn from how a request ended."""
        if isinstance(error, ApiError) and error.failure is Failure.UNREACHABLE:
            self._failures += 1
            self._open_until = self._now() + _OPEN_S
        elif error is None or isinstance(error, ApiError):
            self._failures = 0
        # a cancelled probe has learnt nothing: the next call is one
        self._probing = self._probing and not probe


class _Watch:
    """A request under way; a class, since a generator around each request takes several times as long."""

    __slots__ = ("_circuit", "_probe")

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._probe = False

    def __enter__(self) -> None:
        self._probe = self._circuit.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        self._circuit.end(error, probe=self._probe)
