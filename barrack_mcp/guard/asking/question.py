"""A question as it is put to a person through the client, and what counts as a yes to it."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mcp.types import ElicitResult

from barrack_mcp.api.text import is_same_name
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.guard.asking.meanings import Meant

READING_S: Final = 0.5
"""Sooner than this after the question nobody has read it: whatever says no then is a program."""


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


def make_form(must_type: str | None) -> JsonObject:
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


def judge(result: ElicitResult, must_type: str | None, *, after: float) -> Reply:
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
        return EMPTY
    if must_type is None:
        if content.get("approve") is True:
            return Reply(Consent.YES)
        return Reply(Consent.NO, "The person did not tick the approval.")
    return _judge_typed(content.get("name"), must_type)


def _judge_typed(typed: object, must_type: str) -> Reply:
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


EMPTY: Final = Reply(Consent.NO, "The question was accepted without an answer.")
_DECLINED: Final = Reply(Consent.DECLINED, "The person declined.")
_CLOSED: Final = Reply(Consent.NO, "The person closed the question without an answer.")
_UNSEEN: Final = Reply(Consent.UNSEEN, "The question was closed; it was not answered by a person.")
_TOO_FAST: Final = Reply(
    Consent.UNSEEN, "The question was declined sooner than anybody can read it; it was not answered by a person."
)
