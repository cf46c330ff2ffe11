"""What is known of the API better than the catalogue guessed it: plain data, from a file or from a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal, TypeAlias

from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import JsonObject, Method

Slash: TypeAlias = Literal["always", "never", "keep"]
Place: TypeAlias = Literal["body", "query", "path"]

METHODS: Final[tuple[Method, ...]] = ("GET", "POST", "PUT", "PATCH", "DELETE")
SLASHES: Final[tuple[Slash, ...]] = ("always", "never", "keep")
PLACES: Final[tuple[Place, ...]] = ("body", "query", "path")
WHOLE_BODY: Final = "."
"""As `result`: the answer's body itself is the result, without a root."""


@dataclass(frozen=True, slots=True)
class Extra:
    """An argument that the API wants and the catalogue doesn't know.

    Attributes:
        name: The tool's argument.
        theirs: Its name on the wire.
        place: Where it goes.
        schema: Its JSON schema, with a description.
        required: Whether it must be given.
    """

    name: str
    theirs: str
    place: Place = "body"
    schema: JsonObject = field(default_factory=dict)
    required: bool = True


@dataclass(frozen=True, slots=True)
class OperationOverride:
    """What differs in one operation; what is silent is as shipped.

    Attributes:
        method: Its method.
        path: Its path, with the tool's arguments in braces.
        result: Where the result sits in an answer: a name, names with dots, or `.` for the whole body.
        send: Whether arguments go into the query or into the body; by method if silent.
        requires: Arguments that are optional for us and not for the API.
        constants: Sent with every call, under the API's names.
        fields: Our name, theirs. `rows.field` for nested ones; `request.` or `answer.` before it means one side only.
        values: By the same names, our value and theirs.
        arguments: What the API wants beyond what we know.
    """

    method: Method | None = None
    path: str | None = None
    result: str | None = None
    send: Literal["query", "body"] | None = None
    requires: tuple[str, ...] = ()
    constants: Mapping[str, JsonValue] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    arguments: Mapping[str, Extra] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApiOverride:
    """What differs everywhere."""

    url: str | None = None
    slash: Slash | None = None
    auth_header: str | None = None
    auth_template: str | None = None
    page: str | None = None
    limit: str | None = None
    total: str | None = None
    total_pages: str | None = None


PAGING: Final = ("page", "limit", "total", "total_pages")
"""The names of `[api]` that rename fields of every paged operation."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """Everything that differs; empty as shipped.

    Attributes:
        api: What differs everywhere.
        operations: By tool.
        status: By kind of thing, the API's state and ours.
    """

    api: ApiOverride = ApiOverride()
    operations: Mapping[str, OperationOverride] = field(default_factory=dict)
    status: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self != Overrides()


def merged(under: Overrides, over: Overrides) -> Overrides:
    """Lay one set over another: `over` wins, key by key."""
    operations = dict(under.operations)
    for tool, override in over.operations.items():
        operations[tool] = _over(operations.get(tool, OperationOverride()), override)
    status = {**under.status, **{kind: {**under.status.get(kind, {}), **table} for kind, table in over.status.items()}}
    return Overrides(api=_over(under.api, over.api), operations=operations, status=status)


def _over(under: Any, over: Any) -> Any:
    said = {}
    for each in fields(over):
        value = getattr(over, each.name)
        if isinstance(value, Mapping):
            said[each.name] = {**getattr(under, each.name), **value}
        elif value not in (None, ()):
            said[each.name] = value
    return replace(under, **said)
