"""What the API answers otherwise than we know it, said in the log once a field: names and kinds, never values."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel

from barrack_mcp.api.wire.shape import model_of
from barrack_mcp.catalogue import JsonObject, Operation

MOST: Final = 50
"""Lines that one process writes about it; `barrack-mcp doctor` shows all."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z_]{0,38}[0-9]?")
"""A word of a schema rather than somebody's id, as far as that can be told."""
_ADDED: Final = frozenset({"unexpected", "notes"})
_ROWS: Final = 20

_log = logging.getLogger(__name__)


class Drifts:
    """Remembers what was said.

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
            data: The answer as `present.typed` gives it.
        """
        for place in _wrong_types(data.get("unexpected")):
            self._say(f"{operation.tool}: {place} comes with another type than we know; it stands under `unexpected`.")
        known = {name: value for name, value in data.items() if name not in _ADDED}
        for place in _unknown(operation.response, known, ""):
            self._say(f"{operation.tool}: the API sends {place}, which we don't know; it is passed on.")

    def _say(self, sentence: str) -> None:
        if sentence not in self._said and len(self._said) < self._most:
            self._said.add(sentence)
            _log.warning("%s", sentence)


def _wrong_types(unexpected: Any) -> Iterator[str]:
    for place in unexpected if isinstance(unexpected, dict) else ():
        steps = [step for step in str(place).split(".") if not step.isdecimal()]
        if steps and all(_NAME.fullmatch(step) for step in steps):
            yield ".".join(steps)


def _unknown(model: type[BaseModel], value: Any, before: str) -> Iterator[str]:
    if isinstance(value, list):
        for row in value[:_ROWS]:
            yield from _unknown(model, row, before)
        return
    if not isinstance(value, dict) or not model.model_fields:
        return
    for name, inner in value.items():
        info = model.model_fields.get(name)
        if info is None:
            if _NAME.fullmatch(name):
                yield f"{before}{name}"
        elif (deeper := model_of(info.annotation)) is not None:
            # the names in a map are no fields
            held = list(inner.values()) if _is_map(info.annotation) and isinstance(inner, dict) else inner
            yield from _unknown(deeper, held, f"{before}{name}.")


def _is_map(annotation: Any) -> bool:
    return get_origin(annotation) in (dict, Mapping) or any(_is_map(part) for part in get_args(annotation))
