"""The end of a record, as a person reads it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import anyio
import pytest
from rich.cells import cell_len

from barrack_mcp.cli.operator.audit import as_json, as_text, last_rows
from barrack_mcp.cli.tools.layout import cut
from barrack_mcp.state.audit import Audit, AuditError
from barrack_mcp.state.audit.record import Link, sealed
from tests.audit.record import MEANT, REFUSED, lines, small
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    await small(path)
    return path


async def test_a_row_says_when_who_what_how_confirmed_and_what_came_of_it(path: Path) -> None:
    rows = last_rows(path, 10)
    assert [(row.seq, row.kind) for row in rows] == [(1, "intent"), (3, "decision"), (4, "approval"), (5, "intent")]
    called, refused, answered, later = rows
    assert (called.at, called.who, called.confirmed) == ("2025-06-15T15:06:40.500Z", "local:1000", "elicited")
    assert (called.what, called.came) == ("delete_instance instance_id=i-1", "done (200): Deleted.")
    assert (refused.what, refused.confirmed) == ("delete_volume volume_id=v-1", "not confirmed")
    assert refused.came == "refused: It is protected."
    assert (answered.what, answered.came) == ("ap-1 for delete_volume", "approved by ann")
    assert (later.confirmed, later.came) == ("approved by ann", "failed (404): Not found.")


async def test_the_last_rows_are_the_newest_in_order(path: Path) -> None:
    assert [row.seq for row in last_rows(path, 2)] == [4, 5]
    assert last_rows(path, 0) == []


async def test_a_long_record_is_read_from_its_end(path: Path) -> None:
    link = Link(6, lines(path)[-1]["hash"])
    with path.open("ab") as file:
        for number in range(500):
            line, link = sealed(link, at="", kind="decision", fields=MEANT | {"message": "x" * number})
            file.write(line)
    assert [row.seq for row in last_rows(path, 400)] == list(range(107, 507))
    assert len(last_rows(path, 9_999)) == 504


async def test_what_cannot_be_read_is_shown_as_damaged_and_what_is_not_known_as_it_is(path: Path) -> None:
    line, _ = sealed(Link(6, ""), at="2026-01-01", kind="novel", fields={"colour": "red"})
    torn, _ = sealed(Link(7, ""), at="2026-01-01", kind="torn", fields={"bytes": 12})
    odd = b'{"kind":3,"seq":"x","arguments":[1]}\n'
    path.write_bytes(path.read_bytes() + line + b"garbage\n" + torn + odd + b"unfinis")
    novel, damaged, interrupted, strange = last_rows(path, 4)
    assert (novel.kind, novel.what, novel.came) == ("novel", "novel colour=red", "noted")
    assert (damaged.kind, damaged.came) == ("damaged", "look with `barrack-mcp audit verify`")
    assert interrupted.came == "12 bytes of a line that was never finished"
    assert (strange.seq, strange.what) == (0, "3 arguments=1")


async def test_a_line_without_end_stops_the_reading(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x" * 2_000_000 + b"\n")
    assert [row.kind for row in last_rows(path, 5)] == ["damaged"]


def test_an_empty_record_says_so_and_a_missing_one_too(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_bytes(b"beginning")
    assert last_rows(tmp_path / "audit.jsonl", 5) == []
    assert as_text([]) == "The audit record is empty.\n"
    with pytest.raises(AuditError, match="There is no audit record"):
        last_rows(tmp_path / "none", 5)


@pytest.mark.promise("U1")
async def test_it_is_laid_out_for_a_terminal_within_its_width(path: Path) -> None:
    await Audit(path).intent(**MEANT)
    nested = {"names": ["one", "two"], "rule": {"open": True, "port": 22}, "x": "y " * 99}
    await Audit(path).decision(**REFUSED | {"message": "word " * 30, "arguments": nested})
    rows = last_rows(path, 10)
    for width in (60, 80, 120):
        text = as_text(rows, width=width)
        lines = text.splitlines()
        assert max(len(line) for line in lines) <= width
        # two lines each; no word is broken, and what is nested is told in words
        assert len(lines) == 2 * len(rows)
        assert "wor…" not in text
        assert not set(text) & set('{}[]"')
    assert lines[:2] == [
        "2025-06-15 15:06:40  delete_instance instance_id=i-1",
        "  local:1000; elicited; done (200): Deleted.",
    ]
    assert "  delete_volume names=one, two rule=open yes, port 22 x=y y y" in lines[-2]
    assert re.fullmatch(r"  local:1000; not confirmed; refused:( word)+ …", lines[-1])
    assert "  local:1000; elicited; no outcome is known" in lines


def test_what_is_too_long_for_a_line_is_cut_between_words_and_a_word_that_is_alone_within() -> None:
    for text, width, line in (
        ("one two", 7, "one two"),
        ("one two", 6, "one …"),
        ("one two three", 9, "one two …"),
        ("one two three", 8, "one …"),
        ("one twothree", 8, "one …"),
        ("onetwothree", 8, "onetwo…"),
        ("  onetwothree", 8, "  onet…"),
        ("\u6f22\u5b57\u6f22\u5b57", 7, "\u6f22\u5b57…"),
    ):
        assert cut(text, width) == line
        assert cell_len(cut(text, width)) <= width


async def test_a_program_gets_the_record_with_what_came_of_each_call_but_not_the_seals(path: Path) -> None:
    called, refused, *_ = json.loads(as_json(last_rows(path, 10)))
    assert (called["tool"], called["arguments"]) == ("delete_instance", {"instance_id": "i-1"})
    assert (called["outcome"]["outcome"], called["outcome"]["status"]) == ("done", 200)
    assert (refused["kind"], refused["decision"], "outcome" in refused) == ("decision", "refused", False)
    assert not {"hash", "prev"} & called.keys() | called["outcome"].keys() & {"hash", "prev"}
    path.write_bytes(path.read_bytes() + b"garbage\n")
    assert json.loads(as_json(last_rows(path, 1))) == [{"kind": "damaged"}]


@pytest.mark.slow
async def test_the_layout_is_the_same_whatever_the_environment_says(path: Path) -> None:
    script = (
        "import sys; from barrack_mcp.cli.operator.audit import as_text, last_rows;"
        " sys.stdout.write(as_text(last_rows(sys.argv[1], 9), width=90))"
    )
    settings = {"COLUMNS": "20", "FORCE_COLOR": "1", "PYTHONIOENCODING": "utf-8", "TERM": "dumb"}
    with anyio.fail_after(PATIENT_S):
        done = await anyio.run_process([sys.executable, "-c", script, str(path)], env=settings)
    assert done.stdout.decode() == as_text(last_rows(path, 9), width=90)


async def test_characters_that_a_terminal_would_obey_are_shown_and_long_texts_cut(path: Path) -> None:
    arguments = {"name": "\x1b[2J\x9b\u202e\u200b\U000e0041[bold]x[/bold]\nnext", "zeal": "y" * 1_000}
    await Audit(path).intent(**MEANT | {"arguments": arguments, "caller": "eve\x07"})
    text = as_text(last_rows(path, 1), width=1_000)
    assert all(char == "\n" or char.isprintable() for char in text)
    assert "eve\\u0007" in text
    assert "\\u009b\\u202e\\u200b\\U000e0041[bold]x[/bold]\\nnext" in text
    assert "yyy…" in text
    assert "y" * 400 not in text
