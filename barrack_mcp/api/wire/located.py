"""TOML whose mistakes can be pointed at: each key with the line it stands on.

Neither `tomllib` nor `tomlkit` keeps lines. A valid document falls into statements (a header, or a key with its
value), and every statement is valid TOML by itself: so `tomllib` itself finds where each begins and what it names.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from barrack_mcp.catalogue import JsonObject

MAX_BYTES: Final = 1_000_000
_BLANK: Final = re.compile(r"\s*(?:#.*)?")


class TomlError(Exception):
    """The text is not TOML; says where."""


@dataclass(frozen=True, slots=True)
class Located:
    """A TOML document and its lines.

    Attributes:
        table: What it holds.
        lines: The line (from 1) on which each key stands, by its path.
    """

    table: JsonObject
    lines: Mapping[tuple[str, ...], int]

    def line(self, *path: str) -> int:
        """The line of a key; for one inside a value, the line of that value."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(raw: bytes) -> Located:
    """Read TOML.

    Raises:
        TomlError: It is none; the text says why and, where it can, the line.
    """
    if len(raw) > MAX_BYTES:
        raise TomlError(f"is larger than {MAX_BYTES // 1000} kB")
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise TomlError(f"is not UTF-8 (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise TomlError(f"is not TOML: {error}") from None
    except RecursionError:
        raise TomlError("is nested too deeply") from None
    return Located(table, dict(_lines(text)))


def _lines(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    header: tuple[str, ...] = ()
    seen: set[tuple[str, ...]] = set()
    for number, statement in _statements(text):
        is_header = statement.lstrip().startswith("[")
        for path in _paths(tomllib.loads(statement), tables=is_header):
            full = path if is_header else (*header, *path)
            header = path if is_header else header
            for length in range(1, len(full) + 1):
                # a header stands for itself; what it opens on the way counts only until it has a line of its own
                if full[:length] not in seen or (is_header and length == len(full)):
                    seen.add(full[:length])
                    yield full[:length], number


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement with the number of its first line."""
    begun, first = "", 1
    for number, line in enumerate(text.split("\n"), start=1):
        if not begun and _BLANK.fullmatch(line):
            continue
        if not begun:
            first = number
        begun += line + "\n"
        try:
            tomllib.loads(begun)
        except tomllib.TOMLDecodeError:
            continue
        yield first, begun
        begun = ""


def _paths(table: Any, *, tables: bool) -> Iterator[tuple[str, ...]]:
    """The one path that a header names, or every path of a key and its inline tables."""
    if isinstance(table, list):
        table = table[0] if table else {}
    if not isinstance(table, dict):
        return
    for name, value in table.items():
        inner = list(_paths(value, tables=tables))
        if not (tables and inner):
            yield (name,)
        yield from ((name, *path) for path in inner)
