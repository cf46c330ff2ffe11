"""What a value of an override may be: one check for each kind, each with its sentence."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

from barrack_mcp.api.http import checked_url
from barrack_mcp.api.wire.overrides import SLASHES, WHOLE_BODY
from barrack_mcp.api.wire.shape import JsonValue
from barrack_mcp.catalogue import Request

Value = TypeVar("Value")

_HEADER: Final = re.compile(r"[A-Za-z0-9-]+")
_ARGUMENT: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


class MistakeError(Exception):
    """What is wrong with one value, as the end of a sentence."""


def placeholders(path: str) -> tuple[str, ...]:
    """The names in a path's braces, in order.

    Raises:
        ValueError: The braces are none that can be filled.
    """
    names = []
    for _, name, form, conversion in string.Formatter().parse(path):
        if name is not None:
            if not _ARGUMENT.fullmatch(name) or form or conversion:
                raise ValueError("has braces that hold no name")
            names.append(name)
    return tuple(names)


def fit_for_an_argument(name: str) -> bool:
    """Whether a tool's argument can bear this name."""
    return bool(_ARGUMENT.fullmatch(name)) and not hasattr(Request, name) and not name.startswith("model_")


def a_text(value: Any) -> str:
    """Text that can be shown."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise MistakeError("must be text in quotes")
    return value


def a_name(value: Any) -> str:
    """A name of the API's, with dots for objects inside objects."""
    text = a_text(value)
    if any(not part or " " in part for part in text.split(".")) or len(text) > 200:  # noqa: PLR2004 - no name is longer
        raise MistakeError("must be a name, or names with dots between")
    return text


def a_result(value: Any) -> str:
    """The way to the result, or `.` for the whole body."""
    return WHOLE_BODY if value == WHOLE_BODY else a_name(value)


def a_table(value: Any) -> dict[str, Any]:
    """A table."""
    if not isinstance(value, dict):
        raise MistakeError("must be a table")
    return value


def a_list(value: Any) -> list[JsonValue]:
    """A list."""
    if not isinstance(value, list):
        raise MistakeError("must be a list")
    return value


def one_of(known: tuple[Value, ...]) -> Callable[[Any], Value]:
    """One of a closed set."""

    def check(value: Any) -> Value:
        if value not in known:
            raise MistakeError(f"must be one of {', '.join(map(str, known))}")
        return cast("Value", value)

    return check


def a_url(value: Any) -> str:
    """A base URL."""
    try:
        return checked_url(a_text(value))
    except ValueError as error:
        raise MistakeError(str(error)) from None


def a_header(value: Any) -> str:
    """The name of a header."""
    if not _HEADER.fullmatch(a_text(value)):
        raise MistakeError("must be the name of a header: letters, digits and -")
    return str(value)


def a_template(value: Any) -> str:
    """The value of the key's header."""
    if a_text(value).count("{key}") != 1:
        raise MistakeError("must hold {key} once, as in «Bearer {key}»")
    return str(value)


API: Final[Mapping[str, Callable[[Any], Any]]] = {
    "url": a_url,
    "slash": one_of(SLASHES),
    "auth_header": a_header,
    "auth_template": a_template,
    "page": a_name,
    "limit": a_name,
    "total": a_name,
    "total_pages": a_name,
}
