"""What counts as JSON in an answer, and what it says: the same by whichever parser it is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.api.answer import MAX_DEPTH, UnreadableError, parse

plain = st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=8)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner), max_leaves=8
)


@given(value=values, encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), ascii_alone=st.booleans())
@settings(max_examples=60, deadline=None)
def test_an_answer_says_what_the_language_s_own_parser_reads_however_it_is_written(
    *, value: Any, encoding: str, ascii_alone: bool
) -> None:
    written = json.dumps(value, ensure_ascii=ascii_alone).encode(encoding)
    assert repr(parse(bytearray(written))) == repr(json.loads(written, parse_constant=lambda _: None))


@pytest.mark.parametrize(
    "written",
    [
        *(b"[1,]", b"[01]", b"[1.]", b"[+1]", b"nan", b"{'a':1}", b'["\x01"]', b'["\xff"]', b"[1]x", b"\x0b[1]"),
        *(b"[1", b"[-]", b'{"a":1 "b":2}', b"{1:2}", b'["\\x41"]', b"[\x00]", b"/**/[]", b"[%s]" % (b"9" * 5_000)),
    ],
)
def test_what_is_no_json_is_none(written: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each parser has words of its own
        parse(bytearray(written))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"[NaN,Infinity,-Infinity]", [None, None, None]),
        (b"[-0,-0.0,1E5,1e-400]", [0, -0.0, 1e5, 0.0]),
        (b"[123456789012345678901234567890]", [123456789012345678901234567890]),
        (b" \n[ ] \t", []),
        (b" ", {}),
    ],
)
def test_json_that_may_be_read_in_more_ways_is_read_in_one(written: bytes, read: Any) -> None:
    assert repr(parse(bytearray(written))) == repr(read)


@pytest.mark.parametrize("text", ["", "x", "[", "]", "}{", '"', "\\", '\\"[', '"]\\', "\n", "[]", "Ω", '","'])
@pytest.mark.parametrize("name", ["a", "]]]", '"'])
def test_depth_is_that_of_the_values_whatever_brackets_stand_in_texts(text: str, name: str) -> None:
    value: Any = text
    for level in range(MAX_DEPTH):
        value = [text, value, [], text, {name: text}] if level % 3 else {name: value, "": text}
    written = json.dumps(value).encode()
    assert parse(bytearray(written)) == value
    with pytest.raises(UnreadableError, match="too deeply"):
        parse(bytearray(b"[%s]" % written))
