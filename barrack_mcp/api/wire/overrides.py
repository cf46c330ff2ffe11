"""What is known of the API better than the catalogue guessed it: plain data, from a file or from a document."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import unquote

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool, TypeAdapter
from pydantic.dataclasses import dataclass

from barrack_mcp.api.http import checked_url
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import JsonObject, Method

METHODS: Final[tuple[Method, ...]] = ("GET", "POST", "PUT", "PATCH", "DELETE")
WHOLE_BODY: Final = "."
"""As `result`: the answer's body itself is the result, without a root."""
PAGING: Final = ("page", "limit", "total", "total_pages")
"""The names of `[api]` that rename fields of every paged operation."""

LONGEST: Final = 200
_LONGEST_SOURCE: Final = 500
MOST_CHOICES: Final = 200
_HEADER: Final = re.compile(r"[A-Za-z0-9-]+")
_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/{}-]*")
_AS_WRITTEN: Final = ConfigDict(extra="forbid", hide_input_in_errors=True, defer_build=True)


def _check_text(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("must be text in quotes")
    return text


def _check_name(text: str) -> str:
    if any(not part or " " in part for part in text.split(".")) or len(text) > LONGEST:
        raise ValueError("must be a name, or names with dots between")
    return text


def _check_result(text: str) -> str:
    return text if text == WHOLE_BODY else _check_name(text)


def _check_path(text: str) -> str:
    if not _PATH.fullmatch(text) or "//" in unquote(text):
        raise ValueError("must be a path below the base URL, such as /instances/{instance_id}/")
    if {".", ".."} & set(unquote(text).split("/")):
        raise ValueError("must not hold . or .. as a segment")
    return text


def _check_header(text: str) -> str:
    if not _HEADER.fullmatch(text):
        raise ValueError("must be the name of a header: letters, digits and -")
    return text


def _check_template(text: str) -> str:
    if text.count("{key}") != 1:
        raise ValueError("must hold {key} once, as in «Bearer {key}»")
    return text


def _check_value(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError("must be text, a number, true or false")  # noqa: TRY004 - pydantic words ValueErrors alone
    return value


def _check_source(text: str) -> str:
    if len(text) > _LONGEST_SOURCE:
        raise ValueError(f"must say in at most {_LONGEST_SOURCE} characters where that is documented")
    return text


def _check_number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be a number")
    return value


def _check_count(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("must be a whole number, 0 or more")
    return value


def _check_choices(values: tuple[object, ...]) -> tuple[object, ...]:
    if len(values) > MOST_CHOICES:
        raise ValueError(f"must have at most {MOST_CHOICES} values")
    if any(isinstance(value, str) and (not value.isprintable() or len(value) > LONGEST) for value in values):
        raise ValueError(f"must hold values of one line, each of at most {LONGEST} characters")
    return values


def _flattened(table: Any, before: str = "") -> Any:
    """A table whose names have dots, where it was written as tables inside tables."""
    if not isinstance(table, dict):
        return table
    flat: dict[str, Any] = {}
    for key, inner in table.items():
        flat |= _flattened(inner, f"{before}{key}.") if isinstance(inner, dict) else {before + key: inner}
    return flat


def _tabled(table: Any, before: str = "") -> Any:
    """Tables of values by the dotted name of what they are values of; a value of ours may hold dots itself."""
    if not isinstance(table, dict):
        return table
    tables: dict[str, Any] = {}
    for key, inner in table.items():
        if isinstance(inner, dict):
            tables |= _tabled(inner, f"{before}{key}.")
        elif before:
            tables.setdefault(before[:-1], {})[key] = inner
        else:
            tables[key] = inner
    return tables


def _by_place(table: Any, before: str = "") -> Any:
    """Tables by the dotted name of what they tell of, where fields were written as tables inside their object's."""
    if not isinstance(table, dict):
        return table
    places: dict[str, Any] = {}
    for name, said in table.items():
        if not isinstance(said, dict):
            places[before + name] = said
            continue
        inside = {key: inner for key, inner in said.items() if isinstance(inner, dict)}
        if len(inside) < len(said) or not said:
            places[before + name] = {key: inner for key, inner in said.items() if key not in inside}
        places |= _by_place(inside, f"{before}{name}.")
    return places


Text: TypeAlias = Annotated[str, AfterValidator(_check_text)]
Name: TypeAlias = Annotated[Text, AfterValidator(_check_name)]
Values: TypeAlias = dict[str, Annotated[JsonValue, AfterValidator(_check_value)]]
Place: TypeAlias = Literal["body", "query", "path"]
Type: TypeAlias = Literal["string", "integer", "number", "boolean", "array", "object"]
Number: TypeAlias = Annotated[JsonValue, AfterValidator(_check_number)]
Count: TypeAlias = Annotated[JsonValue, AfterValidator(_check_count)]
Value: TypeAlias = Annotated[JsonValue, AfterValidator(_check_value)]


@dataclass(frozen=True, config=_AS_WRITTEN)
class Extra:
    """An argument that the API wants and the catalogue doesn't know; whatever is silent is the usual.

    Attributes:
        theirs: Its name on the wire, if that is not the argument's.
        place: Where it goes; where the operation's other arguments go, if silent.
        required: Whether it must be given.
        type: Its JSON type; as in a JSON schema are those that follow.
        description: In words.
        enum: The values of a closed set.
        items: Of an array.
        properties: Of an object.
        minimum: Of a number.
        maximum: Of a number.
    """

    theirs: Annotated[Name | None, Field(alias="name")] = None
    place: Annotated[Place | None, Field(alias="in")] = None
    required: StrictBool = True
    type: Type = "string"
    description: str = ""
    enum: tuple[JsonValue, ...] = ()
    items: JsonObject | None = None
    properties: JsonObject | None = None
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, config=_AS_WRITTEN)
class About:
    """What is documented of an argument of ours, as in a JSON schema; of a list, all but the lengths is of its entries.

    It narrows what a caller may say and never widens it, save by new values of a closed set of which nothing of ours
    depends.

    Attributes:
        type: As which JSON type it is sent, where that loses nothing.
        minimum: Of a number.
        maximum: Of a number.
        min_length: Of a text, or entries of a list.
        max_length: Of a text, or entries of a list.
        enum: Its values, by our names for them.
        default: What the API takes where it is left out.
        description: In the vendor's words.
    """

    type: Type | None = None
    minimum: Number | None = None
    maximum: Number | None = None
    min_length: Count | None = None
    max_length: Count | None = None
    enum: Annotated[tuple[Value, ...], AfterValidator(_check_choices)] = ()
    default: Value | None = None
    description: str = ""

    def __bool__(self) -> bool:
        return self != About()


@dataclass(frozen=True, config=_AS_WRITTEN)
class OperationOverride:
    """What differs in one operation; what is silent is as shipped.

    Attributes:
        documented: Where and when its form was found documented; a guess where silent.
        method: Its method.
        path: Its path, with the tool's arguments in braces.
        result: Where the result sits in an answer: a name, names with dots, or `.` for the whole body.
        send: Whether arguments go into the query or into the body; by method if silent.
        requires: Arguments that are optional for us and not for the API.
        constants: Sent with every call, under the API's names.
        fields: Our name, theirs. `rows.field` for nested ones; `request.` or `answer.` before it means one side only.
        values: By the same names, our value and theirs.
        arguments: What the API wants beyond what we know.
        about: What is documented of our arguments, by name; `rows.field` for nested ones.
    """

    documented: Annotated[Text, AfterValidator(_check_source)] | None = None
    method: Method | None = None
    path: Annotated[str, AfterValidator(_check_path)] | None = None
    result: Annotated[Text, AfterValidator(_check_result)] | None = None
    send: Literal["query", "body"] | None = None
    requires: tuple[str, ...] = ()
    constants: JsonObject = Field(default_factory=dict)
    fields: Annotated[dict[str, Name], BeforeValidator(_flattened)] = Field(default_factory=dict)
    values: Annotated[dict[str, Values], BeforeValidator(_tabled)] = Field(default_factory=dict)
    arguments: dict[str, Extra] = Field(default_factory=dict)
    about: Annotated[dict[str, About], BeforeValidator(_by_place)] = Field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether it says anything but that what we ship is documented."""
        return self != OperationOverride(documented=self.documented)


@dataclass(frozen=True, config=_AS_WRITTEN)
class ApiOverride:
    """What differs everywhere."""

    url: Annotated[Text, AfterValidator(checked_url)] | None = None
    slash: Literal["always", "never", "keep"] | None = None
    auth_header: Annotated[Text, AfterValidator(_check_header)] | None = None
    auth_template: Annotated[Text, AfterValidator(_check_template)] | None = None
    page: Name | None = None
    limit: Name | None = None
    total: Name | None = None
    total_pages: Name | None = None


@dataclass(frozen=True, config=_AS_WRITTEN)
class Overrides:
    """Everything that differs; empty as shipped.

    Attributes:
        api: What differs everywhere.
        operations: By tool.
        status: By kind of thing, the API's state and ours.
    """

    api: ApiOverride = ApiOverride()
    operations: dict[str, OperationOverride] = Field(default_factory=dict)
    status: dict[str, dict[str, str]] = Field(default_factory=dict)

    def __bool__(self) -> bool:
        return self != Overrides()


_ADAPTER: Final = TypeAdapter(Overrides)


def as_table(overrides: Overrides) -> JsonObject:
    """Overrides as the table that a file of them holds; what is silent is left out."""
    table: JsonObject = _ADAPTER.dump_python(overrides, mode="json", by_alias=True, exclude_defaults=True)
    operations = {tool: _without_empty(said) for tool, said in table.get("operations", {}).items()}
    return _without_empty({**table, "operations": operations})


def _without_empty(table: JsonObject) -> JsonObject:
    return {name: inner for name, inner in table.items() if inner not in ({}, [], None)}


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
            below = getattr(under, each.name)
            said[each.name] = {
                **below,
                **{
                    name: _over(below[name], inner) if isinstance(inner, About) and name in below else inner
                    for name, inner in value.items()
                },
            }
        elif value not in (None, (), ""):
            said[each.name] = value
    return replace(under, **said)
