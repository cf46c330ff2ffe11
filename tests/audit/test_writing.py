"""Writing: on the disk before the call goes on, by many at once, and refused in plain words when it can't be."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any

import anyio
import pytest

from barrack_mcp.state.audit import ELICITED, NEVER_ASKS, UNATTENDED, Audit, AuditError, approved_by, unfinished, verify
from barrack_mcp.state.audit.file import _why
from tests.audit.record import MEANT, NOON, head, lines, small
from tests.support.contending import contend
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

CHILD = """
import sys, anyio
from pathlib import Path
from barrack_mcp.state.audit import Audit, AuditError
MEANT = dict(caller="c", tool="delete_instance", risk="destroy", arguments={"text": "x" * 500}, plan=None,
             confirmed="elicited", api="barrack.ai")
audit = Audit(sys.argv[1])
def say(text):
    sys.stdout.write(text + "\\n"); sys.stdout.flush()
"""
WRITER = f"""{CHILD}
async def main():
    for number in range(25):
        intent_id = await audit.intent(**MEANT)
        await audit.outcome(intent_id, outcome="done", message=str(number))
say("ready"); sys.stdin.readline()
anyio.run(main)
"""
KILLED = f"""{CHILD}
async def main():
    say(await audit.intent(**MEANT))
    await anyio.sleep_forever()
anyio.run(main)
"""
FULL = f"""{CHILD}
import resource
async def main():
    first = await audit.intent(**MEANT)
    size = Path(sys.argv[1]).stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
    for _ in range(2):
        try:
            await audit.intent(**MEANT)
        except AuditError as error:
            say(str(error))
    say(str(Path(sys.argv[1]).stat().st_size == size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await audit.outcome(first, outcome="done", message="There is room again.")
anyio.run(main)
"""
POWERLESS = f"""{CHILD}
import os
async def main():
    await audit.intent(**MEANT)
    os.chmod(sys.argv[1], 0o444)
    if os.getuid() == 0:
        os.seteuid(65534)
    try:
        await audit.intent(**MEANT)
    except AuditError as error:
        say(str(error))
    if os.getuid() == 0:
        os.seteuid(0)
anyio.run(main)
"""


class Colour(StrEnum):
    RED = "red"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "audit.jsonl"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def run(script: str, path: Path) -> list[str]:
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=PATIENT_S)  # noqa: PLW1510 - the code is looked at
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


async def test_a_record_says_who_what_how_confirmed_and_what_came_of_it(path: Path) -> None:
    await small(path)
    rows = lines(path)
    assert [row["kind"] for row in rows] == ["intent", "outcome", "decision", "approval", "intent", "outcome"]
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert {row["at"] for row in rows} == {"2025-06-15T15:06:40.500Z"}
    intent, outcome, decision, approval, later, failed = rows
    assert {name: intent[name] for name in MEANT} == MEANT
    assert intent["process"] == os.getpid()
    assert outcome["intent"] == intent["id"]
    assert (outcome["outcome"], outcome["status"], outcome["request_id"]) == ("done", 200, "r-1")
    assert (outcome["message"], outcome["attempts"], outcome["seconds"]) == ("Deleted.", 1, 2)
    assert (decision["decision"], decision["message"]) == ("refused", "It is protected.")
    assert (approval["approval"], approval["answer"], approval["by"]) == ("ap-1", "approved", "ann")
    assert later["confirmed"] == "approved by ann"
    assert (failed["intent"], failed["outcome"], failed["seconds"]) == (later["id"], "failed", 0.25)


@pytest.mark.parametrize("confirmed", [ELICITED, UNATTENDED, NEVER_ASKS, approved_by("ann")])
async def test_an_intent_keeps_how_it_was_confirmed(path: Path, confirmed: str) -> None:
    audit = Audit(path)
    await audit.outcome(await audit.intent(**MEANT | {"confirmed": confirmed}), outcome="unknown", message="No answer.")
    assert [row.get("confirmed", row.get("outcome")) for row in lines(path)] == [confirmed, "unknown"]


async def test_the_record_is_its_owners_alone_also_when_it_was_not(path: Path) -> None:
    audit = await small(path)
    assert (mode(path.parent), mode(path), mode(head(path))) == (0o700, 0o600, 0o600)
    path.chmod(0o644)
    await audit.intent(**MEANT)
    assert mode(path) == 0o600


async def test_a_check_makes_the_record_and_writes_no_line(path: Path) -> None:
    audit = Audit(path)
    await audit.check()
    assert path.read_bytes() == b""
    await audit.intent(**MEANT)
    size = path.stat().st_size
    await audit.check()
    assert path.stat().st_size == size
    path.write_bytes(b"not ours\n")
    with pytest.raises(AuditError, match="is damaged or is none"):
        await audit.check()


async def test_every_line_is_printable_ascii_and_bounded_whatever_it_is_told(path: Path) -> None:
    deep: Any = "x"
    for _ in range(5_000):
        deep = [deep]
    arguments = {
        "terminal": "\x1b[2J\x7f\x9b\u202e\u2066\ud800\U000e0041\r\n\u2028",
        "long": "y" * 5_000,
        "z" * 500: 1,
        "deep": deep,
        "many": list(range(1_500)),
        "names": {f"n{number}": 0 for number in range(1_500)},
        "numbers": [1e400, float("nan"), 2**70, 10**9_000, True, None, 1.5],
        "enum": Colour.RED,
        "bytes": b"\x00",
    }
    audit = Audit(path)
    await audit.outcome(await audit.intent(**MEANT | {"arguments": arguments}), outcome="done", message="m" * 9_999)
    assert set(path.read_bytes()) <= {10, *range(32, 127)}
    assert verify(path).ok
    intent, outcome = lines(path)
    kept = intent["arguments"]
    assert kept["terminal"] == arguments["terminal"]
    assert kept["long"] == "y" * 2_000 + "… (5000 characters)"
    assert kept["z" * 200 + "… (500 characters)"] == 1
    assert kept["many"][999:] == [999, "… (500 more)"]
    assert (len(kept["names"]), kept["names"]["…"]) == (1_001, "… (500 more)")
    assert kept["numbers"][:3] == ["inf", "nan", "0x400000000000000000"]
    assert kept["numbers"][3].endswith("characters)")
    assert kept["numbers"][4:] == [True, None, 1.5]
    assert (kept["enum"], kept["bytes"]) == ("red", "… (a bytes, not kept)")
    assert len(outcome["message"]) < 2_100


async def test_arguments_too_large_for_a_line_give_way_to_their_digest(path: Path) -> None:
    await Audit(path).intent(**MEANT | {"arguments": {"rows": ["\U0001f600" * 2_000] * 50}})
    kept = lines(path)[0]["arguments"]
    assert kept["left_out_bytes"] > 1_000_000
    assert len(kept["sha256"]) == 64
    assert path.stat().st_size < 2_000
    assert verify(path).ok


@pytest.mark.slow
@pytest.mark.promise("P2")
def test_eight_processes_that_write_at_once_make_one_unbroken_chain(path: Path) -> None:
    contend(WRITER, path, processes=8)
    report = verify(path)
    assert report.ok
    assert (report.lines, report.guarded, report.torn, report.unfinished) == (400, 400, 0, ())


async def test_tasks_of_one_process_that_write_at_once_make_one_chain(path: Path) -> None:
    audit, other = Audit(path), Audit(path)

    async def one(writer: Audit) -> None:
        await writer.outcome(await writer.intent(**MEANT), outcome="done", message="Deleted.")

    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(one, audit)
                tasks.start_soon(one, other)
    report = verify(path)
    assert report.ok
    assert (report.lines, report.unfinished) == (80, ())


@pytest.mark.slow
@pytest.mark.promise("P2")
def test_on_a_full_disk_nothing_is_half_written_and_the_record_goes_on_when_there_is_room(path: Path) -> None:
    refusal = (
        f"The audit record {path} can't be written: the disk is full or the file has reached its size limit; make "
        "room and try again."
    )
    assert run(FULL, path) == [refusal, refusal, "True"]
    report = verify(path)
    assert report.ok
    assert (report.lines, report.torn, report.unfinished) == (2, 0, ())


def test_a_full_disk_is_named_and_other_reasons_are_the_systems() -> None:
    assert "the disk is full" in _why(OSError(errno.ENOSPC, "x"))
    assert _why(OSError(errno.EIO, "Input/output error")).startswith("Input/output error; ")
    assert _why(OSError()).startswith("the system gives no reason; ")


@pytest.mark.slow
@pytest.mark.promise("P2")
def test_a_record_that_may_not_be_written_refuses_in_one_sentence_and_is_still_read(path: Path) -> None:
    (refusal,) = run(POWERLESS, path)
    assert refusal == (
        f"The audit record {path} can't be written: Permission denied; mend that, or keep the record at another place."
    )
    path.chmod(0o400)
    assert verify(path).ok


@pytest.mark.promise("P2")
@pytest.mark.parametrize("make", ["folder is a file", "a folder", "the full device"])
async def test_a_place_that_is_no_file_is_refused(tmp_path: Path, make: str) -> None:
    path = tmp_path / "audit.jsonl"
    match make:
        case "folder is a file":
            path.write_bytes(b"")
            path = path / "audit.jsonl"
        case "a folder":
            path.mkdir()
        case _:
            path.symlink_to("/dev/full")
    with pytest.raises(AuditError, match=r"can't be written: .*\.$"):
        await Audit(path).intent(**MEANT)


async def test_a_record_whose_end_no_process_lets_go_of_is_refused_in_time(path: Path) -> None:
    audit = Audit(path, wait=0.02)
    intent_id = await audit.intent(**MEANT)
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(AuditError, match="is held by another process"):
            await audit.outcome(intent_id, outcome="done", message="Deleted.")
    await audit.outcome(intent_id, outcome="done", message="Deleted.")
    assert verify(path).lines == 2


@pytest.mark.parametrize("then", ["gone", "another"])
async def test_a_line_is_never_lost_in_a_file_that_was_moved_away_meanwhile(path: Path, then: str) -> None:
    audit = Audit(path)
    await audit.intent(**MEANT)
    refused: list[str] = []

    async def write() -> None:
        try:
            await audit.intent(**MEANT)
        except AuditError as error:
            refused.append(str(error))

    with anyio.fail_after(PATIENT_S), path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            await anyio.wait_all_tasks_blocked()
            while descriptors(path) < 2:
                await anyio.lowlevel.checkpoint()
            path.rename(path.with_name("old"))
            head(path).rename(path.with_name("old.head"))
            if then == "another":
                path.touch()
            fcntl.flock(held, fcntl.LOCK_UN)
    assert refused == [f"The audit record {path} was moved away at this very moment; try again."]
    assert verify(path.with_name("old")).lines == 1
    await audit.intent(**MEANT)
    assert verify(path).lines == 1


def descriptors(path: Path) -> int:
    """How often this process has a file open."""
    sought, count = path.stat(), 0
    for number in range(3, 256):
        try:
            count += os.path.samestat(os.fstat(number), sought)
        except OSError:
            continue
    return count


@pytest.mark.slow
@pytest.mark.promise("P2")
def test_after_a_kill_the_intent_is_on_the_disk_and_stands_without_an_outcome(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        intent_id = process.stdout.readline().strip()
        process.send_signal(signal.SIGKILL)
    (left,) = unfinished(path)
    assert (left.id, left.process, left.tool) == (intent_id, process.pid, "delete_instance")
    report = verify(path)
    assert report.ok
    assert report.unfinished == (left,)
    assert f"delete_instance at {left.at} (process {process.pid})" in report.as_text()


@pytest.mark.promise("P2")
@pytest.mark.parametrize("left", [1, 40, -1], ids=["a byte", "some bytes", "all but the newline"])
async def test_a_torn_last_line_is_tolerated_and_kept_in_the_next(path: Path, left: int) -> None:
    audit = await small(path)
    whole, known = path.read_bytes(), head(path).read_bytes()
    await audit.intent(**MEANT)
    torn = path.read_bytes()[len(whole) :][:left]
    path.write_bytes(whole + torn)
    head(path).write_bytes(known)

    report = verify(path)
    assert report.ok
    assert (report.lines, report.torn, report.torn_end, report.unfinished) == (6, 1, True, ())
    assert "Interrupted writes, harmless: 1, one at the end." in report.as_text()
    assert unfinished(path) == []

    await audit.decision(
        caller="c", tool="t", risk="spend", arguments={}, decision="approval_required", message="Ask.", approval="ap-2"
    )
    report = verify(path)
    assert report.ok
    assert (report.lines, report.torn, report.torn_end) == (8, 1, False)
    note, row = lines(path)[6:]
    assert (note["kind"], note["bytes"], row["kind"]) == ("torn", len(torn), "decision")
    assert note["text"] == torn.decode()


async def test_a_record_that_is_nothing_but_torn_begins_anew(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'{"at":"2026')
    await Audit(path, now=lambda: NOON).intent(**MEANT)
    assert [row["kind"] for row in lines(path)] == ["torn", "intent"]
    assert verify(path).ok


async def test_a_cancelled_caller_leaves_whole_lines_and_its_outcome_is_still_written(path: Path) -> None:
    audit = Audit(path)
    ids: list[str] = []

    async def one() -> None:
        intent_id = await audit.intent(**MEANT)
        ids.append(intent_id)
        await audit.outcome(intent_id, outcome="done", message="Deleted.")

    with anyio.fail_after(PATIENT_S):
        for lead in range(30):
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(one)
                for _ in range(lead):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
    report = verify(path)
    assert report.ok
    assert report.torn == 0
    assert report.unfinished == ()
    assert report.lines == 2 * len(ids)


async def test_an_outcome_is_written_in_a_scope_that_is_cancelled_already(path: Path) -> None:
    audit = Audit(path)
    intent_id = await audit.intent(**MEANT)
    with anyio.fail_after(PATIENT_S), anyio.CancelScope() as scope:
        scope.cancel()
        await audit.outcome(intent_id, outcome="done", message="Deleted.")
    assert unfinished(path) == []
    with anyio.CancelScope() as scope:
        scope.cancel()
        await audit.intent(**MEANT)
    assert verify(path).lines == 2


async def test_a_record_serves_where_no_head_can_be_put_for_want_of_room_for_its_name(path: Path) -> None:
    path = path.with_name("a" * 249)
    audit = Audit(path)
    await audit.intent(**MEANT)
    report = verify(path)
    assert report.ok
    assert (report.lines, report.guarded) == (1, 0)
