"""From TOML to overrides: every mistake is told with its line, its key and what to write instead."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Final, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from barrack_mcp.api.text import cite
from barrack_mcp.api.wire.bounds import bounded
from barrack_mcp.api.wire.checks import Mistake, check, no_such, repeated
from barrack_mcp.api.wire.overrides import About, ApiOverride, Extra, OperationOverride, Overrides
from barrack_mcp.api.wire.shape import STATES
from barrack_mcp.catalogue import BY_TOOL, JsonObject

MAX_BYTES: Final = 1_000_000
_SECTIONS: Final = tuple(each.name for each in fields(Overrides))
_SENTENCES: Final = {
    "string_type": "must be text in quotes",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "dataclass_type": "must be a table",
    "float_type": "must be a number",
}
_KEYS: Final = {
    "api": (ApiOverride, "a key of [api]"),
    "operations": (OperationOverride, "a key of an operation"),
    "arguments": (Extra, "a key of an argument"),
    "about": (About, "what can be documented of an argument"),
}
Model = TypeVar("Model")


class OverridesError(Exception):
    """The file is wrong.

    Attributes:
        mistakes: One sentence for each, with its line and its key.
    """

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def load(raw: bytes, name: str) -> Overrides:
    """Read overrides.

    Args:
        raw: The file's bytes.
        name: What to call the file in messages.

    Raises:
        OverridesError: With a sentence for each mistake.
    """
    text, table = _toml(raw, name)
    overrides, mistakes = from_table(table)
    if not mistakes:
        return overrides
    lines = key_lines(text)
    told = sorted((_line(lines, way), _key(way), words) for way, words in mistakes)
    raise OverridesError(
        [f"{name}, line {line}: {key} {words}{'' if words.endswith('?') else '.'}" for line, key, words in told]
    )


def _toml(raw: bytes, name: str) -> tuple[str, JsonObject]:
    if len(raw) > MAX_BYTES:
        raise OverridesError([f"{name} is larger than {MAX_BYTES // 1000} kB."])
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        words = f"is not UTF-8 (byte {error.start})"
    except tomllib.TOMLDecodeError as error:
        words = f"is not TOML: {error}"
    except RecursionError:
        words = "is nested too deeply"
    raise OverridesError([f"{name} {words}."])


def from_table(table: JsonObject) -> tuple[Overrides, list[Mistake]]:
    """Read overrides from the table that a file holds; what is wrong is left out and told."""
    mistakes: list[Mistake] = [
        ((section,), no_such(section, _SECTIONS, "a section of overrides")) for section in table.keys() - set(_SECTIONS)
    ]
    operations = _operations(table, mistakes)
    overrides, refused = bounded(
        Overrides(api=_api(table, mistakes), operations=operations, status=_status(table, mistakes))
    )
    for tool, words in refused.items():
        mistakes.append((("operations", tool, "path" if operations[tool].path else "method"), words))
    return overrides, mistakes


def _api(table: JsonObject, mistakes: list[Mistake]) -> ApiOverride:
    said: dict[str, Any] = {}
    for key, value in _table(table, ("api",), mistakes).items():
        if (one := _valid(ApiOverride, {key: value}, ("api",), mistakes)) is not None:
            said[key] = getattr(one, key)
    for key, other in repeated({name: said[name] for name in ("page", "limit") if name in said}):
        mistakes.append((("api", key), f"repeats the one of {other}; names must differ"))
    return ApiOverride(**said)


def _operations(table: JsonObject, mistakes: list[Mistake]) -> dict[str, OperationOverride]:
    operations: dict[str, OperationOverride] = {}
    for tool, said in _entries(table, "operations", BY_TOOL, "a tool", mistakes):
        if (override := _valid(OperationOverride, said, ("operations", tool), mistakes)) is not None:
            wrong = [(("operations", tool, *way), words) for way, words in check(BY_TOOL[tool], override)]
            mistakes += wrong
            operations |= {} if wrong else {tool: override}
    return operations


def _status(table: JsonObject, mistakes: list[Mistake]) -> dict[str, dict[str, str]]:
    status: dict[str, dict[str, str]] = {}
    for kind, _ in _entries(table, "status", STATES, "a kind of thing with states", mistakes):
        for theirs, ours in _table(table["status"], ("status", kind), mistakes).items():
            if ours in STATES[kind]:
                status.setdefault(kind, {})[theirs] = ours
            else:
                mistakes.append((("status", kind, theirs), f"must name a state of ours: {', '.join(STATES[kind])}"))
    return status


def _table(holder: JsonObject, way: tuple[str, ...], mistakes: list[Mistake]) -> JsonObject:
    return _valid(dict[str, Any], holder.get(way[-1], {}), way, mistakes) or {}


def _entries(
    table: JsonObject, section: str, known: Mapping[str, Any], kind: str, mistakes: list[Mistake]
) -> Iterator[tuple[str, Any]]:
    for key, said in _table(table, (section,), mistakes).items():
        if key in known:
            yield key, said
        else:
            mistakes.append(((section, key), no_such(key, known, kind)))


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def _valid(model: type[Model], said: Any, way: tuple[str, ...], mistakes: list[Mistake]) -> Model | None:
    try:
        valid: Model = _adapter(cast("Any", model)).validate_python(said)
    except ValidationError as error:
        details: Any = error.errors(include_url=False, include_input=False)
        mistakes += [((*way, *map(str, each["loc"])), _words((*way, *each["loc"]), each)) for each in details]
        return None
    return valid


def _words(way: tuple[Any, ...], detail: Any) -> str:
    """Say in our words what pydantic found."""
    match detail["type"]:
        case "unexpected_keyword_argument":
            model, kind = _KEYS[next((part for part in way[2:-1] if part in _KEYS), way[0])]
            names = [getattr(each.default, "alias", None) or each.name for each in fields(model)]
            return no_such(str(way[-1]), names, kind)
        case "literal_error":
            return f"must be one of {detail['ctx']['expected'].replace(chr(39), '').replace(' or ', ', ')}"
        case "value_error":
            return str(detail["ctx"]["error"])
        case kind:
            return _SENTENCES.get(kind) or f"must be another kind of value ({kind.replace('_', ' ')})"


def _key(way: tuple[str, ...]) -> str:
    """A key as it would be written."""
    return ".".join(part if re.fullmatch(r"[\w-]{1,80}", part) else cite(part) for part in way)


def _line(lines: Mapping[str, int], way: tuple[str, ...]) -> int:
    """The line of a key; for one inside a value, the line of that value."""
    return next((lines[key] for end in range(len(way), 0, -1) if (key := ".".join(way[:end])) in lines), 1)


def key_lines(text: str) -> dict[str, int]:
    """The line (from 1) on which each key stands, by its names with dots between.

    No library keeps lines. But a valid document falls into statements (a header, or a key with its value), and each is
    valid TOML by itself: so `tomllib` finds where each ends and what it names.
    """
    lines: dict[str, int] = {}
    header, begun, first = "", "", 1
    for number, line in enumerate(text.split("\n"), start=1):
        first = first if begun else number
        begun += line + "\n"
        try:
            said = tomllib.loads(begun)
        except tomllib.TOMLDecodeError:
            continue
        is_header, begun = begun.lstrip().startswith("["), ""
        ways = list(_ways(said))
        if is_header:
            header = f"{max(ways, key=len)}."
        for way in ways:
            key = way if is_header else header + way
            # what a header opens on its way counts only until it has a line of its own
            lines[key] = first if is_header and f"{key}." == header else lines.get(key, first)
    return lines


def _ways(table: Any, before: str = "") -> Iterator[str]:
    table = table[0] if isinstance(table, list) and table else table
    for name, inner in table.items() if isinstance(table, dict) else ():
        yield before + name
        yield from _ways(inner, f"{before}{name}.")
