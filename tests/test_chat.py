"""What a chat is told: each thing once, whoever asked or decided, in words that nothing can turn into a link."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from pydantic import SecretStr

from barrack_mcp.config import Settings
from barrack_mcp.guard.approvals import Approval, Approvals, Status
from barrack_mcp.server.chat.forms import Form, form_for, write_message
from barrack_mcp.server.chat.notes import Came, Event, Note
from barrack_mcp.server.chat.telling import Telling
from barrack_mcp.server.house import open_server
from barrack_mcp.state.store import SqliteStore, StoreError
from tests.support.callers import served
from tests.support.clock import Clock
from tests.support.patience import PATIENT_S
from tests.support.running import KEY
from tests.test_webhook import answers, listening

pytestmark = pytest.mark.anyio

TTL = 600.0
START = 1_700_000_000.0
PLAN = {
    "summary": "Delete volume «data» (BRK-1V) for good.",
    "risk": "destroy",
    "target": {"type": "volume", "id": "BRK-1V", "name": "data", "status": "available", "note": "no"},
    "cost": {"currency": "USD", "hourly_now": 0.05, "hourly_after": 0.0},
    "lost": ["500 GB of data", "3 snapshots"],
    "warnings": ["Line that goes: «export TOKEN=canary-of-a-script»."],
    "kept": ["instance «train-1»"],
}
LINK = "https://bot.example.com/approvals/requests/"


def link(approval_id: str) -> str:
    return LINK + approval_id


@dataclass
class Hall:
    """Several processes that share a state and a chat."""

    approvals: Approvals
    clock: Clock
    told: list[list[Note]] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    taken: bool = True

    def process(self, **options: Any) -> Telling:
        """Start one more."""

        async def post(notes: list[Note], attempts: int) -> bool:
            self.told.append(notes)
            self.attempts.append(attempts)
            return self.taken

        return Telling(self.approvals, post=post, link=link, **{"now": self.clock} | options)

    async def ask(self, name: str = "data", *, caller: str = "ada") -> Approval:
        """Ask for a yes."""
        return await self.approvals.request(
            binding=f"bound-to-{name}",
            caller=caller,
            tool="delete_volume",
            arguments={"volume_id": "BRK-1V"},
            plan=PLAN | {"summary": f"Delete volume «{name}»."},
            must_type=name,
            fingerprint="seen",
        )

    def heard(self) -> list[tuple[Event, str]]:
        """What was told since this was asked last."""
        heard = [(note.event, str(note.approval.plan["summary"])) for notes in self.told for note in notes]
        self.told.clear()
        return heard


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    clock = Clock(START)
    async with SqliteStore(tmp_path / "state.db", now=clock) as store:
        yield Hall(Approvals(store, ttl=TTL, now=clock), clock)


ONE = "Delete volume «data»."


async def test_a_request_is_told_once_again_at_half_time_and_when_nobody_answered(hall: Hall) -> None:
    chat = hall.process()
    assert await chat.look() > 10
    await hall.ask()
    for _ in range(3):
        await chat.look()
    assert hall.heard() == [(Event.ASKED, ONE)]
    for seconds, told in [(299, []), (1, [Event.REMINDER]), (299, []), (1, [Event.LAPSED]), (600, [])]:
        await hall.clock.sleep(seconds)
        for _ in range(3):
            wait = await chat.look()
        assert [event for event, _ in hall.heard()] == told
    assert wait > 10


@pytest.mark.parametrize("seconds", [0, 100, 250])
async def test_the_next_look_is_never_later_than_what_comes_next_and_never_at_once_for_nothing(
    hall: Hall, seconds: float
) -> None:
    chat = hall.process()
    await hall.ask()
    await chat.look()
    await hall.clock.sleep(seconds)
    assert 0.5 <= await chat.look() <= 2
    await hall.clock.sleep(299.5 - seconds)
    assert 0.4 <= await chat.look() <= 0.6


@pytest.mark.promise("H5")
async def test_how_it_ended_is_told_by_whichever_process_sees_it_and_by_one_alone(hall: Hall) -> None:
    first, second, third = hall.process(), hall.process(), hall.process(grace=60)
    everyone = (second, first, third)
    asked = {name: await hall.ask(name) for name in ("yes", "no", "never", "late", "used")}
    for chat in everyone:
        await chat.look()
    assert sorted(hall.heard()) == sorted((Event.ASKED, f"Delete volume «{name}».") for name in asked)
    await hall.approvals.approve(asked["yes"].id, by="bob on the page", typed="yes")
    await hall.approvals.deny(asked["no"].id, by="bob at a terminal")
    await hall.approvals.approve(asked["used"].id, by="bob on the page", typed="used")
    assert await hall.approvals.redeem("bound-to-used")
    await hall.clock.sleep(10)
    third.ended(asked["used"].id, "done", "Barrack says «Volume deleted».")
    async with anyio.create_task_group() as tasks:
        for chat in (third, *everyone):
            tasks.start_soon(chat.look)
    told = {note.approval.must_type: note for notes in hall.told for note in notes}
    assert {name: note.event for name, note in told.items()} == {
        "yes": Event.APPROVED,
        "no": Event.DENIED,
        "used": Event.ENDED,
    }
    assert len(hall.heard()) == 3
    await hall.clock.sleep(TTL)
    for chat in everyone:
        await chat.look()
    assert sorted(hall.heard()) == [(Event.LAPSED, f"Delete volume «{name}».") for name in ("late", "never", "yes")]


async def test_what_came_of_a_call_whose_process_is_gone_is_said_to_stand_in_the_record(hall: Hall) -> None:
    other = hall.process(grace=60)
    asked = await hall.ask()
    await other.look()
    await hall.approvals.approve(asked.id, by="ada at a terminal", typed="data")
    assert await hall.approvals.redeem(asked.binding) is not None
    await hall.clock.sleep(59)
    assert 0 < await other.look() <= 1
    assert hall.heard() == [(Event.ASKED, ONE)]
    await hall.clock.sleep(1)
    await other.look()
    ((note,),) = hall.told
    assert note.standing() == "Approved by ada at a terminal and used. What came of it stands in the server's record."


@pytest.mark.promise("H5")
async def test_a_restart_tells_the_end_of_what_was_asked_before_and_nothing_of_what_nobody_heard_of(hall: Hall) -> None:
    asked, unheard = await hall.ask("asked"), None
    await hall.process().look()
    unheard = await hall.ask("unheard")
    for approval in (asked, unheard):
        await hall.approvals.deny(approval.id, by="bob on the page")
    after = hall.process()
    hall.heard()
    await after.look()
    assert hall.heard() == [(Event.DENIED, "Delete volume «asked».")]
    await after.look()
    assert hall.heard() == []


async def test_one_who_hears_late_is_not_reminded_at_once_and_what_is_long_over_is_no_news(hall: Hall) -> None:
    await hall.ask()
    await hall.clock.sleep(400)
    chat = hall.process()
    await chat.look()
    await chat.look()
    assert hall.heard() == [(Event.ASKED, ONE)]
    await hall.clock.sleep(TTL + 3600)
    await chat.look()
    assert hall.heard() == []


@pytest.mark.promise("H5")
async def test_a_flood_is_told_in_a_few_messages_and_no_request_is_left_out(hall: Hall) -> None:
    chat = hall.process()
    for number in range(200):
        await hall.ask(f"v{number}", caller=f"bot-{number % 5}")
        await chat.look()
    assert [len(notes) for notes in hall.told] == [1] * 6
    seconds = 0.0
    while sum(len(notes) for notes in hall.told) < 200:
        wait = await chat.look()
        assert wait == 0 or wait > 0.5
        await hall.clock.sleep(wait)
        seconds += wait
    assert len(hall.told) <= 12
    assert seconds <= 60
    assert len(set(hall.heard())) == 200


async def test_a_state_that_takes_nothing_is_no_reason_to_look_all_the_time(hall: Hall, tmp_path: Path) -> None:
    await hall.ask()
    with sqlite3.connect(tmp_path / "state.db") as full:
        full.execute("CREATE TRIGGER full BEFORE INSERT ON nonces BEGIN SELECT RAISE(FAIL, 'full'); END")
    looked: list[float] = []

    def now() -> float:
        looked.append(hall.clock())
        return looked[-1]

    chat = hall.process(now=now)
    with pytest.raises(StoreError):
        await chat.look()
    once = len(looked)
    with anyio.move_on_after(0.5):
        await chat.run()
    assert len(looked) <= 2 * once
    assert hall.heard() == []


def note(event: Event = Event.ASKED, *, came: Came | None = None, waiting: int = 1, **changes: Any) -> Note:
    approval = Approval(
        id="ap-aaaaaaaaaa",
        binding="bound-to-this",
        caller="local:1000",
        tool="delete_volume",
        arguments={"volume_id": "BRK-1V", "secret": "canary-argument"},
        plan=PLAN,
        must_type="data",
        fingerprint="seen",
        status=Status.PENDING,
        created_at=START,
        expires_at=START + TTL,
    )
    where = changes.pop("link", None)
    return Note(event, replace(approval, **changes), START + 60, link=where, waiting=waiting, came=came)


def written(*notes: Note, form: Form = "json", **options: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(write_message(notes, form=form, delivery="d-1", **options))
    return told


def test_what_is_told_says_what_it_costs_what_is_lost_who_asks_until_when_and_where() -> None:
    text = written(note(waiting=3))["text"]
    assert text.startswith(
        "3 requests wait, this among them: Delete volume «data» (BRK-1V) for good. Asked for by local:1000, request "
        "ap-aaaaaaaaaa. It waits for 9 minutes, until 14 Nov 2023 22:23:20 UTC."
    )
    assert "Lost: 500 GB of data." in text
    assert "Lost: 3 snapshots." in text
    assert re.search(r"Difference: -0.05 USD", text)
    assert text.endswith("with barrack-mcp approvals. An answer in this chat doesn't count.")
    assert written(note(Event.REMINDER))["text"].startswith("Half of its time is over: Delete volume «data»")
    assert "3 requests wait" in json.dumps(written(note(waiting=3), form="slack")["blocks"])
    claimed = written(note(on_behalf_of="bob"))
    assert "Asked for by local:1000, which says it acts for bob, request ap-aaaaaaaaaa." in claimed["text"]
    assert claimed["events"][0]["request"]["on_behalf_of"] == "bob"
    linked = written(note(link=link("ap-aaaaaaaaaa")))["text"]
    assert linked.endswith(f"Approve or deny it there, not here: {LINK}ap-aaaaaaaaaa")


@pytest.mark.parametrize("form", ["json", "slack"])
def test_nothing_that_is_secret_or_gives_a_way_in_is_told(form: Form) -> None:
    told = json.dumps([written(note(event, status=Status.USED, decided_by="bob"), form=form) for event in Event])
    assert not [word for word in ("bound-to-this", "canary", "seen", '"data"') if word in told and form == "slack"]
    assert not [word for word in ("bound-to-this", "canary", "fingerprint", "binding", "must_type") if word in told]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"event": Event.APPROVED, "decided_by": "bob on the page"}, "Approved by bob on the page. It is done when"),
        ({"event": Event.APPROVED, "decided_by": "on the page"}, "Approved on the page."),
        ({"event": Event.DENIED, "decided_by": "local:7 at a terminal"}, "Denied by local:7 at a terminal. Nothing"),
        ({"event": Event.DENIED, "decided_by": "a b. Approved on the page"}, "Denied by «a b. Approved» on the page."),
        ({"event": Event.LAPSED}, "Lapsed: nobody answered in time. Nothing was done."),
        ({"event": Event.LAPSED, "decided_by": "bob"}, "but its call was not repeated in time. Nothing was done."),
        ({"event": Event.LAPSED, "told_at": START + 5, "expires_at": START + 5}, "what it is about has changed."),
        ({"event": Event.ENDED, "decided_by": "bob", "came": Came("done", "Gone.")}, "What came of it: done. Gone."),
        ({"event": Event.ENDED, "decided_by": "bob", "came": Came("unknown", "Look.")}, "came of it: unknown. Look."),
    ],
)
def test_each_end_has_a_sentence_of_its_own(changes: dict[str, Any], said: str) -> None:
    assert said in written(note(**changes))["text"]
    assert said in json.dumps(written(note(**changes), form="slack"), ensure_ascii=False)


HOSTILE = "<!channel> <@U1> <https://evil.example|ok> @channel @everyone [x](https://evil.example) www.evil.example"


@pytest.mark.promise("H5")
def test_no_name_becomes_a_link_or_a_mention_in_either_form() -> None:
    hostile = note(caller=f"{HOSTILE}", plan=PLAN | {"summary": f"Delete volume «{HOSTILE}».", "lost": [HOSTILE]})
    plain = written(hostile)
    for text in (plain["text"], plain["content"], written(hostile, form="slack")["text"]):
        assert "<" not in text
        assert ">" not in text
        assert not re.search(r"(?<!\w)@\w", text)
        assert not re.search(r"\bwww\.\w|://|\]\(", text)
    assert plain["allowed_mentions"] == {"parse": []}
    (first,) = [block for block in written(hostile, form="slack")["blocks"] if HOSTILE in json.dumps(block)][:1]
    assert first["text"] == {"type": "plain_text", "text": f"Delete volume «{HOSTILE}».", "emoji": False}


def strings(value: Any) -> list[dict[str, Any]]:
    """Find every text object of Slack's."""
    if isinstance(value, list):
        return [found for each in value for found in strings(each)]
    if not isinstance(value, dict):
        return []
    mine = [value] if value.get("type") in ("plain_text", "mrkdwn") else []
    return mine + [found for each in value.values() for found in strings(each)]


@pytest.mark.parametrize("event", list(Event))
@pytest.mark.parametrize("letter", ["a", "&", "<", "é", "😀"])
def test_the_longest_stays_within_what_the_chats_take_and_keeps_its_link(event: Event, letter: str) -> None:
    long = {"summary": letter * 9_000, "lost": [letter * 700] * 40}
    notes = [
        note(event, plan=PLAN | long, link=link("ap-aaaaaaaaaa"), decided_by=letter * 5_000, caller=letter * 5_000)
    ] * 50
    for told in (notes[:1], notes):
        plain, blocks = written(*told), written(*told, form="slack")
        assert len(plain["content"]) <= 2_000
        assert plain["content"].endswith(
            LINK + "ap-aaaaaaaaaa" if len(told) == 1 else "https://bot.example.com/approvals"
        )
        assert len(blocks["text"]) <= 3_000
        assert len(blocks["blocks"]) <= 50
        for each in blocks["blocks"]:
            most = 150 if each["type"] == "header" else 3_000
            assert all(1 <= len(text["text"]) <= most for text in strings(each))
        # nothing but the one link is written in markup, and nothing can be pressed
        assert [text["type"] for text in strings(blocks) if text["type"] == "mrkdwn"] == ["mrkdwn"]
        assert not re.search(r'"(button|actions|input|accessory|value)"', json.dumps(blocks))


def test_the_form_of_json_holds_what_the_page_for_teams_says() -> None:
    told = written(note(link=link("ap-aaaaaaaaaa")), simulator=True)
    page = Path(__file__).parents[1].joinpath("docs", "team.md").read_text(encoding="utf-8")
    assert told["version"] == 1
    assert (told["id"], told["simulator"]) == ("d-1", True)
    (event,) = told["events"]
    assert event["request"]["target"] == {"type": "volume", "id": "BRK-1V", "name": "data"}
    assert event["request"]["cost"]["hourly_now"] == 0.05
    assert event["request"]["expires_at"] == "2023-11-14T22:23:20+00:00"
    assert [name for name in {*told, *event, *event["request"]} if f"{name}`" not in page] == []


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("https://hooks.slack.com/services/T/B/x", "slack"),
        ("https://HOOKS.slack.com/services/T/B/x", "slack"),
        ("https://hooks.slack-gov.com/services/T/B/x", "slack"),
        ("https://hooks.slack.com.evil.example/services", "json"),
        ("https://mattermost.example/hooks/x", "json"),
        ("https://discord.com/api/webhooks/1/x", "json"),
        ("http://127.0.0.1:1/hooks.slack.com", "json"),
    ],
)
def test_slack_s_own_hosts_get_blocks_and_all_others_what_they_read(url: str, form: Form) -> None:
    assert form_for(SecretStr(url)) == form


@asynccontextmanager
async def told_by_a_server(folder: Path, **more: Any) -> AsyncIterator[tuple[Client, Callable[[], list[Any]]]]:
    async with listening(answers("200 OK\r\nContent-Length: 2", b"ok")) as chat:
        settings = Settings(
            simulator=True,
            api_key=SecretStr(KEY),
            approval="out-of-band",
            browser=False,
            state=folder / "state.db",
            webhook_url=chat.url,
            **more,
        )
        # another server over the same state hears of all that this one hears of
        async with open_server(settings), open_server(settings) as made, Client(made.server) as client:
            yield client, lambda: [event for _, _, body in chat.heard for event in body["events"]]


async def told_until(told: Callable[[], list[Any]], event: Event) -> dict[str, Any]:
    while not (found := [each for each in told() if each["event"] == event]):  # noqa: ASYNC110 - the chat tells nobody
        await anyio.sleep(0.02)
    (only,) = found
    return dict(only)


@pytest.mark.slow
async def test_a_chat_hears_of_a_request_of_the_yes_given_elsewhere_and_of_what_came_of_it(tmp_path: Path) -> None:
    call = ("stop_instance", {"instance_id": "train-1"})
    with anyio.fail_after(PATIENT_S):
        async with told_by_a_server(tmp_path) as (client, told):
            asked = (await client.call_tool(*call)).structured_content or {}
            first = await told_until(told, Event.ASKED)
            assert first["request"]["id"] == asked["approval"]["id"]
            assert first["link"] is None
            # as another process does it
            async with SqliteStore(tmp_path / "state.db") as store:
                await Approvals(store, ttl=TTL).approve(asked["approval"]["id"], by="bob on the page")
            yes = await told_until(told, Event.APPROVED)
            assert yes["request"]["decided_by"] == "bob on the page"
            assert ((await client.call_tool(*call)).structured_content or {})["outcome"] == "done"
            ended = await told_until(told, Event.ENDED)
            assert ended["came"]["outcome"] == "done"
        assert [each["event"] for each in told()] == ["asked", "approved", "ended"]


@pytest.mark.slow
async def test_what_is_asked_and_half_over_within_seconds_is_told_all_the_same(tmp_path: Path) -> None:
    with anyio.fail_after(PATIENT_S):
        async with told_by_a_server(tmp_path, approval_ttl=1.5) as (client, told):
            await client.call_tool("stop_instance", {"instance_id": "train-1"})
            await told_until(told, Event.LAPSED)
        assert [each["event"] for each in told()] == ["asked", "reminder", "lapsed"]


@pytest.mark.slow
async def test_a_team_is_sent_to_the_page_of_the_very_server_and_told_for_whom_a_bot_says_that_it_acts(
    tmp_path: Path,
) -> None:
    with anyio.fail_after(PATIENT_S):
        async with listening(answers("200 OK\r\nContent-Length: 2", b"ok")) as chat:
            settings = {
                "BARRACK_WEBHOOK_URL": chat.url.get_secret_value(),
                "BARRACK_PUBLIC_URL": "https://bot.example.com",
            }
            claim = {"X-Barrack-On-Behalf-Of": "ada"}
            async with (
                served(tmp_path, {"ci-bot": (), "eve": ("approver = true",)}, **settings) as made,
                made.client("ci-bot", headers=claim) as bot,
            ):
                asked = (await bot.call_tool("stop_instance", {"instance_id": "train-1"})).structured_content or {}

                def told() -> list[Any]:
                    return [event for _, _, body in chat.heard for event in body["events"]]

                first = await told_until(told, Event.ASKED)
                assert first["link"] == LINK + asked["approval"]["id"]
                assert (first["request"]["caller"], first["request"]["on_behalf_of"]) == ("ci-bot", "ada")
                assert "ci-bot, which says it acts for ada" in chat.heard[0][2]["text"]
                path = first["link"].removeprefix("https://bot.example.com")
                # who isn't signed in is led to the door, and nothing there says what waits
                met = await made.ask(path, [("host", "bot.example.com")], method="GET")
                assert met.status_code in (303, 401)
                assert "train-1" not in met.text
