"""Editing JSON as text leaves alone whatever it was not asked to change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.cli.install.jsonc import BrokenError, ShapeError, append, put, read

COMMENTED = """\
// mine
{
    /* before */ "other": [1, 2.50, 1e3,], // after
    "servers": {
        "mine": { "command": "x" }, // last, with a comma
    },
    // end
}
"""

names = st.text('abc"\\é{}[],:/*', max_size=4)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


def test_comments_order_and_spelling_stay() -> None:
    made = put(COMMENTED, ("servers", "barrack"), {"command": "x", "args": ["a"]}, comments=True)
    assert made == COMMENTED.replace(
        "// last, with a comma\n",
        '// last, with a comma\n        "barrack": {\n            "command": "x",\n            "args": [\n'
        '                "a"\n            ]\n        },\n',
    )


def test_a_member_without_a_comma_and_with_a_comment_gets_its_comma_before_the_comment() -> None:
    made = put('{\n\t"a": 1 // one, two\n}', ("b",), 2, comments=True)
    assert made == '{\n\t"a": 1, // one, two\n\t"b": 2\n}'


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{}", '{\n  "s": {\n    "b": 1\n  }\n}'),
        ("{}\n", '{\n  "s": {\n    "b": 1\n  }\n}\n'),
        ("{\r\n}", '{\r\n  "s": {\r\n    "b": 1\r\n  }\r\n}'),
        ('{"a":1}', '{"a":1, "s": {"b": 1}}'),
        ('{ "s": {} }', '{ "s": {"b": 1} }'),
        ('{\n   "s": {}\n}', '{\n   "s": {\n      "b": 1\n   }\n}'),
        ('{"a": 1,\n "s": {"c": 2}}', '{"a": 1,\n "s": {"c": 2, "b": 1}}'),
        ('{"s": {"b": 0}, "s": {"b": 0}}', '{"s": {"b": 0}, "s": {"b": 1}}'),
        ('{"s": {"b": 1}}', '{"s": {"b": 1}}'),
        ('{"s": {"b": true}}', '{"s": {"b": 1}}'),
    ],
)
def test_a_value_finds_its_place(text: str, made: str) -> None:
    assert put(text, ("s", "b"), 1, comments=False) == made


def test_a_value_that_is_there_already_keeps_its_spelling() -> None:
    assert put('{"b":[1,2]}', ("b",), [1, 2], comments=False) == '{"b":[1,2]}'


def test_an_item_goes_behind_the_last() -> None:
    assert append('{"inputs": [{"id": 1}]}', ("inputs",), {"id": 2}, comments=False) == (
        '{"inputs": [{"id": 1}, {"id": 2}]}'
    )
    assert json.loads(append("{}", ("inputs",), {"id": 2}, comments=False)) == {"inputs": [{"id": 2}]}
    assert append('{\n  "i": [\n    1,\n  ]\n}', ("i",), 2, comments=True) == '{\n  "i": [\n    1,\n    2,\n  ]\n}'


def test_what_is_of_another_kind_is_refused() -> None:
    with pytest.raises(ShapeError, match="the file is not an object"):
        put("[]", ("s", "b"), 1, comments=False)
    with pytest.raises(ShapeError, match="«s» is not an object"):
        put('{"s": 3}', ("s", "b"), 1, comments=False)
    with pytest.raises(ShapeError, match="«s» is not an array"):
        append('{"s": 3}', ("s",), 1, comments=False)


@pytest.mark.parametrize(
    ("text", "comments", "line", "column"),
    [
        ("", True, 1, 1),
        ('{\n  "a": nope\n}', True, 2, 8),
        ('{"a" 1}', True, 1, 6),
        ('{"a": 1 "b": 2}', True, 1, 9),
        ("{a: 1}", True, 1, 2),
        ('{"a": "x\ny"}', True, 1, 7),
        ('{"a": 01}', True, 1, 8),
        ("[1, 2", True, 1, 6),
        ("[1,", True, 1, 4),
        ("{} x", True, 1, 4),
        ("/* no end", True, 1, 1),
        ('{\n// no\n"a": 1}', False, 2, 1),
        ("[1,]", False, 1, 3),
        ("[" * 200, True, 1, 102),
        ("NaN", True, 1, 1),
    ],
)
def test_what_is_broken_is_told_with_its_place(text: str, comments: bool, line: int, column: int) -> None:  # noqa: FBT001 - a parameter of the table
    with pytest.raises(BrokenError) as caught:
        read(text, comments=comments)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert f"line {line}, column {column}" in str(caught.value)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(value=values, indent=st.sampled_from([None, 1, 2, 4, "\t"]))
def test_reading_is_what_python_reads(value: Any, indent: int | str | None) -> None:
    text = json.dumps(value, indent=indent)
    assert read(text, comments=False).value == json.loads(text)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    document=st.dictionaries(names, values, max_size=4),
    name=names,
    value=values,
    indent=st.sampled_from([None, 1, 2, 4, "\t"]),
)
def test_one_value_changes_and_nothing_else(
    document: dict[str, Any], name: str, value: Any, indent: int | str | None
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    made = put(text, (name,), value, comments=False)
    assert json.loads(made) == {**document, name: value}
    assert put(made, (name,), value, comments=False) == made
    if name not in document:
        body = text.rstrip("}").rstrip()
        assert made.startswith(body)
