"""The guard's questions at a terminal: shown on stderr, answered there and then, never by what was typed before."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
import anyio.to_thread
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from barrack_mcp.cli.process import NEITHER, forget_typed_ahead, is_yes
from barrack_mcp.cli.tools.layout import wrapped

_PATIENCE_S: Final = 5.0
"""After this a person wonders whether anything happens."""


class Asker:
    """Puts questions to the person at the terminal, and says that it waits where nothing is heard."""

    def __init__(self) -> None:
        self._asked = anyio.Event()

    async def ask(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG002 - the SDK passes it
        """Put one question; an empty line is a no, and Ctrl-C ends the call with nothing approved."""
        self._asked.set()
        if not isinstance(params, ElicitRequestFormParams):
            return ElicitResult(action="cancel")
        typed_name = "name" in params.requested_schema["properties"]
        try:
            said = await answered_at_terminal(params.message, typed_name=typed_name)
        except EOFError:
            return ElicitResult(action="cancel")
        except anyio.get_cancelled_exc_class():
            sys.stderr.write("\nNothing was approved, and nothing was sent.\n")
            raise
        if not said:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={"name": said} if typed_name else {"approve": said == "yes"})

    @asynccontextmanager
    async def waiting(self, *, unless: Callable[[], bool] = lambda: False) -> AsyncIterator[None]:
        """Say once on stderr that an answer is still waited for, unless a question comes first.

        Args:
            unless: Whether something else says it by then.
        """
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._wait, unless)
            try:
                yield
            except Exception as error:  # noqa: BLE001 - raised below: the group would wrap it, and who waits for it miss it
                failure = error
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _wait(self, unless: Callable[[], bool]) -> None:
        with anyio.move_on_after(_PATIENCE_S):
            await self._asked.wait()
            return
        if not unless():
            sys.stderr.write("Still waiting for the API …\n")
            sys.stderr.flush()


async def answered_at_terminal(question: str, *, typed_name: bool) -> str:
    """Show a question on stderr and read the answer; «yes» where no name has to be typed, empty for a no.

    Raises:
        EOFError: Nobody types any more.
    """
    forget_typed_ahead()
    width = shutil.get_terminal_size().columns
    question = "\n".join(line for each in question.splitlines() for line in wrapped(each, width=width))
    if typed_name:
        return await _line(f"{question}\nName: ")
    said = await _line(f"{question}\nyes or no: ")
    if is_yes(said) is None:
        said = await _line(f"{NEITHER} yes or no: ")
    if is_yes(said) is None:
        sys.stderr.write(f"{NEITHER} It counts as a no.\n")
    return "yes" if is_yes(said) else ""


async def _line(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = await _read_line()
    if not line:
        raise EOFError
    return line.rstrip("\r\n")


async def _read_line() -> str:
    if sys.platform == "win32":
        return await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    # a thread that reads would go on after Ctrl-C, and hold the process
    await anyio.wait_readable(sys.stdin.fileno())
    return sys.stdin.readline()
