"""The catalogue as an OpenAPI 3.1 document: every statement with its mark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

from barrack_mcp import __version__
from barrack_mcp.api.text import cite
from barrack_mcp.api.wire.shape import model_of
from barrack_mcp.catalogue import INFERRED, OPERATIONS, JsonObject, Operation, answer_schema, arguments_schema
from barrack_mcp.catalogue.envelope import ErrorResponse, Paging

SERVER: Final = "https://barrack.ai/api"
ALSO: Final = "x-also-read-as"
"""Other names under which the client reads a field of an answer."""
RESULT: Final = "x-result"
"""Name of the root under which an answer's result sits."""

_SCHEMAS: Final = "#/components/schemas/"
_DIGITS: Final = 3
_ERRORS: Final = {
    "400": ("BadRequest", "The arguments don't fit, or a rule of the account stands against the call."),
    "401": ("Unauthorised", "No key, or none that is known."),
    "402": ("PaymentRequired", "The credit doesn't suffice."),
    "403": ("Forbidden", "The key may not do this, or the profile is incomplete."),
    "404": ("NotFound", "There is no such thing in this account."),
    "405": ("MethodNotAllowed", "The path doesn't take this method."),
    "409": ("Conflict", "The thing's present state stands against the call."),
    "429": ("TooManyRequests", "Too many requests; not applied."),
    "5XX": ("ServerError", "The API failed; a write may have been applied."),
}
_NUMBERS_TOO: Final = frozenset(
    {("FirewallEnvironment", "id"), ("GPUStockItem", "available"), ("GPUStockConfiguration", "available")}
)
"""Fields that we read as text, since they may be (`200+`), and that mostly travel as numbers."""
_INTRODUCTION: Final = (
    "A reconstruction of the Barrack API by the authors of barrack-mcp, not the vendor's document. `x-provenance` says "
    "of every operation and field whether a page of the vendor shows it (documented) or we inferred it (inferred)."
)


def export(*, auth_header: str = "Authorization", auth_template: str = "Bearer {key}") -> JsonObject:
    """Describe the catalogue as an OpenAPI 3.1 document; the same bytes for the same catalogue.

    Args:
        auth_header: Name of the header that carries the key.
        auth_template: Value of that header, with `{key}`.
    """
    schemas: dict[str, JsonObject] = {}
    paths: dict[str, JsonObject] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    _component(ErrorResponse, schemas, answer=True)
    schemas["FieldErrors"] = {
        "type": "object",
        "description": "Why a request doesn't fit: the API's words by name of the field.",
        "additionalProperties": {},
        "x-provenance": INFERRED.value,
    }
    groups = dict.fromkeys(operation.group for operation in OPERATIONS)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Barrack AI GPU cloud", "version": __version__, "description": _INTRODUCTION},
        "servers": [{"url": SERVER}],
        "security": [{"key": []}],
        "tags": [{"name": group} for group in sorted(groups)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {name: _error(words) for name, words in _ERRORS.values()},
            "securitySchemes": {"key": _scheme(auth_header, auth_template)},
        },
    }
    ordered: JsonObject = json.loads(json.dumps(document, sort_keys=True))
    return ordered


def as_text(document: JsonObject) -> str:
    """Write a document as it is kept: sorted, indented, with an end of line."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _scheme(header: str, template: str) -> JsonObject:
    mark = {"x-provenance": INFERRED.value}
    if header.casefold() == "authorization" and template == "Bearer {key}":
        return {"type": "http", "scheme": "bearer", "description": "The API key.", **mark}
    return {"type": "apiKey", "in": "header", "name": header, "description": f"Sent as {cite(template)}.", **mark}


def _error(words: str) -> JsonObject:
    forms = [{"$ref": f"{_SCHEMAS}ErrorResponse"}, {"$ref": f"{_SCHEMAS}FieldErrors"}]
    return {"description": words, "content": {"application/json": {"schema": {"anyOf": forms}}}}


def _operation(operation: Operation, schemas: dict[str, JsonObject]) -> JsonObject:
    described: JsonObject = {
        "operationId": operation.tool,
        "summary": operation.title,
        "description": operation.description,
        "tags": [operation.group],
        "x-provenance": operation.provenance.value,
        "x-confidence": {"method": operation.confidence.method, "path": operation.confidence.path},
        "x-risk": operation.risk.value,
        "responses": {
            "2XX": {
                "description": "Done.",
                "content": {"application/json": {"schema": _component(operation.response, schemas, answer=True)}},
            },
            **{status: {"$ref": f"#/components/responses/{name}"} for status, (name, _) in _ERRORS.items()},
        },
    }
    root = schemas[operation.response.__name__]["properties"]
    root.setdefault("success", {"type": "boolean", "description": "Whether it was done.", "x-provenance": "documented"})
    if operation.result is not None:
        described[RESULT] = operation.result
    if parameters := list(_parameters(operation)):
        described["parameters"] = parameters
    if operation.request.model_fields and not operation.in_query:
        body = _component(operation.request, schemas, answer=False)
        needed = any(info.is_required() for info in operation.request.model_fields.values())
        described["requestBody"] = {"required": needed, "content": {"application/json": {"schema": body}}}
    return described


def _parameters(operation: Operation) -> Iterator[JsonObject]:
    if operation.place is not None:
        yield from _placed(operation.place, "path")
    if operation.in_query:
        yield from _placed(operation.request, "query")
    if operation.paged:
        yield from _placed(Paging, "query")


_API_WORDS: Final = {
    "Id or name.": "Id.",
    "Ids or names.": "Ids.",
    "Free ones; ids or names.": "Ids of free ones.",
}
"""A name in the place of an id is our own service: the API takes ids alone."""


def _placed(model: type[BaseModel], place: str) -> Iterator[JsonObject]:
    properties = arguments_schema(model)["properties"]
    for name, info in model.model_fields.items():
        schema = {key: value for key, value in properties[name].items() if key != "description"}
        yield {
            "name": name,
            "in": place,
            "required": info.is_required(),
            "description": _API_WORDS.get(info.description or "", info.description),
            "schema": schema,
            **_marks(info),
        }


def _component(model: type[BaseModel], schemas: dict[str, JsonObject], *, answer: bool) -> JsonObject:
    """Refer to a model's schema under the vendor's name for it, and describe it once."""
    name = model.__name__
    if name not in schemas:
        # a place first: a model may hold itself
        schemas[name] = {}
        described = answer_schema(model) if answer else arguments_schema(model)
        properties = {
            field: _property(info, described["properties"][field], schemas, answer=answer)
            for field, info in model.model_fields.items()
        }
        for field, described_field in properties.items():
            if (words := described_field.get("description")) in _API_WORDS:
                described_field["description"] = _API_WORDS[words]
            if (name, field) in _NUMBERS_TOO:
                described_field["type"] = ["string", "integer", "null"]
        schemas[name] |= {"type": "object", "description": (model.__doc__ or "").strip(), "properties": properties}
        if described.get("required"):
            schemas[name]["required"] = described["required"]
    return {"$ref": _SCHEMAS + name}


def _property(info: FieldInfo, schema: JsonObject, schemas: dict[str, JsonObject], *, answer: bool) -> JsonObject:
    inner = model_of(info.annotation)
    described = dict(schema)
    if inner is not None:
        reference = _component(inner, schemas, answer=answer)
        if "items" in described:
            described["items"] = reference
        else:
            described = {"description": info.description, **reference}
    # the API takes null for what may be left out, and may answer it anywhere
    return _nullable(described, leave=not answer and info.is_required()) | _marks(info) | _also(info)


def _nullable(schema: JsonObject, *, leave: bool) -> JsonObject:
    if leave or isinstance(schema.get("type"), list):
        return schema
    if "$ref" in schema:
        words = {key: value for key, value in schema.items() if key != "$ref"}
        return {**words, "anyOf": [{"$ref": schema["$ref"]}, {"type": "null"}]}
    if "type" in schema:
        nullable = {**schema, "type": [schema["type"], "null"]}
        return nullable | ({"enum": [*schema["enum"], None]} if "enum" in schema else {})
    return schema


def _marks(info: FieldInfo) -> JsonObject:
    extra: Any = info.json_schema_extra
    # a generated private key is marked as secret, but it is answered: it is not write-only
    return {"x-provenance": extra["x-provenance"]} if isinstance(extra, dict) and "x-provenance" in extra else {}


def _also(info: FieldInfo) -> JsonObject:
    alias = info.validation_alias
    if not isinstance(alias, AliasChoices):
        return {}
    return {ALSO: [choice for choice in alias.choices if isinstance(choice, str)]}
