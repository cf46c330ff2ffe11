"""Ask: the one place that knows how to put a question to a person through the client, in both protocol eras.

From 2026-07-28 a call answers with the question and comes again with the answer; before that the server sends a request
of its own while the call waits, with a deadline, since some clients declare that they can be asked and never answer.
"""

from __future__ import annotations

import json
import logging
import math
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
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

from barrack_mcp.account.account import Account
from barrack_mcp.account.waiting import BEAT_S
from barrack_mcp.api.text import is_same_name
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.guard.decide import ALL_ALLOWED, Allowance

_MODERN: Final = "2026-07-28"
_KEY: Final = "approval"
_MOST_BEATS: Final = 360
"""No call takes an hour: whatever goes on for longer is not kept alive."""
_UNDER_WAY: Final = "The call is under way."
_ASKING: Final = "A person is asked, and has not answered yet."
READING_S: Final = 0.5
"""Sooner than this after the question nobody has read it: whatever says no then is a program."""

_log = logging.getLogger(__name__)


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


class Consent(StrEnum):
    """What came of a question."""

    YES = "yes"
    NO = "no"
    """An answer that is no yes."""
    DECLINED = "declined"
    """A plain no."""
    SILENT = "silent"
    """No answer within the time limit."""
    UNASKED = "unasked"
    """The client could not be asked after all."""
    UNSEEN = "unseen"
    """Closed, or declined before anybody could have read it: clients without a person answer so by themselves."""

    @property
    def nobody(self) -> bool:
        """Whether no person answered, neither yes nor no."""
        return self in (Consent.SILENT, Consent.UNASKED, Consent.UNSEEN)


@dataclass(frozen=True)
class Reply:
    """An answer, and the sentence on it where it is not a yes."""

    consent: Consent
    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question as it was put: what was shown, when and for how long, to hold the answer to."""

    tool: str
    given: str
    """The digest of the call as it came, whose words meant that; other words may mean something else."""
    meant: Meant
    nonce: str
    binding: str
    fingerprint: str
    total: float | None
    """What all would cost per hour after a purchase."""
    plan: str
    """The digest of the plan that was shown."""
    must_type: str | None
    """What has to be typed, exactly; None where a plain yes is enough."""
    waits: str | None
    """The id of the request that waits elsewhere for the same call, where the person at this terminal answers it."""
    asked: float
    """When it was put, in seconds since 1970."""
    until: float

    @classmethod
    def of(cls, state: JsonObject) -> Question:
        """The question that was put away as its fields."""
        return cls(**{**state, "meant": Meant(**state["meant"])})


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
        return self._judged(given, question, now) if isinstance(given, ElicitResult) else _EMPTY

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

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tell the client from time to time that its call goes on, where it hears nothing else of it, if it listens."""
        if not self.hears:
            # a task for each call of a client that would be told nothing is a twentieth of what a read costs
            yield
            return
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
        shape = form(question.must_type)
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
            return _EMPTY
        finally:
            self._goes_on = _UNDER_WAY
        return self._judged(result, question, now())

    def _judged(self, given: ElicitResult, question: Question, now: float) -> Reply:
        return judged(given, question.must_type, after=math.inf if self.at_terminal else now - question.asked)


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


def form(must_type: str | None) -> JsonObject:
    """Make the form: one required text to type, or one required tick."""
    if must_type is None:
        return {
            "type": "object",
            "properties": {"approve": {"type": "boolean", "title": "Approve", "description": "Yes, do it, this once."}},
            "required": ["approve"],
        }
    return {
        "type": "object",
        "properties": {
            "name": {"type": "string", "title": "Name", "description": "Type it exactly as the question shows it."}
        },
        "required": ["name"],
    }


def judged(result: ElicitResult, must_type: str | None, *, after: float) -> Reply:
    """Tell a yes from everything that is none: only an accept with the exact name, or with `true`, is one.

    Args:
        result: What the client sent.
        must_type: What has to be typed, exactly; None where a plain yes is enough.
        after: How long after the question it came, in seconds; without end where a person is known to sit there.
    """
    if result.action == "decline":
        return _DECLINED if after >= READING_S else _TOO_FAST
    if result.action == "cancel":
        return _CLOSED if after == math.inf else _UNSEEN
    content: Mapping[str, object] = result.content or {}
    if not content:
        return _EMPTY
    if must_type is None:
        if content.get("approve") is True:
            return Reply(Consent.YES)
        return Reply(Consent.NO, "The person did not tick the approval.")
    return _typed(content.get("name"), must_type)


def _typed(typed: object, must_type: str) -> Reply:
    if not isinstance(typed, str) or not typed:
        return Reply(Consent.NO, "The person accepted, but typed no name.")
    if is_same_name(typed, must_type):
        return Reply(Consent.YES)
    if typed.strip() == must_type:
        return Reply(Consent.NO, "What was typed has a space too many around the name.")
    if typed.casefold() == must_type.casefold():
        return Reply(Consent.NO, "What was typed differs from the name in upper and lower case.")
    if not typed.isascii() and (must_type.isascii() or unicodedata.normalize("NFKC", typed) == must_type):
        return Reply(Consent.NO, "What was typed only looks like the name: it holds other letters.")
    return Reply(Consent.NO, "What was typed is not the name.")


_EMPTY: Final = Reply(Consent.NO, "The question was accepted without an answer.")
_DECLINED: Final = Reply(Consent.DECLINED, "The person declined.")
_CLOSED: Final = Reply(Consent.NO, "The person closed the question without an answer.")
_UNSEEN: Final = Reply(Consent.UNSEEN, "The question was closed; it was not answered by a person.")
_TOO_FAST: Final = Reply(
    Consent.UNSEEN, "The question was declined sooner than anybody can read it; it was not answered by a person."
)
