"""An operation with what the API turned out to want of its arguments, for everything that derives from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, create_model

from barrack_mcp.api.text import escape
from barrack_mcp.api.wire.names import names_a_secret
from barrack_mcp.api.wire.narrowing import Room, narrowed
from barrack_mcp.api.wire.overrides import About, Extra
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import DOCUMENTED, Confidence, JsonObject, Operation, Request
from barrack_mcp.catalogue.models import optional, required
from barrack_mcp.catalogue.values import ARRAY, OBJECT

_PLAIN: Final[dict[str, type]] = {"string": str, "integer": int, "number": float, "boolean": bool}
_MAX_DESCRIPTION: Final = 200

CERTAIN: Final = Confidence(100, 100)
"""How sure we are of what the vendor documents."""


def extended(
    operation: Operation,
    extras: Mapping[str, Extra],
    requires: Sequence[str],
    about: Mapping[str, About] = MappingProxyType({}),
    room: Room | None = None,
) -> Operation:
    """Derive an operation whose request also takes `extras`, must hold `requires`, and is held to what is documented.

    The operation itself, if there is nothing to add: schemas, validation and tests see other arguments, nothing else.
    """
    room = room or Room()
    place = operation.place and narrowed(operation.place, about, (), room)
    pages = narrowed(operation.pages, about, (), room) if operation.paged else operation.pages
    request = _wanting(narrowed(operation.request, about, requires, room), extras)
    if (place, pages, request) == (operation.place, operation.pages, operation.request):
        return operation
    return replace(operation, place=place, pages=pages, request=request)


def _wanting(usual: type[Request], extras: Mapping[str, Extra]) -> type[Request]:
    fields: dict[str, Any] = {}
    for name, extra in extras.items():
        annotation = _type(asdict(extra))
        words = _described(extra.description)
        secret = names_a_secret(name) or names_a_secret(extra.theirs or "")
        declared = required(words, secret=secret) if extra.required else optional(words, secret=secret)
        fields[name] = (annotation if extra.required else annotation | None, declared)
    return create_model(usual.__name__, __base__=usual, __doc__=usual.__doc__, **fields) if fields else usual


def documented(operation: Operation, source: str | None) -> Operation:
    """Derive an operation whose form counts as documented, where a source says so."""
    if source is None or operation.provenance is DOCUMENTED:
        return operation
    return replace(operation, endpoint=replace(operation.endpoint, confidence=CERTAIN))


def _described(words: str) -> str:
    return str(escape(" ".join(words.split()), limit=_MAX_DESCRIPTION)) or "Wanted by the API; not described."


def _type(schema: JsonObject) -> Any:
    """The type that a JSON schema describes, as far as a tool's argument needs it."""
    choices, kind = schema.get("enum"), str(schema.get("type", "string"))
    if choices and all(isinstance(choice, str) for choice in choices):
        return Literal[tuple(choices)]
    if kind == "array":
        items = schema.get("items")
        return Annotated[list[_type(items if isinstance(items, dict) else {})], ARRAY]  # type: ignore[misc]  # a type made at run time
    if kind == "object":
        return Annotated[dict[str, Any], OBJECT]
    plain: Any = _PLAIN[kind]
    limits = {
        key: said for key, name in (("ge", "minimum"), ("le", "maximum")) if (said := schema.get(name)) is not None
    }
    if limits and kind in ("integer", "number"):
        plain = Annotated[plain, Field(**limits)]
    return Annotated[plain, AfterValidator(_among(choices))] if choices else plain


def _among(choices: Sequence[JsonValue]) -> Callable[[JsonValue], JsonValue]:
    def check(value: JsonValue) -> JsonValue:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(map(str, choices))}")
        return value

    return check
