"""What to do next when the API says no: the read that explains it, and the sentence that helps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import BY_TOOL, JsonObject, Operation
from barrack_mcp.present import compact

_CREDITS: Final = re.compile(r"insufficient.{0,20}(credit|balance|fund)|not enough credit", re.IGNORECASE)
_IMAGE_EXISTS: Final = re.compile(r"image already exists for this snapshot", re.IGNORECASE)
_PROFILE: Final = re.compile(r"profile.{0,20}incomplete|incomplete.{0,20}profile|complete your profile", re.IGNORECASE)
_PAYMENT_REQUIRED: Final = 402
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_METHOD_NOT_ALLOWED: Final = 405


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A read that explains a refusal, and how to put its answer into a sentence."""

    tool: str
    arguments: tuple[str, ...]
    """Arguments that the read takes over from the refused call."""
    sentence: Callable[[JsonObject], str]


def _balance(data: JsonObject) -> str:
    return f"The balance is {compact(data.get('balance'))}; add credits at barrack.ai or choose something smaller."


def _existing_image(data: JsonObject) -> str:
    image = data.get("image") or {}
    named = f"«{image.get('name', 'unnamed')}» ({image.get('image_id', 'id unknown')})"
    return f"The image that exists is {named}; delete it first, or use it, or take a new snapshot."


def follow_up(operation: Operation, error: ApiError) -> FollowUp | None:
    """Choose the read that explains this refusal; None if there is none."""
    if error.failure is not Failure.REJECTED:
        return None
    if error.status == _PAYMENT_REQUIRED or _CREDITS.search(error.words):
        return FollowUp("get_credit_balance", (), _balance)
    if operation.tool == "create_custom_image" and _IMAGE_EXISTS.search(error.words):
        return FollowUp("get_snapshot_image", ("snapshot_id",), _existing_image)
    return None


def next_step(operation: Operation, error: ApiError) -> str:
    """Say what to do now; empty if the API's words leave nothing to add."""
    match error.failure:
        case Failure.UNAUTHORISED:
            return "Check that the API key is right, not expired and allowed to do this."
        case Failure.THROTTLED:
            wait = f"in {error.retry_after:.0f} s" if error.retry_after is not None else "later"
            return f"Nothing was changed; try again {wait}."
        case Failure.UNREACHABLE:
            return "Nothing was sent; check the network and the API's address."
        case Failure.REDIRECTED | Failure.SILENT:
            return _guess(operation, error)
        case Failure.REJECTED:
            return _after_rejection(operation, error)
        case _:
            return ""


def _after_rejection(operation: Operation, error: ApiError) -> str:
    if _PROFILE.search(error.words):
        return "Complete the account's profile at barrack.ai, then try again."
    if error.status == _METHOD_NOT_ALLOWED:
        return _guess(operation, error)
    if error.status == _NOT_FOUND:
        # an API that names what it did not find has found the path
        guess = "" if "NOT_FOUND" in (error.code or "").upper() else _guess(operation, error)
        return " ".join(part for part in (_which(operation), guess) if part)
    if error.status == _CONFLICT and operation.look is not None:
        state = f"{operation.look.tool} shows the present state."
        return f"{operation.on_conflict} {state}" if operation.on_conflict else state
    return ""


def _which(operation: Operation) -> str:
    """Name the ids that may be wrong and the tool that shows the right ones."""
    ids = [name for name in operation.arguments.model_fields if name.endswith(("_id", "_ids"))]
    if not ids:
        return ""
    collection = f"/{operation.path.split('/')[1]}/"
    lister = next((other.tool for other in BY_TOOL.values() if other.reads and other.path == collection), None)
    return f"Check {', '.join(ids)}" + (f"; {lister} shows what exists." if lister else ".")


def _guess(operation: Operation, error: ApiError) -> str:
    """Say that the path itself may be wrong, where nothing vouches for it."""
    if not error.guess:
        return ""
    return (
        f"This path is our guess: {error.guess} of {operation.tool} is inferred, not documented, and the API may have "
        f"it elsewhere. barrack-mcp doctor finds out which paths work; the operator puts the right one under "
        f"operations.{operation.tool}.path in the contract file."
    )
