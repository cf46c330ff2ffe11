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
    parsed = _json(text, name) if opening[0] in "{[" else None
    return parsed if parsed is not None else _yaml(text, name)


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
    if _depth(value) > MAX_DEPTH:
        raise _too_deep(name)
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


@dataclass(slots=True)
class _Open:
    """A list or an object that is being read."""

    value: Any
    anchor: str | None
    key: Any = None
    has_key: bool = False
    size: int = 1


def _yaml(text: str, name: str) -> Parsed:
    building = _Yaml(name)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            building.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or "it has a character that YAML does not allow"
        raise DocumentError(f"{name} is neither JSON nor YAML: {where}{problem}.") from None
    return Parsed(building.root, list(dict.fromkeys(building.notes)))


class _Yaml:
    """Puts events together."""

    def __init__(self, name: str) -> None:
        self.root: Any = None
        self.notes: list[str] = []
        self._name = name
        self._open: list[_Open] = []
        self._anchored: dict[str, tuple[Any, int]] = {}
        self._values = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise self._wrong(event, "a second document begins, where one is expected")
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._count(event, 1)
                self._open.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor))
                if len(self._open) > MAX_DEPTH:
                    raise _too_deep(self._name)
                if event.anchor:
                    self._anchored.pop(event.anchor, None)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                done = self._open.pop()
                self._anchor(done.anchor, done.value, done.size)
                self._add(event, done.value, done.size)
            case yaml.ScalarEvent():
                self._count(event, 1)
                value = _scalar(event)
                self._anchor(event.anchor, value, 1)
                self._add(event, value, 1)
            case yaml.AliasEvent():
                if event.anchor not in self._anchored:
                    raise self._wrong(event, "an alias refers to what is not there, or to what it stands in")
                value, size = self._anchored[event.anchor]
                self._count(event, size)
                self._add(event, value, size)
            case _:
                pass

    def _wrong(self, event: Any, words: str) -> DocumentError:
        return DocumentError(f"{self._name}, line {event.start_mark.line + 1}: {words}.")

    def _count(self, event: Any, size: int) -> None:
        self._values += size
        if self._values > MAX_VALUES:
            raise self._wrong(event, f"the document unfolds to more than {MAX_VALUES:,} values")

    def _anchor(self, anchor: str | None, value: Any, size: int) -> None:
        if anchor:
            self._anchored[anchor] = (value, size)

    def _add(self, event: Any, value: Any, size: int) -> None:
        if not self._open:
            self.root = value
            return
        holder = self._open[-1]
        holder.size += size
        if isinstance(holder.value, list):
            holder.value.append(value)
        elif holder.has_key:
            if holder.key in holder.value:
                self.notes.append(_twice(holder.key))
            holder.value[holder.key] = value
            holder.has_key = False
        else:
            if isinstance(value, dict | list):
                raise self._wrong(event, "a key is no plain word")
            if value == "<<":
                raise self._wrong(event, "a merge key (<<) stands here, which we don't unfold; write it out")
            holder.key, holder.has_key = _spelled(value, event), True


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
