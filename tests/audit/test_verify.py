"""Verifying: whatever is done to a record is found at the first line it touches."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from barrack_mcp.state.audit import Audit, AuditError, Report, digest, unfinished, verify
from barrack_mcp.state.audit.record import GENESIS, START, sealed
from tests.audit.record import MEANT, head, lines, small

pytestmark = pytest.mark.anyio


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    await small(path)
    return path


def broken_at(report: Report) -> tuple[int, int]:
    assert not report.ok
    assert report.first_break
    assert report.first_break.what.endswith(".")
    assert f"BROKEN at line {report.first_break.line}, byte {report.first_break.offset}" in report.as_text()
    return report.first_break.line, report.first_break.offset


async def test_a_record_as_it_was_written_is_in_order(path: Path) -> None:
    report = verify(path)
    assert report.ok
    assert (report.lines, report.guarded, report.torn, report.unfinished) == (6, 6, 0, ())
    assert report.head == lines(path)[-1]["hash"]
    assert report.as_text() == f"All 6 lines are as they were written; the last has the hash {report.head}."


@pytest.mark.slow
@pytest.mark.promise("P2")
@pytest.mark.parametrize("with_head", [True, False], ids=["with its head", "without a head"])
async def test_each_byte_changed_is_found_in_its_line(path: Path, *, with_head: bool) -> None:
    if not with_head:
        head(path).unlink()
    whole = path.read_bytes()
    draw = random.Random(7)  # noqa: S311 - a choice of changes, no secret
    with path.open("r+b", buffering=0) as file:
        for place, byte in enumerate(whole):
            for change in {1 << place % 8, draw.randrange(1, 256), byte ^ 0x0A} - {0}:
                os.pwrite(file.fileno(), bytes([byte ^ change]), place)
                report = verify(path)
                if place == len(whole) - 1 and not with_head:
                    # without a head the last newline can't be told from one that was never written
                    assert report.torn_end
                    continue
                start = whole.rfind(b"\n", 0, place) + 1
                assert broken_at(report) == (whole.count(b"\n", 0, place) + 1, start), (place, change)
            os.pwrite(file.fileno(), bytes([byte]), place)
    assert verify(path).ok


def _dropped(rows: list[bytes], at: int) -> list[bytes]:
    return rows[:at] + rows[at + 1 :]


def _swapped(rows: list[bytes], at: int) -> list[bytes]:
    return [*rows[:at], rows[at + 1], rows[at], *rows[at + 2 :]]


def _doubled(rows: list[bytes], at: int) -> list[bytes]:
    return [*rows[: at + 1], *rows[at:]]


def _put_in(rows: list[bytes], at: int) -> list[bytes]:
    return [*rows[:at], sealed(START, at="", kind="outcome", fields={})[0], *rows[at:]]


def _emptied(rows: list[bytes], at: int) -> list[bytes]:
    return [*rows[:at], b"\n", *rows[at:]]


def _cut_inside(rows: list[bytes], at: int) -> list[bytes]:
    return [*rows[:at], rows[at][:40]]


def _cut_after(rows: list[bytes], at: int) -> list[bytes]:
    return rows[:at]


def _joined(rows: list[bytes], at: int) -> list[bytes]:
    return [*rows[:at], rows[at].rstrip(b"\n"), *rows[at + 1 :]]


@pytest.mark.promise("P2")
@pytest.mark.parametrize(
    ("done", "late"),
    [
        (_dropped, 0),
        (_swapped, 0),
        (_doubled, 1),
        (_put_in, 0),
        (_emptied, 0),
        (_cut_inside, 0),
        (_cut_after, 0),
        (_joined, 0),
    ],
)
async def test_lines_dropped_swapped_doubled_put_in_or_cut_are_found_at_the_first(
    path: Path, done: Callable[[list[bytes], int], list[bytes]], late: int
) -> None:
    rows = path.read_bytes().splitlines(keepends=True)
    for at in range(5):
        changed = done(rows, at)
        if done is _put_in and at == 0:
            changed[0] = b"{}\n"
        path.write_bytes(b"".join(changed))
        report = verify(path)
        assert broken_at(report) == (at + late + 1, sum(len(row) for row in rows[: at + late]))
        assert ("has number" in report.as_text()) is (
            done in {_dropped, _swapped, _doubled} or (done is _put_in and at > 0)
        )


@pytest.mark.promise("P2")
async def test_lines_cut_off_the_end_are_missed_and_no_line_hides_it(path: Path) -> None:
    rows = path.read_bytes().splitlines(keepends=True)
    for left in range(6):
        path.write_bytes(b"".join(rows[:left]))
        assert broken_at(verify(path)) == (left + 1, path.stat().st_size)
        with pytest.raises(AuditError, match="was cut or exchanged"):
            await Audit(path).intent(**MEANT)
    path.unlink()
    with pytest.raises(AuditError, match=r"is gone, and its \.head file knows of 6 lines"):
        verify(path)
    with pytest.raises(AuditError, match="was cut or exchanged"):
        await Audit(path).intent(**MEANT)


async def test_a_record_written_anew_does_not_fit_the_head(path: Path) -> None:
    kept = head(path).read_bytes()
    path.unlink()
    head(path).unlink()
    await small(path)
    assert verify(path).ok
    head(path).write_bytes(kept)
    assert broken_at(verify(path))[0] == 6
    with pytest.raises(AuditError, match="was cut or exchanged"):
        await Audit(path).intent(**MEANT)


async def test_a_line_exchanged_for_a_sealed_one_of_its_number_breaks_the_chain_behind_it(path: Path) -> None:
    rows = path.read_bytes().splitlines(keepends=True)
    first, _ = sealed(START, at="", kind="decision", fields={})
    path.write_bytes(b"".join([first, *rows[1:]]))
    report = verify(path)
    assert broken_at(report) == (2, len(first))
    assert "does not follow from the line before it" in report.as_text()


async def test_a_record_ahead_of_its_head_is_in_order_and_says_how_far_it_is_guarded(path: Path) -> None:
    kept = head(path).read_bytes()
    audit = Audit(path)
    intent_id = await audit.intent(**MEANT)
    head(path).write_bytes(kept)
    report = verify(path)
    assert report.ok
    assert (report.lines, report.guarded) == (7, 6)
    assert "up to line 6 only" in report.as_text()
    await audit.outcome(intent_id, outcome="done", message="Deleted.")
    assert verify(path).guarded == 8


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"[]", b'{"seq":0,"hash":""}', b'{"seq":"1"}', b"{" * 2_000])
async def test_a_head_that_says_nothing_guards_nothing_and_stops_nobody(path: Path, content: bytes) -> None:
    head(path).write_bytes(content)
    assert verify(path).guarded == 0
    await Audit(path).intent(**MEANT)
    assert verify(path).guarded == 7


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":1,"hash":"%s"}\n' % hashlib.sha256(b'{"a":1}').hexdigest().encode(),
        b'[1,"hash":"%s"}\n' % hashlib.sha256(b"[1}").hexdigest().encode(),
        b"{" * 100_000 + b"\n",
        b"x" * 600_000 + b"\n",
        b"x" * 600_000,
    ],
    ids=["no number", "no JSON", "deep", "long", "long without a newline"],
)
async def test_a_line_of_something_else_is_found_and_not_written_behind(path: Path, line: bytes) -> None:
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(line)
    assert broken_at(verify(path)) == (7, size)
    with pytest.raises(AuditError, match="audit verify"):
        await Audit(path).intent(**MEANT)
    assert path.stat().st_size == size + len(line)


async def test_the_hash_is_that_of_the_canonical_line_whatever_order_its_fields_are_read_in(path: Path) -> None:
    before = GENESIS
    for row in lines(path):
        names = list(row)
        random.Random(1).shuffle(names)  # noqa: S311 - an order, no secret
        shuffled = {name: row[name] for name in names if name != "hash"}
        text = json.dumps(shuffled, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() == row["hash"]
        assert row["prev"] == before
        before = row["hash"]


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": {"c": 2, "d": 3}}) == digest({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


async def test_intents_without_an_outcome_are_listed_even_past_a_break(path: Path) -> None:
    audit = Audit(path)
    ids = [await audit.intent(**MEANT) for _ in range(7)]
    await audit.outcome(ids[0], outcome="done", message="Deleted.")
    report = verify(path)
    assert [one.id for one in report.unfinished] == ids[1:]
    assert "and 1 more" in report.as_text()
    path.write_bytes(path.read_bytes().replace(b"Not found.", b"Not there.") + b"\xff\n")
    assert broken_at(verify(path))[0] == 6
    left = unfinished(path)
    assert [one.id for one in left] == ids[1:]
    assert (left[0].caller, left[0].tool, left[0].confirmed) == ("local:1000", "delete_instance", "elicited")
    assert verify(path).unfinished == tuple(left)


def test_where_there_is_no_record_nothing_is_unfinished_and_there_is_nothing_to_verify(tmp_path: Path) -> None:
    assert unfinished(tmp_path / "none") == []
    with pytest.raises(AuditError, match="There is no audit record at"):
        verify(tmp_path / "none")
    (tmp_path / "empty").touch()
    assert verify(tmp_path / "empty").ok


async def test_a_record_of_thousands_of_lines_is_verified_line_by_line(tmp_path: Path) -> None:
    path, link = tmp_path / "audit.jsonl", START
    with path.open("wb") as file:
        for _ in range(3_000):
            line, link = sealed(link, at="2026-01-01T00:00:00.000Z", kind="decision", fields=MEANT)
            file.write(line)
    assert verify(path).ok
    assert verify(path).lines == 3_000
    assert verify(path).head == link.hash
