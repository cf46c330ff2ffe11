"""Ask: the one place that knows how to put a question to a person through the client, in both protocol eras.

From 2026-07-28 a call answers with the question and comes again with the answer; before that the server sends a request
of its own while the call waits, with a deadline, since some clients declare that they can be asked and never answer.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Final

import anyio
from anyio import BrokenResourceError, ClosedResourceError
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp.types import (
    REQUEST_TIMEOUT,
    CallToolRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from pydantic import ValidationError

from barrack_mcp.account.waiting import BEAT_S
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.guard.asking.question import EMPTY, Consent, Question, Reply, judge, make_form

_MODERN: Final = "2026-07-28"
_KEY: Final = "approval"
_MOST_BEATS: Final = 360
"""No call takes an hour: whatever goes on for longer is not kept alive."""
_UNDER_WAY: Final = "The call is under way."
_ASKING: Final = "A person is asked, and has not answered yet."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """The question stands in the result of the call; the answer comes with the next one."""

    result: InputRequiredResult


class Asker:
    """Asks the person behind one call.

    Args:
        context: The call's context.
        params: The call as it came, perhaps with an answer.
        at_terminal: Whether the person sits at the terminal where the call is made, so that every answer is theirs.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        context: ServerRequestContext[Any, Any],
        params: CallToolRequestParams,
        *,
        at_terminal: bool = False,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._context = context
        self._params = params
        self.at_terminal = at_terminal
        self._sleep = sleep
        self._goes_on = _UNDER_WAY
        self._modern = context.protocol_version >= _MODERN
        self._told = -1.0
        """The progress that was told last: it may only grow."""

    @property
    def can_ask(self) -> bool:
        """Whether the client shows forms to a person, and can be reached."""
        capabilities = self._context.session.client_capabilities
        elicitation = capabilities.elicitation if capabilities is not None else None
        if elicitation is None or (elicitation.form is None and elicitation.url is not None):
            return False
        return self._modern or self._context.session.can_send_request

    @property
    def state(self) -> JsonObject | None:
        """What was put away with the question, unsealed and checked by the boundary; None if this answers none."""
        sealed = self._params.request_state
        if not self._modern or sealed is None:
            return None
        state = json.loads(sealed)
        return state if isinstance(state, dict) else {}

    def answer(self, question: Question, *, now: float) -> Reply:
        """Read the answer that came with the call.

        Args:
            question: The question that it answers.
            now: When it came, in seconds since 1970.
        """
        given = (self._params.input_responses or {}).get(_KEY)
        return self._judge(given, question, now) if isinstance(given, ElicitResult) else EMPTY

    @property
    def hears(self) -> bool:
        """Whether the client asked to be told how its call goes on."""
        return "progress_token" in (self._context.meta or {})

    async def report(self, sentence: str, *, progress: float = 0.0, total: float | None = None) -> None:
        """Tell the client why its call takes time, if it gave a token for that; nothing hangs on whether it hears.

        Args:
            sentence: Why.
            progress: How far it is; what is not more than was told before is told as one more.
            total: How far it has to go, if that is known.
        """
        self._told = progress if progress > self._told else self._told + 1
        known = {} if total is None else {"total": total}
        try:
            await self._context.session.report_progress(self._told, message=sentence, **known)
        except (MCPError, BrokenResourceError, ClosedResourceError) as error:
            _log.debug("no progress was told: %s", type(error).__name__)

    def telling(self) -> AbstractAsyncContextManager[None]:
        """Tell the client from time to time that its call goes on, where it hears nothing else of it, if it listens."""
        # a task for each call of a client that would be told nothing is a twentieth of what a read costs
        return self._beating() if self.hears else nullcontext()

    @asynccontextmanager
    async def _beating(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._beat)
            yield
            tasks.cancel_scope.cancel()

    async def _beat(self) -> None:
        for _ in range(_MOST_BEATS):
            told = self._told
            await self._sleep(BEAT_S)
            if told == self._told:
                await self.report(self._goes_on)

    async def ask(self, words: str, question: Question, *, now: Callable[[], float]) -> Reply | Asked:
        """Put the question; where the answer comes with a call of its own, that brings along what was shown.

        Args:
            words: For the person.
            question: What they are shown, and for how long.
            now: Seconds since 1970.
        """
        shape = make_form(question.must_type)
        request = ElicitRequest(params=ElicitRequestFormParams(message=words, requested_schema=shape))
        if self._modern:
            state = json.dumps(asdict(question))
            return Asked(InputRequiredResult(input_requests={_KEY: request}, request_state=state))
        seconds = question.until - question.asked
        self._goes_on = _ASKING
        try:
            result = await self._context.session.send_request(
                request,
                ElicitResult,
                request_read_timeout_seconds=seconds,
                metadata=ServerMessageMetadata(related_request_id=self._context.request_id),
            )
        except MCPError as error:
            if error.code == REQUEST_TIMEOUT:
                return Reply(Consent.SILENT, f"The question was not answered within {seconds:g} s.")
            return Reply(Consent.UNASKED, "The client could not put the question to a person.")
        except ValidationError:
            return EMPTY
        finally:
            self._goes_on = _UNDER_WAY
        return self._judge(result, question, now())

    def _judge(self, given: ElicitResult, question: Question, now: float) -> Reply:
        return judge(given, question.must_type, after=math.inf if self.at_terminal else now - question.asked)
