"""Schemas that were found to be sound aren't looked at again.

The SDK's client holds each answer against its tool's output schema, and each new client looks first whether the schema
itself is one. There are as many clients as tests, and far fewer schemas: that look took more time than all the rest.
"""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

_whole = Draft202012Validator.check_schema
_sound: set[str] = set()
_met: dict[int, Any] = {}
"""Those of the sound that may come again as the same object, by its identity: to write one down takes long, too."""


def once_for_each_schema() -> None:
    """Have every schema of this process checked the first time it comes, however many clients bring it."""
    Draft202012Validator.check_schema = _check  # type: ignore[method-assign]  # each schema is checked once a process


def _check(schema: Any, *rest: Any, **more: Any) -> None:
    alone = not rest and not more
    if alone and _met.get(id(schema)) is schema:
        return
    text = json.dumps([schema, rest, more], default=id)
    if text not in _sound:
        _whole(schema, *rest, **more)
        _sound.add(text)
        if alone:
            _met[id(schema)] = schema
