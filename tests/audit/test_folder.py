"""A folder of records: each host keeps its own file and chain in it, and all are looked at together."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from typer.testing import CliRunner

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.cli.doctor import Verdict, local
from barrack_mcp.cli.operator import audit as command
from barrack_mcp.cli.operator.audit import as_text, last_rows
from barrack_mcp.config import SettingsError, read_settings
from barrack_mcp.server.house import open_server
from barrack_mcp.state.audit import Audit, unfinished, verify
from barrack_mcp.state.audit.place import file_at, records_at
from tests.audit.record import MEANT, REFUSED, head, lines, small

pytestmark = pytest.mark.anyio


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """The records of two hosts, of which the second was killed before its second call had ended."""
    place = tmp_path / "audit"
    place.mkdir()
    seconds = itertools.count()
    one, two = (Audit(file_at(place, host), now=lambda: 1_750_000_000.0 + next(seconds)) for host in ("web-1", "web-2"))
    first = await one.intent(**MEANT | {"caller": "ada"})
    second = await two.intent(**MEANT | {"caller": "bob"})
    await two.outcome(second, outcome="done", message="Deleted.")
    await one.outcome(first, outcome="done", message="Deleted.")
    await one.decision(**REFUSED | {"caller": "ada"})
    await two.intent(**MEANT | {"caller": "bob", "tool": "delete_volume"})
    return place


def run(place: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(command.app, [*words], env={"BARRACK_AUDIT": str(place), "COLUMNS": "200"})
    return done.exit_code, done.output


def set_to(value: object, **more: str) -> Any:
    return read_settings({"BARRACK_AUDIT": str(value), **more})


@pytest.mark.promise("P2")
async def test_all_records_are_verified_and_each_is_told(folder: Path) -> None:
    code, told = run(folder, "verify")
    assert code == 0
    assert [line for line in told.splitlines() if line.startswith("/")] == [
        str(folder / "web-1.jsonl"),
        str(folder / "web-2.jsonl"),
    ]
    assert told.count("are as they were written; the last has the hash") == 2
    assert told.endswith(f"2 records in {folder}: all as written.\n")
    # what a crash cut short is found in the record of its host
    assert told.index("Without an outcome: delete_volume") > told.index("web-2.jsonl")
    assert [(one.caller, one.tool) for one in unfinished(folder / "web-2.jsonl")] == [("bob", "delete_volume")]
    assert unfinished(folder / "web-1.jsonl") == []


@pytest.mark.promise("P2")
@pytest.mark.parametrize("harm", ["flipped", "cut", "gone", "swapped"])
async def test_a_break_in_one_record_is_located_and_the_others_are_told_all_the_same(harm: str, folder: Path) -> None:
    first, second = (folder / f"web-{number}.jsonl" for number in (1, 2))
    match harm:
        case "flipped":
            first.write_bytes(first.read_bytes().replace(b"ada", b"eve", 1))
        case "cut":
            first.write_bytes(first.read_bytes().splitlines(keepends=True)[0])
        case "gone":
            first.unlink()
        case _:
            head(first).write_bytes(head(second).read_bytes())
    code, told = run(folder, "verify")
    assert code == 1
    assert f"{folder / 'web-1.jsonl'}\n" in told
    assert ("BROKEN at line" in told) is (harm != "gone")
    assert ("is gone, and its .head file knows of 3 lines" in told) is (harm == "gone")
    assert "All 3 lines are as they were written" in told
    assert told.endswith(f"2 records in {folder}: 1 not as written.\n")


async def test_the_last_rows_of_all_hosts_are_told_in_the_order_of_time(folder: Path) -> None:
    rows = last_rows(folder, 10)
    assert [(row.host, row.who, row.came) for row in rows] == [
        ("web-1", "ada", "done: Deleted."),
        ("web-2", "bob", "done: Deleted."),
        ("web-1", "ada", "refused: It is protected."),
        ("web-2", "bob", ""),
    ]
    assert [row.who for row in last_rows(folder, 2)] == ["ada", "bob"]
    assert last_rows(folder, 0) == []
    assert "\n  bob at web-2; elicited; no outcome is known\n" in as_text(rows)
    code, told = run(folder, "tail", "--json")
    assert (code, [row["host"] for row in json.loads(told)]) == (0, ["web-1", "web-2", "web-1", "web-2"])


async def test_a_clock_that_is_behind_leaves_each_record_in_its_own_order(folder: Path) -> None:
    path = folder / "web-1.jsonl"
    assert [row.seq for row in last_rows(path, 9)] == [row.seq for row in last_rows(folder, 9) if row.host == "web-1"]


async def test_an_empty_folder_has_no_record(tmp_path: Path) -> None:
    for words in (["verify"], ["tail"]):
        code, told = run(tmp_path, *words)
        assert (code, "There is no audit record in" in told) == (2, True)


async def test_each_host_has_a_name_that_a_file_can_bear(tmp_path: Path) -> None:
    names = {
        "web-1": "web-1",
        "Web.Example.COM": "web.example.com",
        "../../etc/passwd": "etc-passwd",
        "a b\n\x00": "a-b",
        "": "server",
        "...": "server",
        "x" * 300: "x" * 64,
    }
    for host, name in names.items():
        made = file_at(tmp_path, host)
        assert (made.parent, made.name) == (tmp_path, f"{name}.jsonl"), host
    assert file_at(tmp_path / "one.jsonl", "web-1") == tmp_path / "one.jsonl"


async def test_what_is_no_record_is_let_lie(folder: Path) -> None:
    for name in (".hidden.jsonl", "notes.txt", "x.head", "web-1.jsonl.tmp"):
        (folder / name).write_text("x")
    assert [path.name for path in records_at(folder)] == ["web-1.jsonl", "web-2.jsonl"]


async def test_the_setting_takes_a_folder_that_is_there_and_no_other(tmp_path: Path) -> None:
    settings = set_to(tmp_path)
    assert settings.audit_place == tmp_path
    assert settings.audit_file == file_at(tmp_path)
    assert settings.audit_file.parent == tmp_path
    assert set_to(tmp_path / "audit.jsonl").audit_file == tmp_path / "audit.jsonl"
    assert set_to("off", BARRACK_READ_ONLY="1").audit_place is None
    with pytest.raises(SettingsError, match="BARRACK_AUDIT names a folder that is not there: make it, or name a file"):
        set_to(f"{tmp_path}/not-there/")


@pytest.mark.promise("P3")
async def test_a_server_writes_into_the_file_of_its_host(tmp_path: Path) -> None:
    place = tmp_path / "audit"
    place.mkdir()
    settings = set_to(place, BARRACK_SIMULATOR="1", BARRACK_STATE=str(tmp_path / "state.db"))
    async with open_server(settings) as house, Client(house.server) as client:
        await client.call_tool("delete_ssh_key", {"key_id": "1"})
    (record,) = records_at(place)
    assert record == file_at(place)
    assert verify(record).ok
    assert all(line["request"] for line in lines(record))
    assert record.stat().st_mode & 0o077 == 0 or os.name == "nt"


async def test_the_doctor_looks_at_the_records_of_all_hosts(folder: Path, tmp_path: Path) -> None:
    async def told() -> tuple[Verdict, str]:
        settings = set_to(folder, BARRACK_SIMULATOR="1", BARRACK_STATE=str(tmp_path / "state.db"))
        checks = await local.look(settings, Contract(), now=lambda: 1_750_000_000.0)
        (check,) = [each for each in checks if each.name == "audit record"]
        return check.verdict, check.sentence

    verdict, sentence = await told()
    assert verdict is Verdict.WARNING
    assert sentence.startswith("web-2.jsonl: Meant, and without an outcome: delete_volume at ")
    await small(folder / "web-3.jsonl")
    (folder / "web-1.jsonl").write_bytes(b"x\n")
    verdict, sentence = await told()
    assert verdict is Verdict.FAILS
    assert "web-1.jsonl: The audit record is broken at line 1" in sentence
    assert "web-2.jsonl: Meant" in sentence
    for name in ("web-1", "web-2"):
        (folder / f"{name}.jsonl").unlink()
        head(folder / f"{name}.jsonl").unlink()
    verdict, sentence = await told()
    assert (verdict, sentence) == (
        Verdict.OK,
        "All lines of 1 record are as they were written; every intent has its outcome.",
    )
