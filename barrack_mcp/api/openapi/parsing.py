"""From bytes to the JSON that an OpenAPI document is, whether it came as JSON or as YAML.

YAML is read from its events, with the scalars of YAML 1.2: no tag is obeyed, nothing is constructed but what JSON
knows, `NO` stays text, and what would unfold without end is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from barrack_mcp.api.text import cite
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import JsonObject

MAX_BYTES: Final = 20 * 1024 * 1024
MAX_DEPTH: Final = 100
MAX_VALUES: Final = 2_000_000
"""Values of a document, each alias counted as often as it is used."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT: Final = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class DocumentError(Exception):
    """The document is none that we can use; the text says what is wrong and where."""


@dataclass
class Parsed:
    """What a document holds, and the oddities that were passed over."""

    value: JsonValue
    notes: list[str] = field(default_factory=list)


def parse(raw: bytes, name: str) -> Parsed:
    """Read JSON or YAML.

    Args:
        raw: The document's bytes.
        name: What to call it in messages.

    Raises:
        DocumentError: It is neither, or too large, too deep, or made to unfold without end.
    """
    if len(raw) > MAX_BYTES:
        raise DocumentError(f"{name} is larger than {MAX_BYTES // 2**20} MiB; give the API's schema alone.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{name} is not UTF-8 text (byte {error.start}).") from None
    opening = text.lstrip()[:200].lower()
    if not opening:
        raise DocumentError(f"{name} is empty.")
    if opening.startswith("<"):
        raise DocumentError(f"{name} is a web page or XML, not an OpenAPI document; look for its schema's own address.")
    parsed = (_json(text, name) if opening[0] in "{[" else None) or _yaml(text, name)
    if _depth(parsed.value) > MAX_DEPTH:
        raise _too_deep(name)
    return parsed


def _json(text: str, name: str) -> Parsed | None:
    """Read JSON; None if it is none but might be YAML in braces."""
    notes: dict[str, None] = {}

    def pairs(items: list[tuple[str, Any]]) -> JsonObject:
        table = dict(items)
        if len(table) < len(items):
            seen: set[str] = set()
            twice = next(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # None: noted
            notes[_twice(twice)] = None
        return table

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=lambda _: None)
    except RecursionError:
        raise _too_deep(name) from None
    except json.JSONDecodeError as error:
        if text.lstrip().startswith(('{"', "{\n", "{ ", "{\r", "{}", "[")):
            raise DocumentError(f"{name} is not whole JSON: line {error.lineno}, {error.msg.lower()}.") from None
        return None
    except ValueError:
        raise DocumentError(f"{name} holds a number that is too long.") from None
    return Parsed(value, list(notes))


def _twice(key: str) -> str:
    return f"The key {cite(key)} stands twice; the last counts."


def _too_deep(name: str) -> DocumentError:
    return DocumentError(f"{name} is nested more than {MAX_DEPTH} deep.")


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level and deepest <= MAX_DEPTH:
        deepest += 1
        level = [inner for each in level for inner in _inside(each)]
    return deepest


def _inside(value: Any) -> Iterator[Any]:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (item for item in items if isinstance(item, dict | list))


def _yaml(text: str, name: str) -> Parsed:
    reading = _Yaml(text, name)
    try:
        return Parsed(reading.document(), list(dict.fromkeys(reading.notes)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or "it has a character that YAML does not allow"
        raise DocumentError(f"{name} is neither JSON nor YAML: {where}{problem}.") from None


class _Yaml:
    """Puts the events of a YAML text together."""

    def __init__(self, text: str, name: str) -> None:
        self.notes: list[str] = []
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._name = name
        self._anchored: dict[str, tuple[JsonValue, int]] = {}
        self._values = 0

    def document(self) -> JsonValue:
        """Read the one document that there is."""
        found: list[JsonValue] = []
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent) and found:
                raise self._wrong(event, "a second document begins, where one is expected")
            if isinstance(event, yaml.NodeEvent):
                found.append(self._value(event, 0))
        return found[0] if found else None

    def _value(self, event: Any, depth: int) -> JsonValue:
        """Read what begins with an event."""
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchored:
                raise self._wrong(event, "an alias refers to what is not there, or to what it stands in")
            value, size = self._anchored[event.anchor]
            self._count(event, size)
            return value
        if depth > MAX_DEPTH:
            raise _too_deep(self._name)
        before = self._values
        self._count(event, 1)
        self._anchored.pop(event.anchor, None)
        if isinstance(event, yaml.MappingStartEvent):
            value = self._table(depth + 1)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = [self._value(inner, depth + 1) for inner in self._until(yaml.SequenceEndEvent)]
        else:
            value = _scalar(event)
        if event.anchor:
            self._anchored[event.anchor] = value, self._values - before
        return value

    def _until(self, end: type[yaml.Event]) -> Iterator[Any]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event

    def _table(self, depth: int) -> JsonObject:
        table: JsonObject = {}
        for event in self._until(yaml.MappingEndEvent):
            key = self._value(event, depth)
            if isinstance(key, dict | list):
                raise self._wrong(event, "a key is no plain word")
            if key == "<<":
                raise self._wrong(event, "a merge key (<<) stands here, which we don't unfold; write it out")
            name = _spelled(key, event)
            if name in table:
                self.notes.append(_twice(name))
            table[name] = self._value(next(self._events), depth)
        return table

    def _wrong(self, event: Any, words: str) -> DocumentError:
        return DocumentError(f"{self._name}, line {event.start_mark.line + 1}: {words}.")

    def _count(self, event: Any, size: int) -> None:
        self._values += size
        if self._values > MAX_VALUES:
            raise self._wrong(event, f"the document unfolds to more than {MAX_VALUES:,} values")


def _spelled(value: Any, event: Any) -> str:
    """A key as text: `200:` is the key «200»."""
    return value if isinstance(value, str) else str(getattr(event, "value", value))


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.style not in (None, "") or (event.tag and event.tag not in ("!", "tag:yaml.org,2002:str")):
        return text
    if event.tag == "tag:yaml.org,2002:str":
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
