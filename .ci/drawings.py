"""Draw the two pictures of docs/approvals.md from the words below; the folder is the argument.

One is the way of a call, the other what stops what. Each is written light and dark, and fetches nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final

_COLOURS: Final = {
    "light": {
        "paper": "#ffffff",
        "ink": "#24292f",
        "soft": "#57606a",
        "box": "#f6f8fa",
        "line": "#8c959f",
        "good": "#116329",
        "good_box": "#dafbe1",
        "bad": "#a40e26",
        "bad_box": "#ffebe9",
        "ask": "#6639ba",
        "ask_box": "#fbefff",
    },
    "dark": {
        "paper": "#0d1117",
        "ink": "#e6edf3",
        "soft": "#9198a1",
        "box": "#161b22",
        "line": "#6e7681",
        "good": "#56d364",
        "good_box": "#12261e",
        "bad": "#ff7b72",
        "bad_box": "#2d1517",
        "ask": "#d2a8ff",
        "ask_box": "#221b36",
    },
}
_WIDTH: Final = 860
_STEPS: Final = (
    ("Check", ("name, arguments,", "ids, what is offered")),
    ("Plan", ("reads what it would", "do, lose and cost")),
    ("Ask", ("limits, protection,", "then a person's yes")),
    ("Send", ("once, as shown;", "no answer: looks")),
)
"""What a call goes through, from left to right."""
_STOPPED: Final = (
    ("A model that is wrong or hasty", "a person's yes; a deletion's name typed"),
    ("Names and texts that mislead it", "questions hold facts, none of its words"),
    ("A yes used twice, or for another call", "sealed, good once, only as shown"),
    ("Spending that nobody may approve", "limits and protected names, before any yes"),
    ("A call that is repeated or lost", "sent once, then looked for; a ledger"),
    ("Who answers in the API's place", "https, no redirects, the key to one host"),
    ("A web page, another user here", "own names, a sign-in, files of mode 0600"),
)
_NOT_STOPPED: Final = (
    ("An assistant with a shell as you", "run it as another user, or without one"),
    ("A client that answers by itself", "BARRACK_APPROVAL=out-of-band"),
    ("A yes that is given unread", "limits and protected names still hold"),
    ("Another program here, over HTTP", "use stdio, or give out tokens"),
)
"""What gets through, and what can be done about it."""


def _text(x: float, y: float, words: str, kind: str = "ink", *, size: int = 13, anchor: str = "middle") -> str:
    bold = ' font-weight="600"' if size > 13 else ""  # noqa: PLR2004 - headings are larger
    place = f'x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}"{bold}'
    return f'<text class="{kind}" {place}>{escape(words)}</text>'


def _box(x: float, y: float, width: float, height: float, kind: str = "box") -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" class="{kind}"/>'


def _arrow(*points: tuple[float, float], kind: str = "way", both: bool = False) -> str:
    along = " ".join(f"{x:g},{y:g}" for x, y in points)
    start = f' marker-start="url(#{kind}-head)"' if both else ""
    return f'<polyline points="{along}" class="{kind}"{start} marker-end="url(#{kind}-head)"/>'


def _call() -> Iterator[str]:
    """Draw the way of a call."""
    top, bottom = 76, 148
    yield _box(10, top, 116, bottom - top)
    yield _text(68, 108, "A client", size=14)
    yield _text(68, 128, "and its model", "soft")
    yield _box(734, top, 116, bottom - top)
    yield _text(792, 108, "Barrack's API", size=14)
    yield _text(792, 128, "https, one host", "soft")
    yield _box(156, 36, 548, 140, "house")
    yield _text(168, 56, "barrack-mcp, on your machine", "soft", anchor="start")
    for number, (title, lines) in enumerate(_STEPS):
        left = 168 + number * 133
        asks = title == "Ask"
        yield _box(left, top, 125, bottom - top, "ask_box" if asks else "box")
        yield _text(left + 62.5, 99, title, "ask" if asks else "ink", size=14)
        for row, line in enumerate(lines):
            yield _text(left + 62.5, 119 + 17 * row, line, "soft", size=12)
        if number:
            yield _arrow((left - 8, 112), (left - 1, 112))
    yield _arrow((126, 112), (166, 112))
    yield _text(141, 104, "call", "soft", size=11)
    yield _arrow((692, 112), (732, 112), both=True)
    yield _arrow((364, top), (364, 18), (792, 18), (792, top - 2), kind="read")
    yield _text(560, 13, "reads alone", "soft", size=11)
    yield _box(345, 222, 290, 74, "ask_box")
    yield _text(490, 244, "A person, never the model", "ask", size=14)
    yield _text(490, 264, "the client's question, or else the page", "soft", size=12)
    yield _text(490, 281, "on this machine, or a terminal", "soft", size=12)
    yield _arrow((496.5, bottom + 2), (496.5, 220), kind="asked", both=True)
    yield _text(505, 206, "yes, once", "soft", size=11, anchor="start")
    yield _box(655, 222, 195, 74)
    yield _text(752, 244, "State and record", size=14)
    yield _text(752, 264, "before it is sent: what is meant", "soft", size=12)
    yield _text(752, 281, "after it: what came of it", "soft", size=12)
    yield _arrow((666, bottom), (666, 220))
    yield _arrow((230, bottom), (230, 259), (70, 259), (70, bottom + 2))
    yield _text(150, 252, "refused: nothing was sent", "soft", size=11)
    yield _arrow((752, 296), (752, 326), (40, 326), (40, bottom + 2))
    yield _text(396, 320, "done · failed, in the API's own words · unknown, and what to look with", "soft", size=12)


def _threats() -> Iterator[str]:
    """Draw what stops what."""
    left, wall, right = 250, 590, 690
    yield _text(10, 22, "What is stopped", "good", size=15, anchor="start")
    y = 34
    for who, how in _STOPPED:
        yield _box(10, y, left - 10, 30)
        yield _text(20, y + 20, who, anchor="start")
        yield _arrow((left, y + 15), (left + 28, y + 15))
        yield _box(left + 30, y, wall - left - 30, 30, "good_box")
        yield _text(left + 40, y + 20, how, "good", anchor="start")
        y += 36
    yield f'<line x1="{wall + 14}" y1="32" x2="{wall + 14}" y2="{y - 4}" class="wall"/>'
    y += 26
    yield _text(10, y, "What is not, and what you can do", "bad", size=15, anchor="start")
    y += 12
    for who, how in _NOT_STOPPED:
        yield _box(10, y, left - 10, 30, "bad_box")
        yield _text(20, y + 20, who, anchor="start")
        yield _text((left + right) / 2, y + 11, how, "soft", size=12)
        yield _arrow((left, y + 17), (right - 4, y + 17), kind="through")
        y += 36
    yield _box(right, 34, 160, y - 40)
    middle = (34 + y - 6) / 2
    for row, words in enumerate(("Machines", "Data", "Money", "The key")):
        yield _text(right + 80, middle - 30 + 24 * row, words, size=14)


_PICTURES: Final = {
    "call": ("The way of a call: checked, planned, asked of a person, sent once, and recorded", 340, _call),
    "threats": ("What stops what, and what is not stopped", 476, _threats),
}


def drawn(name: str, scheme: str) -> str:
    """Draw one picture in the colours of a scheme."""
    title, height, parts = _PICTURES[name]
    colour = _COLOURS[scheme]
    heads = "".join(
        f'<marker id="{kind}-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="{colour[fill]}"/></marker>'
        for kind, fill in (("way", "ink"), ("read", "soft"), ("asked", "ask"), ("through", "bad"))
    )
    styles = [
        *(f".{kind}{{fill:{colour[kind]}}}" for kind in ("ink", "soft", "good", "bad", "ask")),
        f".box{{fill:{colour['box']};stroke:{colour['line']}}}",
        f".house{{fill:none;stroke:{colour['line']};stroke-dasharray:2 3}}",
        *(f".{kind}_box{{fill:{colour[f'{kind}_box']};stroke:{colour[kind]}}}" for kind in ("good", "bad", "ask")),
        "polyline{fill:none;stroke-width:1.3}",
        f".way{{stroke:{colour['ink']}}}",
        f".read{{stroke:{colour['soft']};stroke-dasharray:4 3}}",
        f".asked{{stroke:{colour['ask']}}}",
        f".through{{stroke:{colour['bad']};stroke-dasharray:6 4}}",
        f".wall{{stroke:{colour['good']};stroke-width:6}}",
    ]
    body = "\n".join(parts())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        "font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\">\n"
        f"<title>{escape(title)}</title>\n<style>{''.join(styles)}</style>\n<defs>{heads}</defs>\n"
        f'<rect width="{_WIDTH}" height="{height}" fill="{colour["paper"]}"/>\n{body}\n</svg>\n'
    )


def main(folder: Path) -> None:
    """Write all of them."""
    for name in _PICTURES:
        for scheme in _COLOURS:
            (folder / f"{name}-{scheme}.svg").write_text(drawn(name, scheme), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
