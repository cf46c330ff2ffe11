"""What is shown may be rendered as Markdown: no text from elsewhere becomes a link, a picture, a tag or a heading."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.api.text import cite, escape, mention, write_json
from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.catalogue.marks import Marks
from barrack_mcp.catalogue.values import Keep
from barrack_mcp.dispatch.answers.bounds import SafeCopy
from barrack_mcp.dispatch.answers.brief import table
from barrack_mcp.dispatch.answers.safe import make_safe
from tests.support.hostile import MARKUP, rendered

PARTS = [
    "[", "]", "(", ")", "<", ">", "!", ":", "\\", "/", "|", "-", "=", "#", "`", "~", "*", "_", " ", "\n", "\t", "&lt;",
    "a", "img src=x", "http://evil/", "](", "]:", "![", "<!--", "<?", "a@b.c", "---", "```", "&#91;", "\u200b", "«",
]  # fmt: skip
TEXTS = st.one_of(st.sampled_from(MARKUP), st.lists(st.sampled_from(PARTS), min_size=1, max_size=12).map("".join))
quick = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@pytest.mark.parametrize("text", MARKUP)
def test_each_of_these_would_be_rendered_if_it_came_as_it_is(text: str) -> None:
    assert rendered(text)


@pytest.mark.promise("S5")
@quick
@given(TEXTS)
def test_no_text_is_rendered_as_anything_but_itself(text: str) -> None:
    assert not rendered(str(escape(text)))
    assert not rendered(str(escape(text, keep="\n\t")))


@pytest.mark.promise("S5")
@quick
@given(TEXTS, TEXTS)
def test_no_text_is_rendered_inside_a_sentence_of_ours_and_no_two_make_a_link_together(one: str, other: str) -> None:
    sentence = f"Deletes {cite(one)} ({mention(other)}). It is {mention(one)}: {cite(other)}"
    assert not rendered(sentence)
    assert "://" not in sentence


@pytest.mark.promise("S5")
@quick
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_no_text_is_rendered_in_json_and_the_json_means_what_it_meant(texts: list[str]) -> None:
    for value in (texts, {text: text for text in texts}):
        written = write_json(value)
        assert not rendered(written)
        assert json.loads(written) == value


@pytest.mark.promise("S5")
@quick
@given(TEXTS, TEXTS)
def test_no_row_of_a_table_is_rendered(one: str, other: str) -> None:
    operation = BY_TOOL["list_volumes"]
    rows: list[dict[str, Any]] = [{"volume_id": one, "volume_name": other}, {"volume_id": other, one: other}]
    answer = make_safe(operation, {"volumes": rows}, {})
    assert not rendered("\n".join(["2 volumes.", *table(operation, answer["volumes"])]))
    alone = make_safe(operation, {"volumes": [{one: one}]}, {})
    assert not rendered("\n".join(table(operation, alone["volumes"])))


def test_a_script_keeps_every_bracket_and_a_name_gets_a_backslash_that_is_told() -> None:
    script = "#!/bin/sh\ncat <<EOF\n# [a](b) <img>\n---\nEOF\n"
    operation = BY_TOOL["get_startup_script"]
    answer = make_safe(operation, {"script": {"id": "SCR-1", "name": "![a](b)", "script": script}}, {})
    assert answer["script"] == {"id": "SCR-1", "name": "![a]\\(b)", "script": script}
    assert answer["notes"] == [
        "A backslash keeps text from being taken for markup, as in ]\\( and <\\b, in script.name."
    ]


@pytest.mark.parametrize(
    "text", ["train-1", "a [b] (c)", "a < b", "#1", "-", "[::1]", "https://barrack.ai/docs", "a -> b", "été 😀", "1.5"]
)
def test_what_no_renderer_would_act_upon_stays_as_it_is(text: str) -> None:
    assert str(escape(text)) == text


def _rows_of(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[Any]]:
    leaf = st.one_of(st.none(), st.booleans(), st.integers(0, 9), texts)
    holders = st.recursive(
        leaf,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
        max_leaves=8,
    )
    return st.lists(holders, max_size=4)


_ODD = st.one_of(
    TEXTS,
    st.sampled_from(
        ["x" * 201, "x" * 4_001, "é", "a\u202eb", "", "a -----BEGIN RSA PRIVATE KEY", "PuTTY-User-Key-File-2"]
    ),
)
_PLAIN = st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=5)


@pytest.mark.promise("S5")
@quick
@given(
    _rows_of(st.one_of(_PLAIN, _PLAIN, _PLAIN, _ODD)),
    st.sampled_from([{"a": Keep.LINES}, {"a": Keep.LINES, "*": Keep.WHOLE}]),
)
def test_rows_that_one_look_passes_are_those_that_the_closer_look_leaves_as_they_are(
    rows: list[Any], marks: dict[str, Any]
) -> None:
    # where anything may be a secret, each text is looked at by itself
    one, each = SafeCopy(), SafeCopy()
    closer: Marks = {**marks, "never sent": "secret"}
    assert json.dumps(one.rows(rows, marks)) == json.dumps(each.rows(rows, closer))
    assert json.dumps(one.fields({"rows": rows}, marks)) == json.dumps(each.fields({"rows": rows}, closer))
    assert one.notes() == each.notes()
