"""Edits JSON as text: what is not touched stays byte for byte, comments, order and spelling of numbers included.

A library that reads a file and writes it anew loses comments and changes the look of what is another's; these few
edits need positions only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barrack_mcp.api.text import cite
from barrack_mcp.cli.install.clients import Json

_BLANK: Final = re.compile(r"[ \t\r\n]*")
_COMMENT: Final = re.compile(r"//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_SCALAR: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null", re.ASCII)
_LINE_END: Final = re.compile(r"[ \t]*\r?\n")
_DEEPEST: Final = 100


class BrokenError(Exception):
    """The text can't be read.

    Args:
        why: What is wrong there.
        line: Where, from 1.
        column: Where, from 1.
    """

    def __init__(self, why: str, line: int, column: int) -> None:
        super().__init__(f"{why} (line {line}, column {column})")
        self.why = why
        self.line = line
        self.column = column


class ShapeError(Exception):
    """What should be changed is not of the kind that it must be; the text names it."""


@dataclass(frozen=True)
class Node:
    """A value and where it stands.

    Args:
        start: Of its first character.
        end: Behind its last character.
        value: As Python has it.
        names: Of an object: its names.
        starts: Of an object or array: where each name or item begins.
        nodes: Of an object or array: what is in it.
    """

    start: int
    end: int
    value: Json
    names: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()
    nodes: tuple[Node, ...] = ()

    def child(self, name: str) -> Node | None:
        """Answer the value under a name: the last, as every reader does."""
        return next(
            (node for known, node in reversed([*zip(self.names, self.nodes, strict=True)]) if known == name), None
        )


class _Reader:
    def __init__(self, text: str, *, comments: bool) -> None:
        self.text = text
        self.at = 0
        self.comments = comments

    def fail(self, why: str) -> BrokenError:
        before = self.text[: self.at]
        return BrokenError(why, before.count("\n") + 1, self.at - (before.rfind("\n") + 1) + 1)

    def skip(self) -> str:
        """Go behind blanks and comments; answer the next character."""
        while True:
            blank = _BLANK.match(self.text, self.at)
            self.at = blank.end() if blank else self.at
            comment = _COMMENT.match(self.text, self.at)
            if comment is None:
                return self.text[self.at : self.at + 1]
            if not self.comments:
                raise self.fail("a comment, which this client doesn't read")
            self.at = comment.end()

    def value(self, depth: int) -> Node:
        first = self.skip()
        if depth > _DEEPEST:
            raise self.fail("nested too deeply")
        if first in {"{", "["}:
            return self.container(depth, first)
        found = _STRING.match(self.text, self.at) if first == '"' else _SCALAR.match(self.text, self.at)
        if found is None:
            raise self.fail(
                "a value is expected" if first != '"' else "a text that doesn't end, or a bad character in it"
            )
        start, self.at = self.at, found.end()
        return Node(start, self.at, json.loads(found[0]))

    def container(self, depth: int, opening: str) -> Node:
        start, closing = self.at, "}" if opening == "{" else "]"
        names: list[str] = []
        starts: list[int] = []
        nodes: list[Node] = []
        self.at += 1
        while (first := self.skip()) != closing:
            starts.append(self.at)
            if opening == "{":
                names.append(self.name(first))
            nodes.append(self.value(depth + 1))
            following = self.skip()
            if following == ",":
                comma, self.at = self.at, self.at + 1
                if self.skip() == closing and not self.comments:
                    self.at = comma
                    raise self.fail("a comma before the end, which this client doesn't read")
            elif following != closing:
                raise self.fail(f"a comma or {closing} is expected")
        self.at += 1
        values = [node.value for node in nodes]
        return Node(
            start,
            self.at,
            dict(zip(names, values, strict=True)) if opening == "{" else values,
            tuple(names),
            tuple(starts),
            tuple(nodes),
        )

    def name(self, first: str) -> str:
        found = _STRING.match(self.text, self.at)
        if first != '"' or found is None:
            raise self.fail("a name in quotes is expected")
        self.at = found.end()
        if self.skip() != ":":
            raise self.fail("a colon is expected")
        self.at += 1
        return str(json.loads(found[0]))


def read(text: str, *, comments: bool) -> Node:
    """Read JSON with positions.

    Args:
        text: The whole text.
        comments: Whether comments and trailing commas are allowed.

    Raises:
        BrokenError: It is not JSON; says where.
    """
    reader = _Reader(text, comments=comments)
    root = reader.value(0)
    if reader.skip():
        raise reader.fail("more text after the end")
    return root


def put(text: str, path: Sequence[str], value: Json, *, comments: bool) -> str:
    """Set one value in an object; what is missing on the way is made.

    Args:
        text: JSON whose root is an object.
        path: Names from the root.
        value: What shall stand there.
        comments: As for `read`.

    Raises:
        ShapeError: Something on the way is no object.
    """
    node = read(text, comments=comments)
    for depth, name in enumerate(path):
        if not isinstance(node.value, dict):
            raise ShapeError(
                f"{cite('.'.join(path[:depth]))} is not an object" if depth else "the file is not an object"
            )
        below = node.child(name)
        if below is None:
            for missing in reversed(path[depth + 1 :]):
                value = {missing: value}
            return _add(text, node, value, name=name)
        node = below
    if node.value == value and type(node.value) is type(value):
        return text
    flat = "\n" not in text[node.start : node.end]
    rendered = _rendered(value, text, _indent_at(text, node.start), flat=flat)
    return text[: node.start] + rendered + text[node.end :]


def take_out(text: str, path: Sequence[str], *, comments: bool) -> str:
    """Take one member out of an object; where there is none, nothing changes.

    Args:
        text: JSON whose root is an object.
        path: Names from the root, the last of what goes.
        comments: As for `read`.
    """
    node = read(text, comments=comments)
    for name in path[:-1]:
        below = node.child(name)
        if below is None:
            return text
        node = below
    if path[-1] not in node.names:
        return text
    at = len(node.names) - 1 - node.names[::-1].index(path[-1])
    return _without(text, node, at)


def take_item_out(text: str, path: Sequence[str], index: int, *, comments: bool) -> str:
    """Take one item out of an array that is there."""
    node = read(text, comments=comments)
    for name in path:
        below = node.child(name)
        if below is None:
            return text
        node = below
    return _without(text, node, index)


def _without(text: str, container: Node, at: int) -> str:
    """Cut a member or an item with its comma, and the line that it leaves empty; comments beside it stay."""
    start, end = container.starts[at], container.nodes[at].end
    last = at + 1 == len(container.nodes)
    own = _comma(text, end, container.end - 1 if last else container.starts[at + 1])
    head = text[:start]
    if own is not None:
        end = own + 1
    elif at:
        # what becomes the last one has no comma any more
        before = _comma(text, container.nodes[at - 1].end, start)
        head = head if before is None else head[:before] + head[before + 1 :]
    after = _LINE_END.match(text, end)
    line = head.rfind("\n") + 1
    if after is not None and not head[line:].strip():
        return head[:line] + text[after.end() :]
    rest = text[end:]
    return (head if not last else head.rstrip(" \t")) + (rest if last else rest.lstrip(" \t"))


def _comma(text: str, start: int, end: int) -> int | None:
    """Where the comma between two members stands, outside of comments."""
    at = start
    while at < end:
        comment = _COMMENT.match(text, at)
        if comment is None and text[at] == ",":
            return at
        at = comment.end() if comment else at + 1
    return None


def append(text: str, path: Sequence[str], item: Json, *, comments: bool) -> str:
    """Put one item at the end of an array; a missing array is made.

    Raises:
        ShapeError: What stands there is no array, or something on the way no object.
    """
    node = read(text, comments=comments)
    for name in path:
        below = node.child(name)
        if below is None:
            return put(text, path, [item], comments=comments)
        node = below
    if not isinstance(node.value, list):
        raise ShapeError(f"{cite('.'.join(path))} is not an array")
    return _add(text, node, item)


def _add(text: str, container: Node, value: Json, *, name: str | None = None) -> str:
    """Add a member or an item behind the last one; where that one had a comma, the new one has one, too."""
    head = "" if name is None else f"{json.dumps(name, ensure_ascii=False)}: "
    close = container.end - 1
    one_line = "\n" not in text.strip() and text.strip() != "{}"
    flat = "\n" not in text[container.start : container.end] and (bool(container.nodes) or one_line)
    if container.nodes:
        last = container.nodes[-1].end
        rest = text[last:close]
        comma, own = ("", ",") if _holds_comma(rest) else (",", "")
    else:
        last, rest, comma, own = container.start + 1, text[container.start + 1 : close], "", ""
    if flat:
        kept, gap = rest.rstrip(), " " if container.nodes else ""
        body = head + _rendered(value, text, "", flat=True) + own
        return f"{text[:last]}{comma}{kept}{gap}{body}{rest[len(kept) :]}{text[close:]}"
    outer = _indent_at(text, container.start)
    inner = _indent_at(text, container.starts[0]) if container.starts else outer
    if len(inner) <= len(outer):
        inner = outer + _unit(text)
    new_line = _new_line(text)
    body = head + _rendered(value, text, inner, flat=False) + own
    return f"{text[:last]}{comma}{rest.rstrip()}{new_line}{inner}{body}{new_line}{outer}{text[close:]}"


def _holds_comma(rest: str) -> bool:
    return "," in _COMMENT.sub("", rest)


def _indent_at(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    found = re.search(r'^([ \t]+)["/]', text, re.MULTILINE)
    return found[1] if found else "  "


def _new_line(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _rendered(value: Json, text: str, indent: str, *, flat: bool) -> str:
    if flat:
        return json.dumps(value, ensure_ascii=False)
    lines = json.dumps(value, ensure_ascii=False, indent=_unit(text)).split("\n")
    return f"{_new_line(text)}{indent}".join(lines)
