"""Good frames of both protocol eras, and seeded ways to break them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from tests.stdio.speaking import modern, request

LIMIT: Final = 4 * 1024 * 1024
LEVELS: Final = 50
"""Less than what is refused: the oracle below judges nothing near the edge."""


def good(era: str, number: int, dice: random.Random) -> dict[str, Any]:
    """A good frame; requests have the number as id, every other one as a string."""
    make = modern if era == "modern" else request
    ident: Any = number if number % 2 else f"f{number}"

    def call(name: str, **arguments: Any) -> dict[str, Any]:
        return make(ident, "tools/call", name=name, arguments=arguments)

    return dice.choices(
        [
            make(ident, "ping"),
            make(ident, "server/discover"),
            make(ident, "prompts/list"),
            call("get_credit_balance"),
            call("list_instances", limit=2),
            call("get_instance", instance_id="BRK-none"),
            call("list_nothing"),
            call("list_instances", limit="many", note="ü\n\u2028"),
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "nobody"}},
            {"jsonrpc": "2.0", "id": ident, "result": {"action": "accept", "content": {"approve": True}}},
            make(ident, "tools/list"),
        ],
        weights=[20, 10, 10, 10, 5, 5, 10, 5, 10, 10, 10, 1],
    )[0]


def _flipped(frame: bytes, dice: random.Random) -> bytes:
    broken = bytearray(frame)
    for _ in range(dice.randint(1, 4)):
        broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
    return bytes(broken)


def _cut(frame: bytes, dice: random.Random) -> bytes:
    return frame[: dice.randrange(len(frame))]


def _holed(frame: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(frame))
    return frame[:start] + frame[start + dice.randint(1, 12) :]


def _named_twice(frame: bytes, dice: random.Random) -> bytes:
    name = dice.choice([b"jsonrpc", b"id", b"method", b"params", b"name"])
    return frame.replace(b'"' + name + b'"', b'"' + name + b'": 1, "' + name + b'"', 1)


def _not_a_number(frame: bytes, dice: random.Random) -> bytes:
    return frame.replace(b"{}", b'{"a": ' + dice.choice([b"NaN", b"Infinity", b"-Infinity", b"1e999"]) + b"}", 1)


def _batched(frame: bytes, dice: random.Random) -> bytes:
    return b"[" + b",".join([frame] * dice.randrange(3)) + b"]"


def _bad_utf8(frame: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(frame))
    return frame[:at] + dice.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88"]) + frame[at:]


def _otherwise(frame: bytes, dice: random.Random) -> bytes:
    """One member with a value of another kind."""
    message = json.loads(frame)
    values: list[Any] = [None, True, 1.5, [], {}, "x", -1, "\ud800", 10**30, "y" * 2_000]
    message[dice.choice(["jsonrpc", "id", "method", "params"])] = dice.choice(values)
    return json.dumps(message).encode()


def _blank(_: bytes, dice: random.Random) -> bytes:
    return dice.choice([b"", b" ", b"\r", b"null", b"0", b'""', b"{}", b"\x00"])


def _kept(frame: bytes, _: random.Random) -> bytes:
    return frame


WAYS: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    _flipped, _flipped, _cut, _holed, _named_twice, _not_a_number, _batched, _bad_utf8, _otherwise, _blank, _kept,
)  # fmt: skip


def _giants(era: str) -> list[bytes]:
    """Few, as each costs as much as thousands of the others."""
    long = json.dumps((modern if era == "modern" else request)("long", "tools/call", name="x" * LIMIT)).encode()
    return [
        long,
        long * 4,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"jsonrpc":"2.0","id":"deep","method":"ping","params":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b"[" + b"{}," * 1_300_000 + b"{}]",
        b"\x00" * LIMIT,
    ]


def broken(era: str, *, seed: int, count: int) -> Iterator[bytes]:
    """Yield frames, broken in all ways; the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
    giants = dict(zip(range(100, count, count // 8), _giants(era), strict=False))
    for number in range(count):
        if number in giants:
            yield giants[number]
            continue
        frame = json.dumps(good(era, number, dice), ensure_ascii=False).encode()
        yield dice.choice(WAYS)(frame, dice).replace(b"\n", b" ")


def answerable(frame: bytes) -> Any:
    """The id of a request that nothing is wrong with; None for everything else. Written without the product's code."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in found}) != len(found):
            raise ValueError
        return dict(found)

    if len(frame) > 100_000:
        return None
    try:
        message = json.loads(frame.decode(), object_pairs_hook=pairs)
        json.dumps(message, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    match message:
        case {"jsonrpc": "2.0", "id": int() | str() as ident, "method": str()} if (
            not isinstance(ident, bool)
            and len(str(ident)) < 19
            and isinstance(message.get("params"), dict | None)
            and "result" not in message
        ):
            return ident
    return None


def named(frame: bytes) -> set[Any]:
    """Every id that a frame might claim."""
    found = set()
    for token in re.findall(rb'"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)', frame[:100_000]):
        with suppress(ValueError):
            found.add(json.loads(token.decode(errors="replace")))
    return found
