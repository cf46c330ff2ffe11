"""Where else a read may be answered: few places, each a small change of the one we expected."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote, urlsplit

from barrack_mcp.api.wire.checks import placeholders
from barrack_mcp.catalogue import Operation

MOST: Final = 4


class How(StrEnum):
    """What was changed."""

    REDIRECT = "the API points there"
    SLASH = "with or without the last slash"
    CATALOGUE = "known as another place for it"
    DASH = "- or _"
    NUMBER = "plural or singular"


@dataclass(frozen=True, slots=True)
class Place:
    """A path to try."""

    path: str
    how: How


def places(
    operation: Operation, path: str, *, pointed: str = "", taken: Collection[str] = (), won: Iterable[How] = ()
) -> list[Place]:
    """List other paths for a read, the likeliest first, at most four.

    Args:
        operation: A read.
        path: Its path as the contract has it, with arguments in braces.
        pointed: Where the API said that it is, in the same form; empty if it said nothing.
        taken: Paths of other operations, which would answer something else.
        won: What helped other reads already.
    """
    found: dict[str, Place] = {}
    others = {_shape(each) for each in taken} - {_shape(path)}
    for place in _all(operation, path, pointed):
        if place.path != path and _shape(place.path) not in others:
            found.setdefault(place.path, place)
    helped = set(won)
    return sorted(found.values(), key=lambda place: place.how not in helped)[:MOST]


def _all(operation: Operation, path: str, pointed: str) -> Iterator[Place]:
    if pointed:
        yield Place(pointed, How.SLASH if pointed.rstrip("/") == path.rstrip("/") else How.REDIRECT)
    yield Place(_slash_turned(path), How.SLASH)
    slashed = path.endswith("/")
    for other in operation.alternates:
        if other.method == "GET":
            yield Place(f"{other.path.rstrip('/')}/" if slashed else other.path.rstrip("/"), How.CATALOGUE)
    yield Place(_fixed(path, lambda part: part.replace("-", "_") if "-" in part else part.replace("_", "-")), How.DASH)
    yield Place(_number_turned(path), How.NUMBER)


def _slash_turned(path: str) -> str:
    return path.rstrip("/") if path.endswith("/") else f"{path}/"


def _fixed(path: str, change: Callable[[str], str]) -> str:
    return "/".join(part if "{" in part else change(part) for part in path.split("/"))


def _number_turned(path: str) -> str:
    """Turn the first word of the path from plural to singular, or back."""
    first, *rest = path.lstrip("/").split("/")
    turned = first[:-1] if first.endswith("s") else f"{first}s"
    return "/" + "/".join((turned, *rest))


def _shape(path: str) -> str:
    return re.sub(r"\{[^{}]*+\}", "{}", path.rstrip("/"))


def pointed_at(location: str, *, base: str, values: Mapping[str, str]) -> str:
    """Bring a redirect's target under the same base URL into the form of a path with arguments in braces.

    Returns:
        The path; empty if it is elsewhere, or no path of an API.
    """
    there, here = urlsplit(location), urlsplit(base)
    if (there.scheme, there.netloc) != (here.scheme, here.netloc) or there.query or there.fragment:
        return ""
    root = here.path.rstrip("/")
    if not there.path.startswith(f"{root}/"):
        return ""
    named = {value: name for name, value in values.items()}
    path = "/".join(
        f"{{{named[unquote(part)]}}}" if unquote(part) in named else part
        for part in there.path.removeprefix(root).split("/")
    )
    fit = re.fullmatch(r"(/(\{[a-z_]+\}|[A-Za-z0-9._-]+))+/?", path)
    return path if fit and set(placeholders(path)) == set(values) else ""
