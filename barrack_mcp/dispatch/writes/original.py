"""A text that was shown and comes back: what was made visible in it is put back, so that nothing is lost on the way.

A script is shown with its invisible characters written as escapes. Whoever changes a line of it sends the escapes
back. In a text that holds such a character its escape stands for it; where the text holds the same escape written out
as well, the order tells which is which, and where that can't tell, nothing is sent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from barrack_mcp.account.reading import Reader
from barrack_mcp.api.errors import ApiError
from barrack_mcp.api.redact import HIDDEN
from barrack_mcp.api.text import pieces
from barrack_mcp.catalogue import BY_TOOL, JsonObject, Operation
from barrack_mcp.catalogue.marks import marks_of
from barrack_mcp.catalogue.signs import Shows
from barrack_mcp.catalogue.values import Keep
from barrack_mcp.dispatch.arguments.validation import BadArgumentsError

LINES: Final = "\n\t"
"""What a text of several lines shows as it is."""
_ESCAPE: Final = re.compile(r"\\(?:r|u[0-9a-f]{4}|U[0-9a-f]{8})")


async def restore(operation: Operation, values: JsonObject, *, read: Reader) -> JsonObject:
    """Put back into the texts of a change what was escaped when the texts that they replace were shown.

    Args:
        operation: The change.
        values: Its validated arguments.
        read: Reads what is there now; only if an argument holds an escape.

    Raises:
        BadArgumentsError: Which of the escapes are characters can't be told, or a secret would be lost.
    """
    texts = {
        argument: field
        for argument, field in _whole_texts(operation).items()
        if isinstance(text := values.get(argument), str) and (_ESCAPE.search(text) or HIDDEN in text)
    }
    if not texts or operation.look is None:
        return values
    try:
        data = await read(operation.look.tool, {name: values[name] for name in operation.look.arguments})
    except ApiError as error:
        words = "holds escapes, and the present text, which tells what they stand for, could not be read"
        raise BadArgumentsError([f"{name}: {words}: {error}" for name in texts]) from None
    there = data.get(str(BY_TOOL[operation.look.tool].result))
    row: Mapping[str, object] = there if isinstance(there, dict) else {}
    stored = {argument: row.get(field) for argument, field in texts.items()}
    return values | {
        name: _restored(name, values[name], text) for name, text in stored.items() if isinstance(text, str)
    }


def _whole_texts(operation: Operation) -> Mapping[str, str]:
    """The arguments that replace a text which is shown whole, each with the field that shows it."""
    if not isinstance(operation.sign, Shows) or operation.look is None:
        return {}
    marks = marks_of(BY_TOOL[operation.look.tool].row)
    return {argument: field for argument, field in operation.sign.values.items() if marks.get(field) is Keep.WHOLE}


def _restored(name: str, given: str, stored: str) -> str:
    if HIDDEN in given and HIDDEN in stored:
        # what was taken out of it when it was read would be lost
        words = f"holds {HIDDEN} in the place of a secret that is not shown; sent like this, the secret would be lost"
        raise BadArgumentsError([f"{name}: {words}."])
    meant: dict[str, str] = {}
    flags: dict[str, list[bool]] = {}
    for escape, char in _escapes(stored):
        flags.setdefault(escape, []).append(char is not None)
        if char is not None:
            meant[escape] = char
    came = Counter(escape for escape in _ESCAPE.findall(given) if escape in meant)
    for escape, count in came.items():
        if not all(flags[escape]) and count != len(flags[escape]):
            words = f"the present text holds {escape} both as a character and written out, so it can't be told which"
            raise BadArgumentsError([f"{name}: {words} of the {count} here is meant; keep all of them as they stand."])
    turns = {escape: iter(flags[escape]) for escape in came}
    return _ESCAPE.sub(lambda found: _meant(found[0], meant, turns), given)


def _meant(escape: str, meant: Mapping[str, str], turns: Mapping[str, Iterator[bool]]) -> str:
    if escape not in meant:
        return escape
    return meant[escape] if next(turns[escape], True) else escape


def _escapes(text: str) -> Iterator[tuple[str, str | None]]:
    """All escapes in a text as it is shown, in order, each with the character that it is; None if it is written out."""
    for at, (char, piece) in enumerate(pieces(text, keep=LINES, code=True)):
        if piece != char:
            yield piece, char
        elif char == "\\" and (found := _ESCAPE.match(text, at)):
            yield found[0], None
