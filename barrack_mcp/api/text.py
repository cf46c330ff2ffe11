r"""Text from elsewhere, made safe to look at: nothing invisible, nothing that reorders, nothing endless, no markup.

A client may render what it gets as Markdown: a picture would be fetched, a link would lead elsewhere than it says. So a
backslash that everybody sees stands where a link, a picture, a tag, a heading, a fence or a table would begin, as in
`![x]\(…)` and `<\img`. A script keeps every character: it stands in JSON alone, whose own escapes do the same. A plain
address stays in data, since it leads where it says; in a sentence of ours it is no link either.
"""

from __future__ import annotations

import codecs
import difflib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import filterfalse
from typing import Any, Final

from pydantic_core import PydanticSerializationError, to_json

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
"""Unicode's categories of what has no shape of its own or moves what has: controls, bidi marks, tags, odd spaces."""
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that look like nothing."""
_SELECTORS: Final = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x1810))
_MARKS: Final = frozenset({"Mn", "Me"})
_MAX_MARKS: Final = 2
"""More marks than this on one letter only serve to paint over the lines beside it."""
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BMP: Final = 0xFFFF

INLINE_LONGEST: Final = 60
"""Characters of a text inside a sentence of ours, the mark of a cut included."""
_WORD: Final = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:/+=-]{0,99}")
"""A state, a region, a model, a size: one word, which can't be taken for a sentence."""

_OURS: Final = str.maketrans({"\\": "\\\\", "«": "\\u00ab", "»": "\\u00bb"})
"""What our own sentences escape and quote with."""

_LOOKS: Final = str.maketrans(
    # Cyrillic, Greek, Armenian, Latin; then dashes
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u044c\u0455\u0456\u0458\u0475\u04af\u04bb\u04cf"
    "\u0501\u051b\u051d"
    "\u03b1\u03b2\u03b3\u03b5\u03b6\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03c9\u03f3"
    "\u0566\u0570\u0578\u057d\u0581\u0585"
    "\u0131\u0251\u0261\u0269\u028b"
    "\u2010\u2012\u2013\u2014\u2015\u2043\u2212",
    "abekmhopctyxbsijvyhldqw" + "abyeznikmvoptuxwj" + "qhnugo" + "iagiv" + "-------",
)
"""Small letters that pass for Latin ones in a name, and dashes that pass for the one on the keyboard."""

_MARKUP: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

_MARKDOWN: Final = re.compile(
    r"""
      \](?=\()                                      # ends the words of a link or picture: its address follows
    | <(?=[^\s<\\])                                 # begins a tag, a comment or an address
    | ^[ ]{0,3}(?: (?=\#{1,6}(?:[ \t]|$))           # begins a heading
                 | (?=`{3}|~{3})                    # begins a block of code
                 | (?!\A-\Z)(?=[|:\ \t]*[-=][-=|:\ \t]*$)   # is a rule, or underlines a heading or a table's head
                 | \[(?:\\.|[^\[\]\\])*\](?=:) )  # ends the name of an address that is told apart
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
"""What a renderer acts upon, up to where a backslash keeps it from that: also when JSON doubles the backslash."""
_IN_JSON: Final = re.compile(r'(?<=\])\(|<(?=[^\s<\\"])')
"""The same where it stands in JSON, in which no text begins a line."""
_ADDRESS: Final = re.compile(r":(?=//)")

_UNMARKED: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9 _.,:;/+@%=&'\"!?*()$-]{0,199})?")
"""A line of what most names, ids, states and prices are made of: nothing in it is hidden, and nothing is acted upon."""

_LETTERS: Final = re.compile(
    r"[\x00-\u02af\u0391-\u03c9\u0400-\u0482\u048a-\u052f\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]*"
)
"""What many languages write with: no mark that is put on another letter, and no letter that looks like nothing."""

_STRAY_SPACE: Final = re.compile(r"^ | (?=$| )")
"""A space that nobody sees: at an end, or beside another."""


@dataclass(frozen=True)
class Escaped:
    """Text that is safe to show, as far as it fits."""

    text: str
    length: int
    """Characters of the whole."""
    cut: bool
    """Whether some of it is left out."""
    unseen: bool = field(default=False, compare=False)
    """Whether something in it can't be seen, and is written as an escape."""
    markup: bool = field(default=False, compare=False)
    """Whether a backslash keeps something in it from being taken for markup."""

    def __str__(self) -> str:
        return f"{self.text}…" if self.cut else self.text


def escape(text: str, *, limit: int = 200, keep: str = "", code: bool = False) -> Escaped:
    r"""Show text so that what is invisible is seen, such as a bidi override as `\u202e`, and markup is plain text.

    What is escaped once stays as it is when it is quoted again.

    Args:
        text: Any text.
        limit: Characters to show at most, counted as shown.
        keep: Characters to leave as they are, such as a newline.
        code: Whether it is code, whose brackets stay as they are.
    """
    if len(text) <= limit and is_unmarked(text):
        return Escaped(text, len(text), cut=False)
    plain = _LETTERS.fullmatch(text) and _without(text, keep).isprintable()
    if plain and len(text) <= limit and (code or not _MARKDOWN.search(text)):
        return Escaped(text, len(text), cut=False)
    shown: list[str] = []
    size = 0
    unseen = markup = False
    for char, piece in pieces(text, keep=keep, code=code):
        size += len(piece)
        if size > limit:
            return Escaped("".join(shown), len(text), cut=True, unseen=unseen, markup=markup)
        marked = piece != char and piece.endswith(char)
        unseen, markup = unseen or (piece != char and not marked), markup or marked
        shown.append(piece)
    return Escaped("".join(shown), len(text), cut=False, unseen=unseen, markup=markup)


def pieces(text: str, *, keep: str = "", code: bool = False) -> Iterator[tuple[str, str]]:
    """Each character of a text, with how it is shown."""
    stops = frozenset[int]() if code else {found.end() for found in _MARKDOWN.finditer(text)}
    marks = 0
    for at, char in enumerate(text):
        marks = marks + 1 if unicodedata.category(char) in _MARKS else 0
        piece = char if char in keep or not (_hides(char) or marks > _MAX_MARKS) else _escaped(char)
        yield char, f"\\{piece}" if at in stops else piece


def inline(text: object, *, limit: int = INLINE_LONGEST) -> str:
    """Make a text from elsewhere fit for one line: in full view, short, and without our own quotation marks."""
    source = str(text)[: limit * 2].translate(_OURS)
    return str(escape(_ADDRESS.sub(r":\\", _STRAY_SPACE.sub(r"\\x20", source)), limit=limit - 1))


def cite(text: object, *, limit: int = INLINE_LONGEST) -> str:
    """Put a text from elsewhere into a sentence of ours, between « », where it can't pass for our words.

    Nobody else writes « around a value, so that no name can end its own quotation.
    """
    return f"«{inline(text, limit=limit)}»"


def mention(text: object) -> str:
    """Put what should be one plain word into a sentence of ours, such as a state or a region; else it is cited."""
    return str(text) if is_one_word(str(text)) else cite(text)


def escape_markup(text: str) -> str:
    """Write a text for a chat or a markdown page, which would read links, mentions and tags in it."""
    return text.translate(_MARKUP)


def is_one_word(text: str) -> bool:
    """Whether the text is one plain word, which can't be taken for a sentence."""
    return _WORD.fullmatch(text) is not None and not _ADDRESS.search(text)


def recognize(word: str, known: Iterable[str]) -> str | None:
    """Find the word of ours that is meant, in whatever case, with - or _ in it; None if it is none."""
    return next((each for each in known if _spelled(each) == _spelled(word)), None)


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Find the word of ours that comes nearest to one that is none, its spelling aside; None if none is alike."""
    spelled = {_spelled(each): each for each in known}
    near = difflib.get_close_matches(_spelled(word), spelled, n=1, cutoff=cutoff)
    return spelled[near[0]] if near else None


def guess(word: str, known: Iterable[str], *, otherwise: str) -> str:
    """Ask whether the likeliest of our own words was meant; where none is alike, say something else."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else otherwise


def _spelled(word: str) -> str:
    """A word as all that differ from it in case, - or _ alone."""
    return re.sub(r"[-\s]", "_", word.strip().lower())


def is_same_name(typed: str, name: str) -> bool:
    """Whether a name was typed letter for letter, its accents in either Unicode form; what looks alike is another."""
    if typed == name:
        return True
    composed = unicodedata.normalize("NFC", typed)
    # a letter that this form turns into another by itself, as the sign of Kelvin into K, is a look-alike
    alike = any(unicodedata.normalize("NFC", letter) != letter for letter in typed)
    return not alike and composed == unicodedata.normalize("NFC", name)


def fold_looks(text: str) -> str:
    """A text as all that look like it: case, Unicode form, dashes, letters of other scripts and what is unseen aside.

    It only serves to hold back more: what two people are shown is as good as one, and a yes wants more than that.
    """
    if not (text.isascii() and text.isprintable()):
        seen = "".join(" " if each.isspace() else each for each in text if each.isspace() or not _hides(each))
        whole = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", seen).casefold())
        text = whole.replace("i\u0307", "i").translate(_LOOKS)
    return " ".join(text.lower().split())


def is_unmarked(text: str) -> bool:
    """Whether a text is certainly shown as it is, by one look; of many others it takes a closer look to tell."""
    return _UNMARKED.fullmatch(text) is not None


def not_unmarked(texts: Iterable[str]) -> set[str]:
    """Those of some texts that take a closer look, such as all that are longer than a line."""
    return set(filterfalse(_UNMARKED.fullmatch, texts))


def is_plain(text: str) -> bool:
    """Whether the text stands in a question exactly as it is, so that a person can type it."""
    return inline(text) == text


def _without(text: str, keep: str) -> str:
    for char in keep:
        text = text.replace(char, "")
    return text


@lru_cache(maxsize=1_024)  # a text has few different letters and many of each
def _hides(char: str) -> bool:
    if char == " ":
        return False
    return (
        unicodedata.category(char) in _UNSEEN
        or char in _BLANK
        or any(ord(char) in selectors for selectors in _SELECTORS)
    )


def _escaped(char: str) -> str:
    code = ord(char)
    return _SHORT.get(char) or (f"\\u{code:04x}" if code <= _BMP else f"\\U{code:08x}")


_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def compact(value: Any) -> str:
    """Write JSON in as few characters as it takes."""
    return _encode(value)


def write_json(value: Any) -> str:
    """Write JSON into a text that a client may render: it means the same, and nothing in it is a link or a tag."""
    text = _as_bytes(value).decode()
    if "](" not in text and "<" not in text:
        return text
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def size(value: Any) -> int:
    """Bytes of a value as JSON."""
    return len(_as_bytes(value))


def _as_bytes(value: Any) -> bytes:
    try:
        return to_json(value)
    except PydanticSerializationError:
        # it holds half a pair, as no answer of the API does
        return compact(value).encode(errors="replace")


def decode(raw: bytes) -> str:
    """Read a file that a person wrote, whatever its editor put before the text: UTF-8, or what a byte-order mark says.

    Raises:
        UnicodeDecodeError: It is none of these.
    """
    for mark, encoding in _ORDER_MARKS:
        if raw.startswith(mark):
            return raw.decode(encoding)
    return raw.decode("utf-8")


_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
