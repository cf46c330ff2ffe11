"""How an answer of the API is written for a model: each text visible and capped, the whole of bounded size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from barrack_mcp.account.things import counted, joined
from barrack_mcp.api.text import Escaped, escape, is_unmarked, mention, not_unmarked, pieces, size
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.marks import SECRET, Marks, hides, inner
from barrack_mcp.catalogue.values import Keep, holds_private_key

LONGEST: Final = 4_000
"""Characters of a text, but for a script's."""
LONGEST_SCRIPT: Final = 80_000
NOT_SHOWN: Final = "[a private key, not shown]"

_LONGEST_NAME: Final = 200
_LINES: Final = "\n\t"
_FIELD: Final = 64
"""Characters of a name that is likely to come again, in every row."""
_PLACES: Final = 5
"""Places that a note names one by one."""
_SYNTAX: Final = 4
"""Characters that a field takes beside its name and value."""
_SMALLEST: Final = 64
"""A field whose share of the room is less is left out as a whole."""

Path = tuple[str | int, ...]


@dataclass
class SafeCopy:
    """Copies one answer, and remembers what it could not write as it came."""

    reveal: bool = False
    """Whether a private key is written like any other text."""
    _escaped: list[str] = field(default_factory=list)
    _markup: list[str] = field(default_factory=list)
    _cut: list[str] = field(default_factory=list)
    _left_out: list[str] = field(default_factory=list)
    _hidden: list[str] = field(default_factory=list)
    _unseen: list[str] = field(default_factory=list)

    def fields(self, value: Mapping[str, Any], marks: Marks) -> JsonObject:
        """Write an object, its names included."""
        odd = _odd_texts(value, marks)
        return self._fields(value, marks, (), odd) if odd else dict(value)

    def rows(self, value: list[Any], marks: Marks, path: Path = ()) -> list[Any]:
        """Write the rows of a list, each with the same marks; the list itself where all of it is written as it came."""
        odd = _odd_texts(value, marks)
        if not odd:
            return value
        told = [
            (each, each if odd.isdisjoint(_texts(each)) else self._value(each, marks, (*path, at), odd))
            for at, each in enumerate(value)
        ]
        return [shown for each, shown in told if shown is not None or each is None]

    def _fields(self, value: Mapping[str, Any], marks: Marks, path: Path, odd: set[str]) -> JsonObject:
        written: JsonObject = {}
        for name, each in value.items():
            shown = self._name(name, path) if name in odd else name
            while shown in written:
                shown += "~"
            told = self._value(each, inner(marks, name), (*path, shown), odd)
            if told is not None or each is None:
                written[shown] = told
        return written

    def _rows(self, value: list[Any], marks: Marks, path: Path, odd: set[str]) -> list[Any]:
        told = [(each, self._value(each, marks, (*path, at), odd)) for at, each in enumerate(value)]
        return [shown for each, shown in told if shown is not None or each is None]

    def _value(self, value: Any, marks: Marks, path: Path, odd: set[str]) -> Any:
        if isinstance(value, str):
            return self._text(value, marks, path) if value in odd else value
        if isinstance(value, dict):
            return self._fields(value, marks, path, odd)
        return self._rows(value, marks, path, odd) if isinstance(value, list) else value

    def _name(self, name: str, path: Path) -> str:
        shown = _shown(name) if len(name) <= _FIELD else escape(name, limit=_LONGEST_NAME)
        if shown.cut or shown.unseen or shown.markup:
            self._remember(shown, (*path, str(shown)))
        return str(shown)

    def _text(self, text: str, marks: Marks, path: Path) -> str | None:
        private = marks == SECRET or (marks is not Keep.WHOLE and holds_private_key(text))
        if not private and len(text) <= LONGEST and is_unmarked(text):
            return text
        if private and not self.reveal:
            self._hidden.append(_place(path))
            return NOT_SHOWN
        whole = marks is Keep.WHOLE or private
        keep = _LINES if whole or marks else ""
        shown = escape(text, limit=LONGEST_SCRIPT if whole else LONGEST, keep=keep, code=bool(whole))
        if whole and shown.cut:
            self._left_out.append(f"{_place(path)} ({shown.length:,} characters)")
            return None
        self._remember(shown, path)
        if marks is Keep.WHOLE and text != shown.text:
            self._unseen.append(f"{_place(path)}: {_whereabouts(text)}")
        return str(shown)

    def _remember(self, shown: Escaped, path: Path) -> None:
        for happened, places in ((shown.cut, self._cut), (shown.unseen, self._escaped), (shown.markup, self._markup)):
            if happened:
                places.append(_place(path))

    def within(self, value: Any, room: int, path: Path = ()) -> Any:
        """Answer as much of a value as fits into so many bytes; each text in it is whole or left out."""
        if size(value) <= room:
            return value
        match value:
            case dict():
                return self._largest_last(value, room, path)
            case list():
                return self._first(value, room, path)
            case _:
                self._left_out.append(f"{_place(path)} ({len(str(value)):,} characters)")
                return None

    def _largest_last(self, value: JsonObject, room: int, path: Path) -> JsonObject:
        """Give each field its share, the small ones first, so that what they don't need goes to the large."""
        left = room
        kept: JsonObject = {}
        by_size = sorted(value, key=lambda name: size(value[name]))
        for done, name in enumerate(by_size):
            share = left // (len(by_size) - done) - size(name) - _SYNTAX
            if share < min(_SMALLEST, size(value[name])):
                self._left_out.append(f"{len(by_size) - done} fields of {_place(path)}")
                break
            part = self.within(value[name], share, (*path, name))
            if part is not None or value[name] is None:
                kept[name] = part
                left -= size(part) + size(name) + _SYNTAX
        return {name: kept[name] for name in value if name in kept}

    def _first(self, value: list[Any], room: int, path: Path) -> list[Any]:
        left = room - _SYNTAX
        kept: list[Any] = []
        for row in value:
            left -= size(row) + 1
            if left < 0:
                break
            kept.append(row)
        if not kept and value and isinstance(value[0], dict | list):
            kept = [self.within(value[0], room - _SYNTAX, (*path, 0))]
        if len(kept) < len(value):
            self._left_out.append(f"{len(value) - len(kept)} of {len(value)} rows of {_place(path)}")
        return kept

    def notes(self) -> list[str]:
        """Say what is not as it came, and where."""
        told = (
            (self._escaped, "Characters that can't be seen are written as escapes, such as \\u202e, in {}."),
            (self._markup, "A backslash keeps text from being taken for markup, as in ]\\( and <\\b, in {}."),
            (self._cut, f"Cut, since a text has {LONGEST:,} characters at most and a name {_LONGEST_NAME}: {{}}."),
            (self._left_out, "Left out, since the answer would be too large: {}."),
            (self._hidden, "A private key, which is not shown: {}."),
        )
        unseen = [f"{words}. {_COME_BACK}" for words in self._unseen[:_PLACES]]
        return unseen + [
            sentence.format(joined(list(dict.fromkeys(places)), most=_PLACES)) for places, sentence in told if places
        ]


_COME_BACK: Final = "A change of the text that sends these escapes as they stand puts the characters back."


@lru_cache(maxsize=1024)
def _shown(name: str) -> Escaped:
    return escape(name, limit=_LONGEST_NAME)


def _odd_texts(value: Any, marks: Marks) -> set[str]:
    """Gather the texts within a value, names included, that need a closer look: all others stay as they are.

    Each is judged once, however many rows hold it.
    """
    texts = _texts(value)
    return texts if hides(marks) or holds_private_key("\n".join(texts)) else not_unmarked(texts)


def _texts(value: Any) -> set[str]:
    found: set[str] = set()
    _gather(value if isinstance(value, dict | list) else [value], found)
    return found


def _gather(holder: Any, found: set[str]) -> None:
    if isinstance(holder, dict):
        found.update(holder)
        holder = holder.values()
    for each in holder:
        if isinstance(each, str):
            found.add(each)
        elif isinstance(each, (dict, list)):
            _gather(each, found)


def _whereabouts(text: str) -> str:
    """Say where characters stand that can't be seen: line, column and number; and which lines end otherwise."""
    line = column = 1
    found: list[str] = []
    ends = 0
    for at, (char, piece) in enumerate(pieces(text, keep=_LINES, code=True)):
        if char == "\r" and text[at + 1 : at + 2] == "\n":
            ends += 1
        elif piece != char:
            found.append(f"line {line}, column {column} (U+{ord(char):04X})")
        line, column = (line + 1, 1) if char == "\n" else (line, column + 1)
    told = [f"{counted(ends, 'line')} with CR before the line feed (\\r)"] if ends else []
    return f"what can't be seen: {joined([*told, *found], most=_PLACES)}"


def _place(path: Path) -> str:
    return mention(".".join(map(str, path))) if path else "the answer"
