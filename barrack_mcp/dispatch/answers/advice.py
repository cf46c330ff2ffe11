"""What to do next when the API says no: the read that explains it, and the sentence that helps."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.account.things import Thing
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.api.text import mention
from barrack_mcp.catalogue import JsonObject, Operation
from barrack_mcp.catalogue.kinds import IMAGE, kind_named_by
from barrack_mcp.dispatch.call import Call

_log = logging.getLogger(__name__)
_CREDITS: Final = re.compile(r"insufficient.{0,20}(credit|balance|fund)|not enough credit", re.IGNORECASE)
_IMAGE_EXISTS: Final = re.compile(r"image already exists for this snapshot", re.IGNORECASE)
_PROFILE: Final = re.compile(r"profile.{0,20}incomplete|incomplete.{0,20}profile|complete your profile", re.IGNORECASE)
_MISSING: Final = re.compile(
    r"not found|(?:do|does)(?: not|n't) exist|no such|\bunknown\b|could(?: not|n't) be found", re.IGNORECASE
)
_NAME_TAKEN: Final = re.compile(r"already exists", re.IGNORECASE)
_MISTAKEN: Final = (400, 422)
_CHOSEN: Final = {"os_image": "list_os_images", "region": "list_regions", "gpu_model": "list_gpu_stock"}
"""Arguments that name no thing of the account, and what lists their values."""
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
    balance = data.get("balance") or {}
    held = balance.get("by_currency") or {balance.get("currency") or "": balance.get("amount")}
    told = [money.write(each, mention(of)) for of, value in held.items() if (each := money.amount(value)) is not None]
    return f"The balance is {' and '.join(told) or 'not told'}; add credits at barrack.ai or choose something smaller."


def _existing_image(data: JsonObject) -> str:
    image = Thing(IMAGE, data.get("image") or {})
    return f"The image that exists is {image.label}; delete it first, or use it, or take a new snapshot."


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
            return " ".join(part for part in (error.mend, _guess(operation, error)) if part)
        case Failure.REJECTED:
            return _after_rejection(operation, error)
        case _:
            # what something on the way wants is told with its answer
            return error.mend


async def explain(call: Call, error: ApiError, operation: Operation | None = None) -> str:
    """The API's own words, and what to do now.

    Args:
        call: The call.
        error: What the API said.
        operation: What it said that to, if not to the call itself.
    """
    operation = operation or call.operation
    parts = [error.sentence]
    if (more := follow_up(operation, error)) is not None:
        arguments = {name: call.values[name] for name in more.arguments}
        try:
            parts.append(more.sentence(await call.account.read(more.tool, arguments)))
        except ApiError as second:
            _log.info("%s could not be read: %s", more.tool, second.failure)
    if error.status == _NOT_FOUND and (new := call.names.what_is_new(call.operation, call.values)):
        return f"{error.sentence} {new}"
    if error.status == _NOT_FOUND:
        parts.append(await call.names.suggest(operation, call.values))
    parts.append(next_step(operation, error))
    return " ".join(part for part in parts if part)


def _after_rejection(operation: Operation, error: ApiError) -> str:
    if _PROFILE.search(error.words):
        return "Complete the account's profile at barrack.ai, then try again."
    if error.status == _METHOD_NOT_ALLOWED:
        return _guess(operation, error)
    if error.status == _NOT_FOUND:
        # an API that names what it did not find has found the path
        guess = "" if "NOT_FOUND" in (error.code or "").upper() else _guess(operation, error)
        return " ".join(part for part in (_which(operation, error), guess) if part)
    if error.status in _MISTAKEN and _MISSING.search(error.words):
        return _check(operation, _about(operation, error.words))
    if error.status == _CONFLICT and operation.look is not None:
        state = f"{_looked_at(operation, error) or operation.look.tool} shows the present state."
        return f"{operation.on_conflict} {state}" if operation.on_conflict else state
    return ""


def _which(operation: Operation, error: ApiError) -> str:
    """Name the argument that the API's words are about, else all ids, and the tools that show the right ones."""
    code = (error.code or "").replace("_", " ")
    return _check(operation, _about(operation, error.words) or _about(operation, code) or _ids(operation))


def _check(operation: Operation, names: list[str]) -> str:
    if not names:
        return ""
    listers = {name: _lister(operation, name) for name in names}
    tools = set(listers.values())
    if len(tools) == 1:
        tool = tools.pop()
        return f"Check {', '.join(names)}" + (f"; {tool} shows what exists." if tool else ".")
    each = [f"{name} ({tool} shows what exists)" if tool else name for name, tool in listers.items()]
    return f"Check {', '.join(each)}."


def _ids(operation: Operation) -> list[str]:
    return [name for name in operation.arguments.model_fields if name.endswith(("_id", "_ids"))]


def _about(operation: Operation, words: str) -> list[str]:
    """The argument whose thing the words say is missing: what stands before them, else after; none or one."""
    found = _MISSING.search(words)
    parts = (words[: found.start()], words[found.end() :]) if found else (words,)
    return next((named for part in parts if (named := _named(operation, part))), [])


def _named(operation: Operation, words: str) -> list[str]:
    """The argument whose thing the words name first, the longest name first; none or one."""
    places = [
        (match.start(), -len(match[0]), name)
        for name in [*_ids(operation), *(name for name in _CHOSEN if name in operation.arguments.model_fields)]
        for match in [re.search(_pattern(name), words, re.IGNORECASE)]
        if match is not None
    ]
    return [min(places)[2]] if places else []


def _pattern(name: str) -> str:
    stem = re.sub("_ids?$", "", name)
    kind = kind_named_by(name)
    spoken = {stem, *stem.split("_")[1:], *((kind.words, kind.type) if kind else ())}
    if name in _CHOSEN:
        spoken = {stem}
    either = "|".join(re.sub("[_ ]", "[_ -]?", text) for text in sorted(spoken, key=lambda text: (-len(text), text)))
    # the image of an operating system is no image of the account
    return rf"(?<!os )(?<!os_)\b(?:{either})(?:_?ids?|s)?\b"


def _lister(operation: Operation, name: str) -> str:
    """The tool that shows what may stand in an argument; empty if there is none."""
    if name in _CHOSEN:
        return _CHOSEN[name]
    if (kind := kind_named_by(name)) is not None:
        return kind.list_tool
    # a rule is part of what stands before it in the path
    return next((tool for each in operation.placeholders if (tool := _getter(each))), "")


def _getter(name: str) -> str:
    """The tool that shows the one thing that an argument names; empty if there is none."""
    kind = kind_named_by(name)
    return "" if kind is None else kind.get_tool


def _looked_at(operation: Operation, error: ApiError) -> str:
    """The tool that shows what is in the wrong state; empty if the call names no such thing."""
    if _NAME_TAKEN.search(error.words):
        return ""
    fields = operation.arguments.model_fields
    acted_on = [name for name in _ids(operation) if name.endswith("_id") and fields[name].is_required()]
    return next((tool for name in [*_named(operation, error.words), *acted_on] if (tool := _getter(name))), "")


def _guess(operation: Operation, error: ApiError) -> str:
    """Say that the path itself may be wrong, where nothing vouches for it."""
    if not error.guess:
        return ""
    return (
        f"This path is our guess: {error.guess} of {operation.tool} is inferred, not documented, and the API may have "
        f"it elsewhere. barrack-mcp doctor finds out which paths work; the operator puts the right one under "
        f"operations.{operation.tool}.path in the contract file."
    )
