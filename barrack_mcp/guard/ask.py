"""Ask: the one place that knows how to put a question to a person through the client, in both protocol eras.

From 2026-07-28 a call answers with the question and comes again with the answer; before that the server sends a request
of its own while the call waits, with a deadline, since some clients declare that they can be asked and never answer.
"""

from __future__ import annotations

import json
import logging
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from anyio import BrokenResourceError, ClosedResourceError
from mcp import MCPError
from mcp.server.context import ServerRequestContext
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

from barrack_mcp.api.text import is_same_name
from barrack_mcp.catalogue import JsonObject

_MODERN: Final = "2026-07-28"
_KEY: Final = "approval"

_log = logging.getLogger(__name__)


class Consent(StrEnum):
    """What came of a question."""

    YES = "yes"
    NO = "no"
    SILENT = "silent"
    """No answer within the time limit."""
    UNASKED = "unasked"
    """The client could not be asked after all."""


@dataclass(frozen=True)
class Reply:
    """An answer, and the sentence on it where it is not a yes."""

    consent: Consent
    sentence: str = ""


@dataclass(frozen=True)
class Asked:
    """The question stands in the result of the call; the answer comes with the next one."""

    result: InputRequiredResult


class Asker:
    """Asks the person behind one call.

    Args:
        context: The call's context.
        params: The call as it came, perhaps with an answer.
    """

    def __init__(self, context: ServerRequestContext[Any, Any], params: CallToolRequestParams) -> None:
        self._context = context
        self._params = params
        self._modern = context.protocol_version >= _MODERN

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

    def answer(self, must_type: str | None) -> Reply:
        """Read the answer that came with the call.

        Args:
            must_type: What has to be typed, exactly; None where a plain yes is enough.
        """
        given = (self._params.input_responses or {}).get(_KEY)
        return judged(given, must_type) if isinstance(given, ElicitResult) else _EMPTY

    async def report(self, sentence: str) -> None:
        """Tell the client why its call takes time, if it gave a token for that; nothing hangs on whether it hears."""
        try:
            await self._context.session.report_progress(0, message=sentence)
        except (MCPError, BrokenResourceError, ClosedResourceError) as error:
            _log.debug("no progress was told: %s", type(error).__name__)

    async def ask(self, question: str, *, must_type: str | None, state: JsonObject, seconds: float) -> Reply | Asked:
        """Put the question.

        Args:
            question: For the person.
            must_type: As for `answer`.
            state: What the next call has to bring along, where the answer comes with a call of its own.
            seconds: Time for the answer, where this waits for it.
        """
        request = ElicitRequest(params=ElicitRequestFormParams(message=question, requested_schema=form(must_type)))
        if self._modern:
            return Asked(InputRequiredResult(input_requests={_KEY: request}, request_state=json.dumps(state)))
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
        return judged(result, must_type)


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


def judged(result: ElicitResult, must_type: str | None) -> Reply:
    """Tell a yes from everything that is none: only an accept with the exact name, or with `true`, is one."""
    if result.action == "decline":
        return Reply(Consent.NO, "The person declined.")
    if result.action == "cancel":
        return Reply(Consent.NO, "The person closed the question without an answer.")
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
