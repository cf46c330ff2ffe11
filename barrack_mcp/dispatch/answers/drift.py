"""What the API answers otherwise than we know it: only names of fields and kinds of values leave this module."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel

from barrack_mcp.api.wire.shape import model_of
from barrack_mcp.catalogue import JsonObject, Operation

MOST: Final = 50
"""Lines that one process writes about it; `barrack-mcp doctor` shows all."""

_NAME: Final = re.compile(r"[A-Za-z_]++(?:[0-9][A-Za-z_]*+)?")
_LONGEST: Final = 40
_ADDED: Final = frozenset({"unexpected", "notes", "unread_rows"})

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Place:
    """An object somewhere in an answer, in however many rows.

    Attributes:
        declared: Its fields, as its model has them.
        came: The fields that came, in any row.
    """

    declared: frozenset[str]
    came: set[str] = field(default_factory=set)

    @property
    def unknown(self) -> list[str]:
        """The names that no field bears, as far as they can be told to anybody."""
        return sorted(name for name in self.came - self.declared if is_word(name))


class Drifts:
    """Says in the log what is new, once a field.

    Args:
        most: Lines to write; 0 where the answers are no news, as those of the simulator.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._said: set[str] = set()

    def note(self, operation: Operation, data: JsonObject) -> None:
        """Say what is new or of another type in an answer, unless it was said before.

        Args:
            operation: What was answered.
            data: The answer as `body.typed` gives it.
        """
        if len(self._said) >= self._most:
            return
        for path in other_types(data):
            self._say(f"{operation.tool}: {path} comes with another type than we know; it stands under `unexpected`.")
        for before, place in places(operation, data, beside=_ADDED).items():
            for name in place.unknown:
                self._say(f"{operation.tool}: the API sends {before}{name}, which we don't know; it is passed on.")

    def _say(self, sentence: str) -> None:
        if sentence not in self._said and len(self._said) < self._most:
            self._said.add(sentence)
            _log.warning("%s", sentence)


def places(operation: Operation, data: JsonObject, *, beside: frozenset[str]) -> dict[str, Place]:
    """Note for every object that a model describes which of its fields came; `volumes.` holds the fields of each row.

    Args:
        operation: What was answered.
        data: The answer as `body.typed` gives it.
        beside: Names at the top that are not looked at.
    """
    found: dict[str, Place] = {}
    _walk(operation.response, [{name: value for name, value in data.items() if name not in beside}], "", found)
    return found


def other_types(data: JsonObject) -> dict[str, str]:
    """The kinds of the values that had another type, by place, without which row it was."""
    found = {}
    unexpected = data.get("unexpected")
    for path, text in unexpected.items() if isinstance(unexpected, dict) else ():
        steps = [step for step in str(path).split(".") if not step.isdecimal()]
        if steps and all(map(is_word, steps)):
            found[".".join(steps)] = _kind(str(text))
    return found


def is_word(name: str) -> bool:
    """Whether this is a word of a schema rather than somebody's id or name, as far as that can be told."""
    return len(name) <= _LONGEST and _NAME.fullmatch(name) is not None


def _walk(model: type[BaseModel], rows: list[JsonObject], before: str, found: dict[str, Place]) -> None:
    declared, holding = _fields(model)
    if not rows or not declared:
        return
    if (place := found.get(before)) is None:
        place = found[before] = Place(declared)
    place.came.update(*rows)
    for name, inner, is_map in holding:
        held = [row[name] for row in rows if name in row]
        if is_map:
            # the names in a map are no fields
            held = [each for value in held for each in (value.values() if isinstance(value, dict) else [value])]
        _walk(inner, _objects(held), f"{before}{name}.", found)


def _objects(values: list[Any]) -> list[JsonObject]:
    """The objects among some values, and in the lists among these."""
    found: list[JsonObject] = []
    for value in values:
        if isinstance(value, dict):
            found.append(value)
        elif isinstance(value, list):
            found += _objects(value)
    return found


@cache
def _fields(model: type[BaseModel]) -> tuple[frozenset[str], tuple[tuple[str, type[BaseModel], bool], ...]]:
    """The fields of a model, and those that hold objects: each with their model, and whether by name in a map."""
    fields = model.model_fields
    held = ((name, model_of(info.annotation), _is_map(info.annotation)) for name, info in fields.items())
    return frozenset(fields), tuple((name, inner, is_map) for name, inner, is_map in held if inner is not None)


def _is_map(annotation: Any) -> bool:
    return get_origin(annotation) in (dict, Mapping) or any(_is_map(part) for part in get_args(annotation))


def _kind(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return {"{": "an object", "[": "a list"}.get(text[:1], "a text")
    if isinstance(value, bool):
        return "true or false"
    kinds = {dict: "an object", list: "a list", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")
