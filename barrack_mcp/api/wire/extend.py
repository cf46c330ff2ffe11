"""An operation with the arguments that the API turned out to want, for everything that derives from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from types import NoneType
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, Field, create_model
from pydantic.fields import FieldInfo

from barrack_mcp.api.text import escape
from barrack_mcp.api.wire.overrides import Extra
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import DOCUMENTED, Confidence, JsonObject, Operation
from barrack_mcp.catalogue.models import optional, required
from barrack_mcp.catalogue.values import ARRAY, OBJECT

_PLAIN: Final[dict[str, type]] = {"string": str, "integer": int, "number": float, "boolean": bool}
_MAX_DESCRIPTION: Final = 200

CERTAIN: Final = Confidence(100, 100)
"""How sure we are of what the vendor documents."""


def extended(operation: Operation, extras: Mapping[str, Extra], requires: Sequence[str]) -> Operation:
    """Derive an operation whose request also takes `extras` and must hold `requires`.

    The operation itself, if there is nothing to add: schemas, validation and tests see one more argument, nothing else.
    """
    if not extras and not requires:
        return operation
    places = operation.place.model_fields if operation.place else {}
    fields: dict[str, Any] = {
        name: _needed(operation.arguments.model_fields[name]) for name in requires if name not in places
    }
    for name, extra in extras.items():
        annotation = _type(asdict(extra))
        words = _described(extra.description)
        fields[name] = (annotation, required(words)) if extra.required else (annotation | None, optional(words))
    usual = operation.request
    return replace(operation, request=create_model(usual.__name__, __base__=usual, __doc__=usual.__doc__, **fields))


def documented(operation: Operation, source: str | None) -> Operation:
    """Derive an operation whose form counts as documented, where a source says so."""
    if source is None or operation.provenance is DOCUMENTED:
        return operation
    return replace(operation, endpoint=replace(operation.endpoint, confidence=CERTAIN))


def _described(words: str) -> str:
    return str(escape(" ".join(words.split()), limit=_MAX_DESCRIPTION)) or "Wanted by the API; not described."


def _needed(info: FieldInfo) -> tuple[Any, Any]:
    """The same argument, without the leave to be absent."""
    options = [option for option in get_args(info.annotation) if option is not NoneType]
    annotation = options[0] if NoneType in get_args(info.annotation) else info.annotation
    for said in info.metadata:
        annotation = Annotated[annotation, said]
    return annotation, required(info.description or "")


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
