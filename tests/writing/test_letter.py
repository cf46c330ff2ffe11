"""What is written down of a write, to the letter: in the ledger, in the record, and in what is told of it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import anyio
import httpx2
import pytest

from barrack_mcp.catalogue import BY_TOOL, JsonObject, Risk
from barrack_mcp.catalogue.outcome import Cost, LookWith, Plan
from barrack_mcp.dispatch.witness import note_shown, witness
from barrack_mcp.dispatch.writes.booking import HeldBackError
from barrack_mcp.dispatch.writes.ledger import Entry, Held, Ledger, Why, digest_of
from barrack_mcp.dispatch.writes.looking.look import look, look_with, note
from barrack_mcp.dispatch.writes.replaced import in_pieces
from barrack_mcp.dispatch.writes.sent import Done, NotDone, Sent, Unknown, Unsent, hold_back
from barrack_mcp.dispatch.writes.writer import broke_off
from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.guard.ruling.call import Caller
from barrack_mcp.guard.ruling.ruling import Passed, Shown, Stopped, digest
from barrack_mcp.guard.turns import Turns
from barrack_mcp.state.audit import Audit
from barrack_mcp.state.store import End, SqliteStore, Standing, Start, StoreError
from tests.audit.record import lines
from tests.looking.scripted import ID, SENT_AT, Script, vm
from tests.support import booking
from tests.support.answers import Answers, dispatcher, in_turn
from tests.support.answers import json as answered
from tests.support.clock import Clock
from tests.support.guarding import Corridor, writer
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

ACCOUNT = "https://barrack.example/api 5e1f"
VOLUME = {"name": "data-1", "size_gb": 100, "region": "CANADA-1", "tier": "legacy", "volume_type": "SSD"}
FIREWALL = {"name": "edge", "region": "CANADA-1"}
PLAN = Plan(summary="«train-1» would stop.", risk=Risk.INTERRUPT, target={"type": "instance", "id": "BRK-1D"})


class Noting(SqliteStore):
    """Remembers what became of each entry."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(":memory:", now=clock)
        self.became: list[Entry] = []

    async def swap_entry(self, before: Entry, after: Entry) -> bool:
        self.became.append(after)
        return await super().swap_entry(before, after)

    async def finish(self, end: End) -> bool:
        self.became += [] if end.entry is None else [end.entry[1]]
        return await super().finish(end)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


async def begun(ledger: Ledger, tool: str = "create_volume", look_tool: str = "list_volumes") -> Entry:
    return await booking.begun(ledger, digest_of(tool, VOLUME, ACCOUNT), tool, VOLUME, (look_tool, {}), ACCOUNT)


# --- the ledger


async def test_one_look_settles_all_that_it_shows_and_passes_over_the_rest(clock: Clock) -> None:
    async with Noting(clock) as store:
        ledger = Ledger(store, now=clock)
        for tool, look_tool in (
            ("create_firewall", "list_firewalls"),
            ("create_volume", "list_volumes"),
            ("clone_volume", "list_volumes"),
        ):
            await ledger.close(await begun(ledger, tool, look_tool), "unknown")
            clock.at += 1
        assert await ledger.looked(ACCOUNT, "list_volumes", {}, read_at=clock.at) == 2
        assert [entry.tool for entry in await ledger.open_entries()] == ["create_firewall"]
        assert {(after.standing, after.since, after.outcome) for after in store.became[3:]} == {
            (Standing.LOOKED, clock.at, "unknown")
        }
        assert await ledger.looked(ACCOUNT, "get_pricing", {}, read_at=clock.at) == 0


@pytest.mark.parametrize("outcome", ["done", "failed", "unknown"])
async def test_an_entry_says_what_came_of_it(clock: Clock, outcome: Any) -> None:
    async with Noting(clock) as store:
        await Ledger(store, now=clock).close(await begun(Ledger(store, now=clock)), outcome)
        assert [after.outcome for after in store.became] == [outcome]


async def test_a_read_sent_at_the_same_moment_as_a_call_that_is_nobodys_any_more_settles_it(clock: Clock) -> None:
    async with Noting(clock) as store:
        entry = await begun(Ledger(store, now=clock))
        after_crash = Ledger(store, now=clock, gone=lambda _: True)
        assert await after_crash.looked(ACCOUNT, "list_volumes", {}, read_at=entry.sent_at - 1) == 0
        assert await after_crash.looked(ACCOUNT, "list_volumes", {}, read_at=entry.sent_at) == 1
        assert [(after.standing, after.outcome) for after in store.became] == [(Standing.LOOKED, "unknown")]


async def test_a_call_that_was_kept_by_a_store_that_then_broke_is_not_taken_for_one_under_way(clock: Clock) -> None:
    class Breaking(SqliteStore):
        async def begin(self, start: Start) -> NoReturn:
            await super().begin(start)
            raise StoreError("gone")

    async with Breaking(":memory:", now=clock) as store:
        ledger = Ledger(store, now=clock)
        with pytest.raises(StoreError):
            await begun(ledger)
        held = await booking.held(ledger, digest_of("create_volume", VOLUME, ACCOUNT))
        assert isinstance(held, Held)
        assert held.why is Why.UNKNOWN


# --- looking


async def test_a_first_page_that_shows_it_is_all_that_is_read() -> None:
    rows = [{"volume_id": f"V-{at}", "volume_name": f"v-{at}", "size_gb": 100} for at in range(100)]
    new = {"volume_id": "V-new", "volume_name": "data-1", "created_at": "1970-01-01T00:16:41Z", "size_gb": 100}
    script = Script(
        {
            "list_volumes": [{"volumes": rows, "total": 900}, {"volumes": [new, *rows[1:]], "total": 900}],
            "get_pricing": {"pricing_data": {"metadata": {"timestamp": 1_002}}},
        }
    )
    create = BY_TOOL["create_volume"]
    before = await note(create, VOLUME, read=script)
    looked = await look(create, VOLUME, before=before, sent_at=SENT_AT, read=script, now=lambda: 1_002)
    assert looked.outcome == "done"
    assert [tool for tool, _ in script.reads] == ["list_volumes", "list_volumes", "get_pricing"]


class Unheard:
    """A sign of no kind that there is."""

    arguments = ()


async def test_what_nobody_can_look_at_or_judge_is_an_error_that_names_it() -> None:
    with pytest.raises(AssertionError, match="list_volumes"):
        look_with(BY_TOOL["list_volumes"], {})

    sign: Any = Unheard()
    odd = replace(BY_TOOL["stop_instance"], sign=sign)
    script = Script({"get_instance": vm()})
    before = await note(odd, ID, read=script)
    with pytest.raises(AssertionError, match="Unheard"):
        await look(odd, ID, before=before, sent_at=SENT_AT, read=script)


# --- sending


def desk(transport: Answers, path: Path | None, clock: Clock, store: SqliteStore | None = None) -> Corridor:
    """Where writes are sent by a clock that stands still."""
    store = store or SqliteStore(":memory:", now=clock)
    record = None if path is None else Audit(path)
    sends = writer(ledger=Ledger(store, now=clock), audit=record, now=clock, sleep=clock.sleep)
    return dispatcher(transport, writer=sends)


async def sent(
    made: Corridor, tool: str, values: JsonObject, *, clock: Clock, late: float = 0, approval: str | None = None
) -> Sent:
    async with SqliteStore(":memory:", now=clock) as store:
        turn = await Turns(store, now=clock, hold=10).take("a")
        clock.at += late
        passed = Passed("unattended", turn, approval=approval)
        booked = made.writer.book(BY_TOOL[tool], values, made.caller)
        await booked.begin(turn)
        told = await made.writer.send(booked, passed)
        await booked.drop()
        await turn.give_back()
        return told


async def test_what_the_api_says_of_a_success_is_cited_and_cut_else_it_is_accepted() -> None:
    operation = BY_TOOL["create_firewall"]
    assert Done({"message": "Made."}).words(operation) == "Barrack says «Made.»."
    assert Done({}).words(operation) == "Create firewall: accepted."
    assert Done({"message": "Made."}, "Seen.").words(operation) == "Seen."
    long = Done({"message": "word " * 300}).words(operation)
    assert 300 < len(long) < 450


async def test_the_record_of_a_success_holds_its_time_and_no_name_of_a_request_that_none_was_given(
    path: Path, clock: Clock
) -> None:
    async def slowly() -> httpx2.Response:
        clock.at += 2
        return answered({"success": True, "message": "Made.", "firewall": {"id": "F-1"}})

    store = Noting(clock)
    made = desk(Answers(in_turn(answered({"firewalls": [], "total": 0}), slowly)), path, clock, store)
    told = await sent(made, "create_firewall", FIREWALL, clock=clock, approval="ap-1")
    assert isinstance(told, Done)
    intent, outcome = lines(path)
    assert (intent["approval"], intent["arguments"], "replaced" in intent) == ("ap-1", FIREWALL, False)
    assert (outcome["outcome"], outcome["message"]) == ("done", "Barrack says «Made.».")
    assert (outcome["seconds"], outcome["request_id"], outcome["status"]) == (2, None, 200)
    assert [after.outcome for after in store.became] == ["done"]


async def test_the_text_that_is_overwritten_is_in_the_record_and_told(path: Path, clock: Clock) -> None:
    old = "#!/bin/sh\necho old\n"
    script = {"success": True, "script": {"id": "SCR-1", "name": "boot", "script": old}}
    made = desk(Answers(answered(script)), path, clock)
    told = await sent(made, "update_startup_script", {"script_id": "SCR-1", "script": "new"}, clock=clock)
    assert isinstance(told, Done)
    assert told.replaced == old
    assert told.before == script["script"]
    assert lines(path)[0]["replaced"] == in_pieces(old)


async def test_a_name_stays_in_the_record_even_where_a_secret_repeats_it(path: Path, clock: Clock) -> None:
    name = "trainer-of-the-house"
    values = {
        "name": name, "tier": "legacy", "region": "CANADA-1", "gpu_model": "RTX-A6000", "gpu_count": 1,
        "boot_source": "os_image", "ssh_key_ids": ["KEY-1"], "os_image": "Ubuntu",
        "cloud_init": f"#cloud-config\n{name}\nswordfish-of-the-house\n",
    }  # fmt: skip
    said = {"success": True, "message": f"Made {name} with swordfish-of-the-house.", "request_id": "r-1"}
    made = desk(Answers(answered(said)), path, clock)
    assert isinstance(await sent(made, "deploy_instance", values, clock=clock), Done)
    outcome = lines(path)[1]
    assert f"Made {name} with" in outcome["message"]
    assert "swordfish" not in outcome["message"]
    assert outcome["request_id"] == "r-1"


async def test_what_waited_too_long_is_not_sent_and_leaves_a_line_and_nothing_open(path: Path, clock: Clock) -> None:
    answers = Answers(answered({"firewalls": [], "total": 0}))
    store = Noting(clock)
    made = desk(answers, path, clock, store)
    told = await sent(made, "create_firewall", FIREWALL, clock=clock, late=1_000)
    assert isinstance(told, Unsent)
    assert {request.method for request in answers.requests} == {"GET"}
    outcome = lines(path)[1]
    assert (outcome["outcome"], outcome["status"], outcome["attempts"], outcome["seconds"]) == ("refused", None, 0, 0)
    assert await store.open_entries() == []
    assert [after.outcome for after in store.became] == ["failed"]


@pytest.mark.parametrize(
    ("tool", "answer", "came"),
    [
        ("create_firewall", answered({"detail": "No."}, 400), (NotDone, "failed")),
        ("create_firewall", httpx2.ConnectError("no route"), (NotDone, "refused")),
        (
            "bulk_delete_startup_scripts",
            answered({"success": True, "deleted_count": 1, "failed": [{"id": "S-2", "error": "busy"}]}),
            (Done, "failed"),
        ),
    ],
    ids=["refused by the API", "never reached it", "partly done"],
)
async def test_the_record_tells_what_failed_from_what_never_left(
    tool: str, answer: Any, came: tuple[type[Any], str], path: Path, clock: Clock
) -> None:
    class Writes(Answers):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            self.default = answered({"firewalls": [], "scripts": [], "total": 0}) if request.method == "GET" else answer
            return await super().handle_async_request(request)

    values: JsonObject = FIREWALL if tool == "create_firewall" else {"script_ids": ["S-1", "S-2"]}
    told = await sent(desk(Writes(), path, clock), tool, values, clock=clock)
    assert (type(told), lines(path)[1]["outcome"]) == came


class Losing(Answers):
    """Loses the answer of a write; of the list of volumes it shows what it is told to, and what was made."""

    def __init__(self, *made: JsonObject, total: int = 0, timestamp: int = 0) -> None:
        super().__init__()
        self.made, self.total, self.timestamp = made, total, timestamp
        self.lost = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "GET":
            self.lost += 1
            self.default = httpx2.ReadError("reset")
        elif "pricing" in request.url.path:
            self.default = answered({"pricing_data": {"metadata": {"timestamp": self.timestamp}}})
        else:
            rows = list(self.made) if self.lost else []
            self.default = answered({"volumes": rows, "total": max(self.total, len(rows))})
        return await super().handle_async_request(request)


ROW = {"volume_id": "V-1", "volume_name": "data-1", "size_gb": 100, "region": "CANADA-1", "tier": "legacy"}


async def test_a_lost_answer_is_looked_up_and_what_is_seen_takes_its_place(clock: Clock) -> None:
    told = await sent(desk(Losing(ROW), None, clock), "create_volume", VOLUME, clock=clock)
    assert isinstance(told, Done)
    assert "V-1" in json.dumps(told.data)


async def test_what_is_not_seen_is_unknown_with_why_no_answer_came_and_the_looks_wait_by_our_own_clock(
    clock: Clock,
) -> None:
    losing = Losing()
    told = await sent(desk(losing, None, clock), "create_volume", VOLUME, clock=clock)
    assert isinstance(told, Unknown)
    assert told.error is not None
    assert told.error.uncertain
    assert clock.slept == [1, 2]
    assert losing.lost == 1


async def test_what_was_made_a_minute_before_the_call_is_not_taken_for_what_it_made(clock: Clock) -> None:
    earlier = ROW | {"created_at": "1970-01-12T13:45:40Z"}
    losing = Losing(earlier, total=900, timestamp=int(clock.at))
    told = await sent(desk(losing, None, clock), "create_volume", VOLUME, clock=clock)
    assert isinstance(told, Unknown)
    assert any("pricing" in request.url.path for request in losing.requests)


async def test_what_is_still_open_is_held_back_before_anybody_is_asked(clock: Clock) -> None:
    made = desk(Losing(), None, clock)
    create = BY_TOOL["create_volume"]
    assert await made.writer.book(create, VOLUME, made.caller).look_up(()) is None
    await sent(made, "create_volume", VOLUME, clock=clock)
    with pytest.raises(HeldBackError) as raised:
        await made.writer.book(create, VOLUME, made.caller).look_up(())
    held = hold_back(raised.value.held)
    assert "nobody knows whether it took place" in held.sentence
    assert held.look_with == look_with(create, VOLUME)
    assert await made.writer.book(BY_TOOL["stop_instance"], ID, made.caller).look_up(()) is None


async def test_an_error_of_ours_names_the_tool_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    told = broke_off(BY_TOOL["create_volume"], LookWith(tool="list_volumes", arguments={}))
    assert "create_volume" in caplog.text
    assert "list_volumes" in told


# --- finishing


def opening(event: anyio.Event, done: list[str], name: str) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        await event.wait()
        done.append(name)

    return work


async def test_the_end_waits_for_all_writes_that_are_under_way() -> None:
    done: list[str] = []
    first, second = anyio.Event(), anyio.Event()
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            sends = writer(tasks=tasks)

            async def end() -> None:
                await sends.drain()
                done.append("end")

            tasks.start_soon(sends.finish, opening(first, done, "first"))
            tasks.start_soon(sends.finish, opening(second, done, "second"))
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(end)
            for event in (first, second):
                await anyio.wait_all_tasks_blocked()
                event.set()
    assert done == ["first", "second", "end"]


async def test_a_write_goes_on_to_its_end_where_all_is_cancelled() -> None:
    done: list[str] = []
    event = anyio.Event()
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(writer().finish, opening(event, done, "write"))
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
                event.set()
    assert done == ["write"]


async def test_an_error_that_is_waited_for_is_not_logged_as_one_that_nobody_waits_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def breaks() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await writer().finish(breaks)
    assert "nobody waits" not in caplog.text


# --- what was shown, and who said what


@pytest.mark.promise("G22")
async def test_a_refusal_bears_the_digest_of_what_was_shown_else_of_what_is_so_now(path: Path, clock: Clock) -> None:
    made = desk(Answers(), path, clock)
    stop = BY_TOOL["stop_instance"]
    for shown in ("d" * 64, None):
        await made.writer.decided(stop, ID, Caller("local:0", made.account), Stopped("No.", PLAN, shown=shown))
    assert [line["plan"] for line in lines(path)] == ["d" * 64, digest(PLAN)]


@pytest.mark.promise("G22")
async def test_a_persons_answer_is_recorded_with_who_gave_it_and_the_plan_it_was_given_to(
    path: Path, clock: Clock
) -> None:
    async with SqliteStore(":memory:", now=clock) as store:
        approvals = Approvals(store, ttl=600, now=clock, witness=witness(Audit(path)))
        asked = await approvals.request(
            binding="b", caller="local:0", tool="stop_instance", arguments=ID, plan=PLAN.model_dump(mode="json"),
            must_type=None, fingerprint="f",
        )  # fmt: skip
        await approvals.deny(asked.id, by="ann")
    (line,) = lines(path)
    assert (line["approval"], line["answer"], line["by"], line["plan"]) == (asked.id, "denied", "ann", digest(PLAN))


@pytest.mark.promise("G22")
@pytest.mark.parametrize("by", ["question", "request"])
async def test_what_a_person_is_asked_is_recorded_whole_and_without_what_the_call_holds_in_secret(
    by: str, path: Path
) -> None:
    secret, name = "swordfish-of-the-house", "trainer-of-the-house"
    deploy = BY_TOOL["deploy_instance"]
    plan = Plan(
        summary=f"«{name}» would be made.",
        risk=Risk.SPEND,
        target={"type": "instance", "name": name},
        cost=Cost(currency="USD", hourly_after=0.5),
        runs=[f"cloud-init: {secret}"],
    )
    question = f"Make «{name}», which runs {secret}?" if by == "question" else None
    approval = "ap-1" if by == "request" else None
    values = {"name": name, "cloud_init": f"#cloud-config\n{name}\n{secret}\n", "gpu_count": 1}
    await note_shown(Audit(path))(Shown(deploy, values, "local:7", plan, question=question, approval=approval))
    (line,) = lines(path)
    assert (line["kind"], line["caller"], line["tool"], line["risk"]) == ("shown", "local:7", deploy.tool, "spend")
    assert (line["plan"], line["approval"]) == (digest(plan), approval)
    assert line["arguments"]["name"] == name
    assert line["arguments"]["cloud_init"] != values["cloud_init"]
    assert line["shown"]["summary"] == plan.summary
    assert line["shown"]["target"] == plan.target
    assert line["shown"].keys() == plan.model_dump(exclude_none=True).keys()
    assert line["shown"]["cost"] == {"currency": "USD", "hourly_after": 0.5}
    assert line["question"] is None if question is None else line["question"].startswith(f"Make «{name}», which")
    assert secret not in path.read_text(encoding="ascii")
