"""What is kept of a write: the text that it overwrites, piece by piece, and the key that the API shows only once."""

from __future__ import annotations

from pathlib import Path

import pytest

from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.dispatch.writes.keyfile import KeyFolder
from barrack_mcp.dispatch.writes.looking.view import View
from barrack_mcp.dispatch.writes.replaced import find_replaced, in_pieces
from barrack_mcp.state.audit.record import MAX_TEXT

UPDATE = BY_TOOL["update_startup_script"]
NEW = {"script_id": "S", "script": "new"}


@pytest.mark.parametrize(
    ("there", "values", "kept"),
    [
        (View(thing={"script": "old"}), NEW, "old"),
        (View(thing={"script": "new"}), NEW, None),
        (View(thing={"script": ""}), NEW, None),
        (View(thing={"script": None}), NEW, None),
        (View(thing={"script": 7}), NEW, None),
        (View(thing={"name": "boot"}), NEW, None),
        (View(missing=True), NEW, None),
        (None, NEW, None),
        (View(thing={"script": "old"}), {"script_id": "S", "name": "boot"}, None),
    ],
)
def test_an_old_text_is_kept_where_another_takes_its_place(
    there: View | None, values: JsonObject, kept: str | None
) -> None:
    assert find_replaced(UPDATE, values, there) == kept


FULL = ["a" * MAX_TEXT] * 49
"""As many whole pieces as fit, with two quotation marks each, into 100,000 bytes; 1,902 bytes are left."""


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("a", ["a"]),
        ("a" * MAX_TEXT, ["a" * MAX_TEXT]),
        ("a" * MAX_TEXT + "b", ["a" * MAX_TEXT, "b"]),
        ("".join(FULL) + "b" * 1_900, [*FULL, "b" * 1_900]),
        ("".join(FULL) + "b" * 1_901, [*FULL, "… (1,901 characters more)"]),
        ("".join(FULL) + "é" * 316 + "bb", [*FULL, "é" * 316 + "bb"]),
        ("".join(FULL) + "é" * 317 + "c" * 5_000, [*FULL, "… (5,317 characters more)"]),
    ],
    ids=len,
)
def test_an_old_text_is_kept_in_pieces_and_what_is_too_much_for_a_line_is_counted(text: str, pieces: list[str]) -> None:
    assert in_pieces(text) == pieces


def test_each_key_of_a_name_has_a_file_of_its_own_and_the_thousandth_is_told(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path / "keys")
    first, second = folder.reserve("a"), folder.reserve("a")
    assert [path.name for path in (first, second, folder.reserve("b"))] == ["a.pem", "a-2.pem", "b.pem"]
    for number in range(3, 999):
        (tmp_path / "keys" / f"a-{number}.pem").touch()
    assert folder.reserve("a").name == "a-999.pem"
    with pytest.raises(FileExistsError) as full:
        folder.reserve("a")
    assert full.value.strerror == "too many keys of this name"


def test_what_is_there_under_a_keys_name_is_neither_opened_nor_emptied(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("a key")
    assert KeyFolder(tmp_path).reserve("a").name == "a-2.pem"
    assert (tmp_path / "a.pem").read_text() == "a key"
