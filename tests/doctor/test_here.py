"""What is looked at on this machine: settings, the state's folder, the audit record, the ledger, the key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.overrides import OperationOverride, Overrides
from barrack_mcp.cli.doctor import Check, Verdict, local
from barrack_mcp.config import Settings
from barrack_mcp.dispatch.writes.ledger import Ledger, digest_of
from barrack_mcp.state.audit import Audit
from barrack_mcp.state.store import SqliteStore
from tests.audit.record import MEANT, small
from tests.doctor.asking import CANARY, check, examined, settings
from tests.support.booking import begun

pytestmark = pytest.mark.anyio

NOON = 1_750_000_000.0


async def looked(chosen: Settings, contract: Contract | None = None) -> dict[str, Check]:
    return {each.name: each for each in await local.look(chosen, contract or Contract(), now=lambda: NOON)}


async def test_settings_are_told_by_name_and_never_by_value(tmp_path: Path) -> None:
    chosen = settings(tmp_path, "http://127.0.0.1:9", state_keys="k" * 40, protect="prod-*")
    contract = Contract(Overrides(operations={"get_volume": OperationOverride(path="/v/{volume_id}")}))
    told = (await looked(chosen, contract=contract))["settings"].sentence
    assert "BARRACK_PROTECT" in told
    assert "Operations that the contract overrides: 1." in told
    assert not [secret for secret in (CANARY, "kkkk", "prod-*") if secret in told]
    assert (await looked(Settings()))["settings"].sentence == "All as shipped."


async def test_a_state_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    folder = (await looked(settings(tmp_path)))["state folder"]
    assert folder.verdict is Verdict.OK
    assert "is made when it is needed" in folder.sentence
    assert not (tmp_path / "state").exists()


async def test_a_state_folder_that_can_not_be_is_said_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for state in (tmp_path / "file" / "state.db", tmp_path / "file" / "deeper" / "state.db"):
        chosen = settings(tmp_path, state=str(state))
        folder = (await looked(chosen))["state folder"]
        assert (folder.verdict, folder.code) == (Verdict.FAILS, 2)
        assert "BARRACK_STATE" in folder.mend
    report = await examined(settings(tmp_path, state=str(tmp_path / "file" / "state.db"), simulator="1"))
    assert report.exit_code == 2
    assert report.diagnosis.startswith(f"{tmp_path / 'file'} can't be written. Set BARRACK_STATE")


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
async def test_what_others_can_read_or_write_is_a_warning(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    async with SqliteStore(chosen.state_file) as store:
        await store.changes()
    assert (await looked(chosen))["state folder"].verdict is Verdict.OK
    (chosen.state_folder / "seal.key").write_text("x")
    (chosen.state_folder / "seal.key").chmod(0o644)
    folder = (await looked(chosen))["state folder"]
    assert folder.verdict is Verdict.WARNING
    assert "Others on this machine can read seal.key" in folder.sentence
    (chosen.state_folder / "seal.key").chmod(0o600)
    chosen.state_folder.chmod(0o777)
    assert "can write" in (await looked(chosen))["state folder"].sentence


async def test_the_users_name_is_not_in_what_may_be_shown_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert (await looked(settings(tmp_path)))["state folder"].sentence.startswith("~/state ")


@pytest.mark.promise("P1")
async def test_an_intent_without_an_outcome_is_reported_and_fails_nothing(tmp_path: Path) -> None:
    record = tmp_path / "audit.jsonl"
    await (await small(record)).intent(**MEANT)
    report = await examined(settings(tmp_path, simulator="1", audit=str(record)))
    audit = check(report, "audit record")
    assert audit.verdict is Verdict.WARNING
    assert "Meant, and without an outcome: delete_instance at 2025-06-15T15:06:40" in audit.sentence
    assert f"(process {os.getpid()})" in audit.sentence
    assert "local:1000" not in audit.sentence
    assert "Worth a look: audit record." in report.diagnosis
    assert report.exit_code == 0


async def test_many_intents_without_an_outcome_are_counted(tmp_path: Path) -> None:
    record = tmp_path / "audit.jsonl"
    for _ in range(7):
        await Audit(record, now=lambda: NOON).intent(**MEANT)
    assert (await looked(settings(tmp_path, audit=str(record))))["audit record"].sentence.endswith("and 2 more.")


async def test_a_whole_record_is_well_and_a_broken_one_fails(tmp_path: Path) -> None:
    record = tmp_path / "audit.jsonl"
    await small(record)
    assert (await looked(settings(tmp_path, audit=str(record))))["audit record"].verdict is Verdict.OK
    record.write_bytes(record.read_bytes().replace(b"Deleted", b"deleted"))
    audit = (await looked(settings(tmp_path, audit=str(record))))["audit record"]
    assert (audit.verdict, audit.code) == (Verdict.FAILS, 1)
    assert "broken at line 2" in audit.sentence


async def test_a_record_that_can_not_be_read_is_said(tmp_path: Path) -> None:
    chosen = settings(tmp_path, audit=str(tmp_path / "folder"))
    (tmp_path / "folder" / "web-1.jsonl").mkdir(parents=True)
    audit = (await looked(chosen))["audit record"]
    assert audit.verdict is Verdict.FAILS


async def test_a_huge_record_is_left_to_its_own_command(tmp_path: Path) -> None:
    record = tmp_path / "audit.jsonl"
    with record.open("wb") as file:
        file.truncate(60_000_000)
    audit = (await looked(settings(tmp_path, audit=str(record))))["audit record"]
    assert audit.verdict is Verdict.UNTRIED
    assert "barrack-mcp audit verify" in audit.mend


async def test_calls_of_which_nobody_knows_what_became_are_listed(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    async with SqliteStore(chosen.state_file, now=lambda: NOON) as store:
        ledger = Ledger(store, now=lambda: NOON - 1000)
        for number in range(6):
            digest = digest_of("create_volume", {"number": number}, "account")
            entry = await begun(ledger, digest, "create_volume", {}, ("list_volumes", {}), "account")
            await ledger.close(entry, "unknown")
        busy = Ledger(store, now=lambda: NOON, gone=lambda _: False)
        await begun(busy, "d", "deploy_instance", {}, ("list_instances", {}), "account")
    found = (await looked(chosen))["ledger"]
    assert found.verdict is Verdict.WARNING
    assert "create_volume at 2025-06-15 14:50:00 UTC (look with list_volumes)" in found.sentence
    assert "and 1 more" in found.sentence
    assert "deploy_instance" not in found.sentence


async def test_a_state_without_open_calls_is_well_and_one_that_is_none_fails(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    async with SqliteStore(chosen.state_file) as store:
        await store.changes()
    assert (await looked(chosen))["ledger"].sentence == "No call is open."
    chosen.state_file.write_bytes(b"nonsense" * 1000)
    ledger = (await looked(chosen))["ledger"]
    assert (ledger.verdict, ledger.code) == (Verdict.FAILS, 2)


async def test_a_key_with_something_before_it_is_a_warning(tmp_path: Path) -> None:
    found = (await looked(settings(tmp_path, "http://127.0.0.1:9", api_key=f"Bearer {CANARY}")))["key"]
    assert found.verdict is Verdict.WARNING
    assert CANARY not in found.sentence


async def test_a_key_from_a_file_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(CANARY)
    (tmp_path / "key").chmod(0o600)
    found = (await looked(settings(tmp_path, api_key_file=str(tmp_path / "key"))))["key"]
    assert found.sentence == "It comes from a file."


async def test_a_record_that_is_off_is_said_to_be(tmp_path: Path) -> None:
    assert (await looked(settings(tmp_path, audit="off", read_only="1")))["audit record"].sentence.startswith(
        "It is off"
    )


async def test_that_more_can_be_learned_is_told_and_fails_nothing(tmp_path: Path) -> None:
    told = await looked(settings(tmp_path))
    assert told["contract"].verdict is Verdict.OK
    assert "barrack-mcp contract learn" in told["contract"].sentence
    assert "contract" not in await looked(settings(tmp_path, simulator="1"))
