"""What is past its lease ends: once a machine, whoever reaps and however often, and each is told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from pydantic import SecretStr

from barrack_mcp.account.account import Account, digest_of_key
from barrack_mcp.cli.operator.reap import exit_code, reap_once
from barrack_mcp.config import Settings, SettingsError, read_settings
from barrack_mcp.dispatch.reaping import CLAIM_S, Orders, Reaped, Reaper, keep_reaping, tell, unasked
from barrack_mcp.guard.decide import Policy
from barrack_mcp.server.house import open_server
from barrack_mcp.simulator import create_app
from barrack_mcp.simulator.faults import parse
from barrack_mcp.state.leases import HOUR_S, Leases
from barrack_mcp.state.store import End, Lease, SqliteStore, StoreError
from barrack_mcp.transports.serve import serve
from tests.support.callers import Desk
from tests.support.clock import Clock
from tests.support.guarding import Corridor, guard
from tests.support.house import House, house
from tests.support.patience import PATIENT_S
from tests.support.running import environment, listening

pytestmark = pytest.mark.anyio


def reaper_of(made: House, **policy: Any) -> Reaper:
    """What reaps in a house, by the same state."""
    usual = unasked(Policy(**policy))
    corridor = made.dispatcher
    own = Corridor(
        account=corridor.account,
        surface=corridor.surface,
        guard=guard(store=made.store, now=made.clock, mode=usual.mode, unattended=usual.unattended, **policy),
        writer=corridor.writer,
    )

    async def passing(seconds: float) -> None:
        made.clock.at += seconds
        made.barrack.clock.advance(seconds)

    return Reaper(dispatcher=own, account=corridor.account, sleep=passing)


def leases_of(account: Account) -> Leases:
    assert account.leases is not None
    return account.leases


async def lease(made: House, status: str, *, hours: float = -1) -> str:
    """Give a machine of a state a lease; answers its id."""
    account = made.dispatcher.account
    machine: str = made.thing("instances", status=status)["instance_id"]
    until = made.clock.at + hours * HOUR_S
    await leases_of(account).keep(account.id, machine, until=until, caller="ann", how="set_lease")
    return machine


@asynccontextmanager
async def overdue(status: str = "ACTIVE", **more: Any) -> AsyncIterator[tuple[House, str]]:
    """A house with one machine that is past its lease."""
    async with house(**more) as made:
        yield made, await lease(made, status)


def came(reaped: list[Reaped]) -> list[str]:
    return [each.came for each in reaped]


@pytest.mark.promise("M3")
async def test_what_is_past_its_lease_is_hibernated_once_and_what_is_not_stays() -> None:
    async with overdue() as (made, machine):
        other = await lease(made, "SHUTOFF", hours=1)
        reaper = reaper_of(made)
        (one,) = await reaper.reap(Orders())
        assert (one.came, one.instance, made.effects) == ("done", machine, ["hibernate_instance"])
        assert "the operator lets this run unattended" in one.message
        assert machine in tell(one)
        assert one.fields["lease_ended"] == "1970-01-12T12:46:40Z"
        assert came(await reaper.reap(Orders())) == ["settled"]
        made.barrack.clock.advance(3600)
        assert came(await reaper.reap(Orders())) == ["settled"]
        assert made.effects == ["hibernate_instance"]
        assert made.thing("instances", instance_id=other)["status"] == "SHUTOFF"


@pytest.mark.promise("M3")
@pytest.mark.parametrize(
    ("status", "orders", "expected", "effects"),
    [
        ("ACTIVE", Orders(dry=True), "due", []),
        ("ACTIVE", Orders(delete=True), "done", ["delete_instance"]),
        ("SHUTOFF", Orders(), "refused", []),
        ("SHUTOFF", Orders(dry=True), "refused", []),
        ("SHUTOFF", Orders(start=True, dry=True), "due", []),
        ("SHUTOFF", Orders(start=True), "done", ["start_instance", "hibernate_instance"]),
        ("SHUTOFF", Orders(delete=True), "done", ["delete_instance"]),
        ("HIBERNATED", Orders(), "settled", []),
        ("HIBERNATED", Orders(start=True), "settled", []),
        ("HIBERNATED", Orders(delete=True), "done", ["delete_instance"]),
    ],
)
async def test_what_is_done_goes_by_the_machines_state_and_by_the_orders(
    status: str, orders: Orders, expected: str, effects: list[str]
) -> None:
    async with overdue(status) as (made, _):
        assert came(await reaper_of(made).reap(orders)) == [expected]
        assert made.effects == effects


@pytest.mark.promise("M3")
async def test_what_is_protected_stays_whatever_its_lease() -> None:
    async with overdue() as (made, machine):
        for orders in (Orders(), Orders(delete=True)):
            (one,) = await reaper_of(made, protect=(machine,)).reap(orders)
            assert (one.came, one.failure, "the operator protects this" in one.message) == ("refused", "refused", True)
        assert made.effects == []


@pytest.mark.promise("M3")
@pytest.mark.parametrize("apart", range(0, 60, 6))
async def test_two_reapers_at_once_make_one_effect(apart: int) -> None:
    async with overdue() as (made, _):
        found: list[str] = []

        async def reap(after: int) -> None:
            for _ in range(after):
                await anyio.lowlevel.checkpoint()
            own = Leases(made.store, now=made.clock)
            account = made.dispatcher.account
            other = Account(account.client, account.url, key_digest=account.key_digest, now=made.clock, leases=own)
            found.extend(came(await Reaper(dispatcher=reaper_of(made).dispatcher, account=other).reap(Orders())))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reap, 0)
            tasks.start_soon(reap, apart)
        assert made.effects == ["hibernate_instance"]
        assert found.count("done") == 1
        assert set(found) <= {"done", "busy", "settled"}


DEAD = "gone//1#dead"


class Killed(BaseException):
    """The process is gone at once."""


@dataclass
class Dying:
    """A client whose process is killed at one of its requests, before it is sent or once it has its answer."""

    client: Any
    left: int
    answered: bool
    dead: bool = False

    async def send(self, *args: Any, **more: Any) -> Any:
        self.left -= 1
        if self.left == 0 and not self.answered:
            self.die()
        answer = await self.client.send(*args, **more)
        if self.left == 0:
            self.die()
        return answer

    @property
    def changes(self) -> int:
        return int(self.client.changes)

    def die(self) -> None:
        self.dead = True
        raise Killed


class Mortal(SqliteStore):
    """A state that a process can write to only while it lives; what tidies up after it does not run."""

    client: Dying

    async def swap_lease(self, before: Lease, after: Lease | None) -> bool:
        if self.client.dead:
            raise StoreError("dead")
        return await super().swap_lease(before, after)


@pytest.mark.slow
@pytest.mark.promise("M3")
@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("status", ["ACTIVE", "SHUTOFF"])
async def test_killed_at_each_of_its_requests_and_run_again_each_machine_ends_hibernated_with_one_effect(
    status: str,
    answered: bool,  # noqa: FBT001 - a table's column
    tmp_path: Path,
) -> None:
    for step in range(1, 40):
        path, clock = tmp_path / f"{step}.db", Clock()
        async with (
            SqliteStore(path, now=clock) as store,
            Mortal(path, now=clock) as mortal,
            overdue(status, store=store, clock=clock) as (made, machine),
        ):
            account, reaper = made.dispatcher.account, reaper_of(made)
            client: Any = Dying(account.client, step, answered)
            mortal.client = client
            first = Leases(mortal, now=clock)
            first._owner = DEAD  # noqa: SLF001 - the process that is killed
            dying = replace(account, client=client, leases=first)
            try:
                await replace(reaper, account=dying).reap(Orders(start=True))
            except* Killed:
                assert client.dead
            heir = replace(account, leases=Leases(store, now=clock, gone=lambda owner: owner == DEAD))
            for _ in range(3):
                await replace(reaper, account=heir).reap(Orders(start=True))
                made.barrack.clock.advance(300)
            assert made.thing("instances", instance_id=machine)["status"] == "HIBERNATED"
            assert made.effects.count("hibernate_instance") == 1
            if not client.dead:
                return
    raise AssertionError("it never came to its end")


class Last(SqliteStore):
    """A state to which nothing is written any more once a purchase was sent, as if its process were killed then."""

    killed = False

    async def finish(self, end: End) -> bool:
        if not self.killed:
            self.killed = True
            raise StoreError("killed")
        return await super().finish(end)


@pytest.mark.promise("M3")
async def test_a_machine_whose_purchase_is_the_last_thing_that_its_process_does_is_reaped_by_another() -> None:
    clock = Clock()
    async with Last(":memory:", now=clock) as store, house(unattended=["spend"], store=store, clock=clock) as made:
        bought = await made.call("deploy_instance", **made.good("deploy_instance"), lease_hours=1)
        machine = bought["result"]["data"]["instance_id"]
        clock.at += HOUR_S + 1
        made.barrack.clock.advance(HOUR_S + 1)
        (reaped,) = await reaper_of(made).reap(Orders())
        assert (reaped.came, reaped.lease.instance, store.killed) == ("done", f"={reaped.name}", True)
        made.barrack.clock.advance(300)
        assert made.thing("instances", instance_id=machine)["status"] == "HIBERNATED"


@pytest.mark.slow
@pytest.mark.promise("M3")
async def test_real_processes_killed_and_run_two_at_once_make_one_effect_and_tell_it(tmp_path: Path) -> None:
    app = create_app(now=lambda: 0.0)
    barrack = app.state.barrack
    async with listening(app) as address:
        settings = environment(
            BARRACK_API_URL=f"{address}/api",
            BARRACK_API_KEY="sim-key",
            BARRACK_STATE=str(tmp_path / "state.db"),
            BARRACK_AUDIT=str(tmp_path / "audit.jsonl"),
        )
        account = f"{address}/api {digest_of_key(SecretStr('sim-key'))}"
        machine = next(each["instance_id"] for each in barrack.state()["instances"] if each["status"] == "ACTIVE")
        async with SqliteStore(tmp_path / "state.db") as store:
            await Leases(store).keep(account, machine, until=1.0, caller="ann", how="set_lease")

        def start() -> subprocess.Popen[str]:
            command = [sys.executable, "-m", "barrack_mcp", "reap", "--json"]
            return subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        async def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
            said, wrong = await anyio.to_thread.run_sync(process.communicate)
            assert not wrong or process.returncode, wrong
            return process.returncode, [each["outcome"] for each in json.loads(said)]

        with anyio.fail_after(PATIENT_S):
            barrack.faults.replace(parse([{"method": "POST", "path": "*", "times": 1, "action": "stall"}]))
            killed = start()
            while not any(each["method"] == "POST" for each in barrack.requests):  # noqa: ASYNC110 - its thread tells nobody
                await anyio.sleep(0.05)
            killed.kill()
            await anyio.to_thread.run_sync(killed.communicate)
            assert not barrack.journal
            barrack.faults.replace([])
            one, other = start(), start()
            found = [await ended(one), await ended(other)]
        assert [each["operation"] for each in barrack.journal] == ["hibernate_instance"]
        outcomes = sorted(outcome for _, (outcome,) in found)
        assert "done" in outcomes
        assert set(outcomes) <= {"done", "busy", "settled"}
        assert {code for code, _ in found} == {0}
    rows = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text(encoding="utf-8").splitlines()]
    meant = [row for row in rows if row["kind"] == "intent"]
    assert {(row["caller"], row["tool"], row["confirmed"]) for row in meant} == {
        ("reap", "hibernate_instance", "unattended")
    }


@pytest.mark.promise("M3")
@pytest.mark.parametrize("after_effect", [True, False])
async def test_what_has_no_answer_is_looked_up_and_ends_with_one_effect(after_effect: bool) -> None:  # noqa: FBT001 - a table's column
    async with overdue() as (made, _):
        made.play(
            {"method": "POST", "path": "*", "times": 9, "action": "status", "status": 502, "after_effect": after_effect}
        )
        assert came(await reaper_of(made).reap(Orders())) == ["done" if after_effect else "unknown"]
        made.play()
        assert came(await reaper_of(made).reap(Orders())) == ["settled" if after_effect else "done"]
        assert made.effects == ["hibernate_instance"]


async def test_a_machine_that_another_reaper_holds_is_left_to_it_until_its_time_is_over() -> None:
    async with overdue() as (made, machine):
        other = Leases(made.store, now=made.clock)
        found = await other.find(made.dispatcher.account.id, machine)
        assert found is not None
        await other.claim(found, seconds=CLAIM_S)
        assert came(await reaper_of(made).reap(Orders())) == ["busy"]
        assert made.effects == []
        made.clock.at += CLAIM_S
        assert came(await reaper_of(made).reap(Orders())) == ["done"]


@pytest.mark.parametrize("dry", [True, False])
async def test_the_lease_of_a_machine_that_is_gone_goes_too(dry: bool) -> None:  # noqa: FBT001 - a table's column
    async with house() as made:
        account = made.dispatcher.account
        await leases_of(account).keep(account.id, "BRK-999999D", until=made.clock.at, caller="ann", how="set_lease")
        assert came(await reaper_of(made).reap(Orders(dry=dry))) == ["gone"]
        assert len(await leases_of(account).all(account.id)) == (1 if dry else 0)


@pytest.mark.parametrize("fault", [{"action": "status", "status": 500}, {"action": "truncate"}])
async def test_no_lease_goes_because_its_machine_could_not_be_read(fault: dict[str, Any]) -> None:
    async with overdue() as (made, machine):
        made.play({"method": "GET", "path": f"/instances/{machine}/", "times": 99, **fault})
        assert came(await reaper_of(made).reap(Orders())) == ["failed"]
        made.play()
        account = made.dispatcher.account
        assert await leases_of(account).find(account.id, machine) is not None
        assert made.effects == []


async def test_a_machine_that_was_bought_without_an_answer_is_ended_by_its_name() -> None:
    async with house() as made:
        account, row = made.dispatcher.account, made.thing("instances", status="ACTIVE")
        name = f"={row['vm_name']}"
        await leases_of(account).keep(account.id, name, until=made.clock.at, caller="ann", how="deploy_instance")
        (one,) = await reaper_of(made).reap(Orders())
        assert (one.came, one.instance) == ("done", row["instance_id"])


async def test_a_serving_process_reaps_at_once_and_then_again_whatever_went_wrong() -> None:
    async with overdue() as (made, machine):
        slept: list[float] = []

        async def passing(seconds: float) -> None:
            slept.append(seconds)
            made.play()
            if len(slept) == 3:
                await anyio.sleep_forever()

        made.play({"method": "GET", "path": "/instances/", "times": 99, "action": "status", "status": 500})
        with anyio.move_on_after(2) as time:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(keep_reaping, lambda: [nullcontext(reaper_of(made))], 60.0, sleep=passing))
                while len(slept) < 3:
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        assert not time.cancelled_caught
        assert (slept, made.effects) == ([60.0] * 3, ["hibernate_instance"])
        assert made.thing("instances", instance_id=machine)["status"] == "HIBERNATING"


@pytest.mark.parametrize(
    ("transport", "settings", "why"),
    [("stdio", Settings(), "over stdio the client ends"), ("http", Settings(read_only=True), "BARRACK_READ_ONLY")],
)
async def test_a_server_that_can_not_keep_leases_does_not_start(transport: Any, settings: Settings, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        await serve(settings, transport, host="127.0.0.1", port=1, reap_every=5)


def test_the_exit_code_is_that_of_the_gravest_outcome() -> None:
    lease = Lease(account="a", instance="i", since=0, until=1, hours=None, set_by="ann", set_at=0, how="set_lease")

    def reaped(came: Any, failure: str) -> Reaped:
        return Reaped(instance="i", name=None, status=None, lease=lease, came=came, message="", failure=failure)

    done, unknown = reaped("done", ""), reaped("unknown", "unknown")
    refused, failed = reaped("refused", "refused"), reaped("failed", "rejected")
    assert [exit_code(each) for each in ([], [done], [done, refused], [refused, failed], [failed, unknown])] == [
        0, 0, 5, 1, 6,
    ]  # fmt: skip


async def test_from_a_shell_each_account_that_callers_have_is_reaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app, desk, keys = create_app(now=lambda: 0.0), Desk(tmp_path / "callers.toml"), tmp_path / "keys.toml"
    desk.let_in("eve")
    keys.write_text('eve = "sim-key-eur"\n', encoding="utf-8")
    keys.chmod(0o600)
    async with listening(app) as address:
        async with SqliteStore(tmp_path / "state.db") as store:
            for key in ("sim-key", "sim-key-eur"):
                rows = app.state.barrack.world(key).instances.values()
                machine = next(each.id for each in rows if each.status == "ACTIVE")
                account = f"{address}/api {digest_of_key(SecretStr(key))}"
                await Leases(store).keep(account, machine, until=1.0, caller="ann", how="set_lease")
        given = {
            "BARRACK_API_URL": f"{address}/api",
            "BARRACK_API_KEY": "sim-key",
            "BARRACK_STATE": str(tmp_path / "state.db"),
            "BARRACK_HTTP_TOKENS_FILE": str(desk.path),
            "BARRACK_KEYS_FILE": str(keys),
        }
        assert await reap_once(read_settings(given), Orders(), as_json=True) == 0
    assert [each["outcome"] for each in json.loads(capsys.readouterr().out)] == ["done", "done"]


async def test_a_key_that_comes_into_the_file_is_reaped_by_from_then_on_and_one_taken_out_no_more(
    tmp_path: Path,
) -> None:
    desk, keys = Desk(tmp_path / "callers.toml"), tmp_path / "keys.toml"
    desk.let_in("eve")
    given = {
        "BARRACK_SIMULATOR": "1",
        "BARRACK_STATE": str(tmp_path / "state.db"),
        "BARRACK_HTTP_TOKENS_FILE": str(desk.path),
        "BARRACK_KEYS_FILE": str(keys),
        "BARRACK_KEYS_FROM_CALLERS": "1",
    }
    keys.write_text("", encoding="utf-8")
    keys.chmod(0o600)
    async with open_server(read_settings(given), remote=True) as made:

        async def accounts() -> list[tuple[str, bool]]:
            found = []
            for opening in made.reapers():
                async with opening as reaper:
                    found.append((reaper.account.key_digest, reaper.account.brought))
            return found

        shared = (digest_of_key(SecretStr("sim-key")), False)
        async with made.accounts.of(SecretStr("sim-key-inr")) as brought:
            assert (await accounts(), brought.brought) == ([shared], True)
        keys.write_text('eve = "sim-key-eur"\nbob = "sim-key"\n', encoding="utf-8")
        assert await accounts() == [shared, (digest_of_key(SecretStr("sim-key-eur")), False)]
        keys.write_text("nonsense", encoding="utf-8")
        assert await accounts() == [shared]


async def test_where_nothing_is_overdue_nothing_is_read() -> None:
    async with house() as made:
        await lease(made, "ACTIVE", hours=1)
        made.barrack.requests.clear()
        assert (await reaper_of(made).reap(Orders()), made.sent) == ([], [])


async def test_a_state_that_can_not_be_written_ends_nothing() -> None:
    class Full(SqliteStore):
        full = False

        async def swap_lease(self, before: Lease, after: Lease | None) -> bool:
            if self.full:
                raise StoreError("full")
            return await super().swap_lease(before, after)

    clock = Clock()
    async with Full(":memory:", now=clock) as store, overdue(store=store, clock=clock) as (made, _):
        store.full = True
        (one,) = await reaper_of(made).reap(Orders())
        assert (one.came, made.effects) == ("failed", [])
