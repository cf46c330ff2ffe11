"""Text from elsewhere, to the letter: what each way of showing it makes of each kind of character."""

from __future__ import annotations

import codecs
import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from barrack_mcp.api.text import (
    INLINE_LONGEST,
    Escaped,
    cite,
    compact,
    decode,
    escape,
    escape_markup,
    guess,
    inline,
    is_one_word,
    is_plain,
    is_same_name,
    is_unmarked,
    mention,
    pieces,
    recognize,
    size,
    write_json,
)


@pytest.mark.parametrize(
    ("text", "limit", "keep", "seen"),
    [
        ("", 0, "", Escaped("", 0, cut=False)),
        ("abc", 3, "", Escaped("abc", 3, cut=False)),
        ("abc", 2, "", Escaped("ab", 3, cut=True)),
        ("äbc", 3, "", Escaped("äbc", 3, cut=False)),
        ("äbc", 2, "", Escaped("äb", 3, cut=True)),
        ("a\0b", 7, "", Escaped("a\\u0000", 3, cut=True, unseen=True)),
        ("[a](b)", 9, "", Escaped("[a]\\(b)", 6, cut=False, markup=True)),
        ("[a](b)", 6, "", Escaped("[a]\\(b", 6, cut=True, markup=True)),
        ("[a](b)\0", 99, "", Escaped("[a]\\(b)\\u0000", 7, cut=False, unseen=True, markup=True)),
        ("\0[a](b)", 99, "", Escaped("\\u0000[a]\\(b)", 7, cut=False, unseen=True, markup=True)),
        ("a\nb", 3, "\n", Escaped("a\nb", 3, cut=False)),
        ("a\nb\tc", 9, "\n\t", Escaped("a\nb\tc", 5, cut=False)),
        ("a\nb\tc", 9, "\t", Escaped("a\\nb\tc", 5, cut=False, unseen=True)),
        ("a\x00", 9, "\n", Escaped("a\\u0000", 2, cut=False, unseen=True)),
        ("\uffff\U00010fff", 99, "", Escaped("\\uffff\\U00010fff", 2, cut=False, unseen=True)),
        (
            "a\u0301\u0302\u0303b\u0301\u0302",
            99,
            "",
            Escaped("a\u0301\u0302\\u0303b\u0301\u0302", 7, cut=False, unseen=True),
        ),
    ],
)
def test_a_text_is_escaped_kept_and_cut_character_by_character(text: str, limit: int, keep: str, seen: Escaped) -> None:
    assert escape(text, limit=limit, keep=keep) == seen


def test_a_text_is_shown_up_to_200_characters_unless_more_is_wanted() -> None:
    assert escape("x" * 200) == Escaped("x" * 200, 200, cut=False)
    assert escape("x" * 201) == Escaped("x" * 200, 201, cut=True)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain", "plain"),
        (7, "7"),
        ("a b", "a b"),
        (" a", "\\x20a"),
        ("a ", "a\\x20"),
        ("a  b", "a\\x20 b"),
        ("«a»", "\\u00aba\\u00bb"),
        ("a\\b", "a\\\\b"),
        ("http://x", "http:\\//x"),
        ("x" * (INLINE_LONGEST - 1), "x" * (INLINE_LONGEST - 1)),
        ("x" * INLINE_LONGEST, "x" * (INLINE_LONGEST - 1) + "…"),
        ("\\" * 200, "\\" * (INLINE_LONGEST - 1) + "…"),
    ],
)
def test_a_text_inside_a_sentence_is_on_one_line_in_full_view_and_short(text: object, seen: str) -> None:
    assert inline(text) == seen
    assert cite(text) == f"«{seen}»"
    assert is_plain(str(text)) is (seen == str(text))


def test_how_short_is_for_the_sentence_to_say() -> None:
    assert inline("abcdef", limit=4) == "abc…"
    assert cite("abcdef", limit=4) == "«abc…»"
    # of an endless text no more is looked at than can be shown
    assert inline("a" + "\u0301" * 10_000, limit=4) == "a\u0301\u0301…"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("ACTIVE", "ACTIVE"),
        ("n3-A100x1", "n3-A100x1"),
        ("us.east-1_b:2/3+4=5", "us.east-1_b:2/3+4=5"),
        (7, "7"),
        ("two words", "«two words»"),
        ("-a", "«-a»"),
        ("a\n", "«a\\n»"),
        ("", "«»"),
        ("x" * 100, "x" * 100),
        ("x" * 101, f"«{'x' * 59}…»"),
    ],
)
def test_one_plain_word_is_told_as_it_is_and_all_else_is_cited(text: object, seen: str) -> None:
    assert mention(text) == seen
    assert is_one_word(str(text)) is (seen == str(text))


def test_code_keeps_its_brackets() -> None:
    assert escape("[a](b)", code=True) == Escaped("[a](b)", 6, cut=False)
    assert escape("ä[a](b)", code=True) == Escaped("ä[a](b)", 7, cut=False)


def test_markup_is_written_out() -> None:
    assert escape_markup("<a & b>") == "&lt;a &amp; b&gt;"


def test_a_word_that_comes_near_is_asked_about_and_no_other() -> None:
    assert guess("statsu", ["status", "state", "name"], otherwise="see the list.") == "did you mean status?"
    assert guess("zzz", ["status", "state", "name"], otherwise="see the list.") == "see the list."


@pytest.mark.parametrize("ours", ["get_thing_b", "GET_THING_B", "Get-Thing-B"])
def test_a_word_of_ours_is_known_and_guessed_in_whatever_letters_it_comes(ours: str) -> None:
    known = ["get_a", ours, "make_thing_b"]
    for spelled in ("GET_THING_B", "get-thing-b", " Get Thing B"):
        assert recognize(spelled, known) == ours
        assert guess(spelled, known, otherwise="") == f"did you mean {ours}?"
    for spelled in ("getThingB", "GET-THNG-B"):
        assert recognize(spelled, known) is None
        assert guess(spelled, known, otherwise="") == f"did you mean {ours}?"


@pytest.mark.parametrize(
    ("typed", "name", "same"),
    [
        ("train", "train", True),
        ("Train", "train", False),
        ("e\u0301", "\u00e9", True),
        ("\u00e9", "e\u0301", True),
        ("e\u0301", "e\u0301", True),
        ("\u212a1", "K1", False),
        ("\u212a1", "\u212a1", True),
        ("a\u212ae\u0301", "aK\u00e9", False),
        ("e", "\u00e9", False),
    ],
)
def test_a_name_is_the_same_in_either_form_of_its_accents_and_a_look_alike_is_another(
    typed: str,
    name: str,
    same: bool,  # noqa: FBT001 - a table's column
) -> None:
    assert is_same_name(typed, name) is same


def test_json_is_written_in_as_few_characters_as_it_takes_and_counted_in_bytes() -> None:
    assert compact({"a": [1, "ä"], "b": None}) == '{"a":[1,"ä"],"b":null}'
    assert size("ä") == 4
    assert size("\ud800") == 3


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("ä".encode(), "ä"),
        (codecs.BOM_UTF8 + "ä".encode(), "ä"),
        (codecs.BOM_UTF16_LE + "ä".encode("utf-16-le"), "ä"),
        (codecs.BOM_UTF16_BE + "ä".encode("utf-16-be"), "ä"),
        (codecs.BOM_UTF32_LE + "ä".encode("utf-32-le"), "ä"),
        (b"", ""),
    ],
)
def test_a_file_is_read_whatever_its_editor_put_before_the_text(raw: bytes, text: str) -> None:
    assert decode(raw) == text


def test_a_file_of_no_known_encoding_is_not_read() -> None:
    with pytest.raises(UnicodeDecodeError):
        decode(b"\xe4")


def test_json_for_people_holds_no_link_and_no_tag_and_is_the_same_json() -> None:
    value = {"a": "[x](y) <b> ä"}
    assert write_json(value) == '{"a":"[x]\\u0028y) \\u003cb> ä"}'
    assert json.loads(write_json(value)) == value


@given(st.text(st.characters(codec="ascii"), min_size=1, max_size=12))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_what_one_look_calls_unmarked_is_left_as_it_is_by_the_closer_look(text: str) -> None:
    assume(is_unmarked(text))
    assert [piece for _, piece in pieces(text)] == list(text)


_WRITTEN = st.text(
    st.one_of(st.characters(codec="latin-1"), st.characters(max_codepoint=0xD7FF), st.sampled_from("\n\t«Жλ語"))
)


@given(_WRITTEN, st.sampled_from(["", "\n\t"]))
@settings(max_examples=120, deadline=None, derandomize=True)
def test_a_text_in_any_language_is_shown_as_its_letters_are_each_by_itself(text: str, keep: str) -> None:
    assert escape(text, limit=1_000, keep=keep).text == "".join(piece for _, piece in pieces(text, keep=keep))
