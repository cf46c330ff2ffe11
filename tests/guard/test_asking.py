"""The question to the letter: how it goes through the client, what is an answer to it, and each line that it tells."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio import BrokenResourceError, ClosedResourceError
from mcp import Client, MCPError
from mcp.types import (
    INTERNAL_ERROR,
    REQUEST_TIMEOUT,
    CallToolRequestParams,
    CreateMessageResult,
    ElicitationCapability,
    ElicitResult,
    TextContent,
)
from pydantic import ValidationError

from barrack_mcp.account.waiting import BEAT_S
from barrack_mcp.catalogue import Risk
from barrack_mcp.catalogue.outcome import Cost, Plan, Safer
from barrack_mcp.guard.asking.asker import Asked, Asker
from barrack_mcp.guard.asking.meanings import Meant
from barrack_mcp.guard.asking.question import READING_S, Consent, Question, Reply, judge, make_form
from barrack_mcp.guard.asking.telling import (
    LONGEST,
    PATIENCE,
    can_be_shown,
    question,
    read_plan,
    sentences,
    tell,
    write_value,
)
from barrack_mcp.server.tools import create_server
from tests.support.clock import Clock
from tests.support.house import Person, house, says_yes
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

MODERN, LATER, LEGACY = "2026-07-28", "2027-01-01", "2025-11-25"
YES = ElicitResult(action="accept", content={"approve": True})
EMPTY = Reply(Consent.NO, "The question was accepted without an answer.")
DECLINED = Reply(Consent.DECLINED, "The person declined.")
CLOSED = Reply(Consent.UNSEEN, "The question was closed; it was not answered by a person.")
TOO_FAST = Reply(
    Consent.UNSEEN, "The question was declined sooner than anybody can read it; it was not answered by a person."
)
AT_A_TERMINAL = "The person closed the question without an answer."


@dataclass
class Line:
    """The client's end of a call: keeps what it is sent, and answers as the test says."""

    answer: Callable[[], ElicitResult] = lambda: YES
    client_capabilities: Any = None
    can_send_request: bool = True
    sent: list[tuple[Any, ...]] = field(default_factory=list)

    async def send_request(self, *parts: Any, **more: Any) -> ElicitResult:
        self.sent.append((*parts, more))
        return self.answer()

    async def report_progress(self, progress: float, **more: Any) -> None:
        self.sent.append((progress, more))
        self.answer()


def asker(
    line: Line | None = None,
    *,
    version: str = MODERN,
    at_terminal: bool = False,
    sleep: Any = anyio.sleep,
    hears: bool = True,
    **params: Any,
) -> Asker:
    meta = {"progress_token": 7} if hears else None
    context: Any = SimpleNamespace(protocol_version=version, session=line or Line(), request_id="call-7", meta=meta)
    return Asker(
        context, CallToolRequestParams(name="any", arguments={}, **params), at_terminal=at_terminal, sleep=sleep
    )


def a_question(must_type: str | None = None) -> Question:
    """What was asked at a thousand seconds, for two and a half."""
    return Question(
        tool="any",
        given="g",
        meant=Meant({"web": ["i-1"]}, {"instance_ids": ["i-2"]}),
        nonce="n",
        binding="b",
        fingerprint="f",
        total=1.5,
        plan="p",
        must_type=must_type,
        waits=None,
        asked=1_000.0,
        until=1_002.5,
    )


def fails(error: Exception) -> Callable[[], ElicitResult]:
    def answer() -> ElicitResult:
        raise error

    return answer


def no_answer() -> ValidationError:
    try:
        ElicitResult.model_validate({"action": "perhaps"})
    except ValidationError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("elicitation", "asks"),
    [
        (None, False),
        ({}, True),
        ({"form": {}}, True),
        ({"url": {}}, False),
        ({"form": {}, "url": {}}, True),
    ],
)
def test_whoever_shows_forms_can_be_asked(elicitation: dict[str, Any] | None, *, asks: bool) -> None:
    shows = None if elicitation is None else ElicitationCapability.model_validate(elicitation)
    for version in (MODERN, LATER, LEGACY):
        line = Line(client_capabilities=SimpleNamespace(elicitation=shows))
        assert asker(line, version=version).can_ask is asks
        # a question that stands in the answer needs no request to the client
        line.can_send_request = False
        assert asker(line, version=version).can_ask is (asks and version != LEGACY)
        assert asker(Line(client_capabilities=None), version=version).can_ask is False


@pytest.mark.parametrize(
    ("version", "sealed", "state"),
    [
        (MODERN, None, None),
        (MODERN, '{"nonce": "n"}', {"nonce": "n"}),
        (LATER, '{"nonce": "n"}', {"nonce": "n"}),
        (MODERN, '["nonce"]', {}),
        (LEGACY, '{"nonce": "n"}', None),
        (LEGACY, None, None),
    ],
)
def test_what_was_put_away_comes_back_in_the_newer_era_alone(version: str, sealed: str | None, state: Any) -> None:
    assert asker(version=version, request_state=sealed).state == state


def test_nobody_is_taken_to_sit_at_a_terminal_unless_that_is_said() -> None:
    context: Any = SimpleNamespace(protocol_version=MODERN, session=Line(), request_id="call-7")
    closed = {"approval": ElicitResult(action="cancel")}
    plain = Asker(context, CallToolRequestParams(name="any", arguments={}, input_responses=closed))
    assert plain.answer(a_question(), now=0) == CLOSED


def test_the_answer_is_the_one_to_our_question() -> None:
    other = CreateMessageResult(role="assistant", content=TextContent(text="yes"), model="any")
    assert asker(input_responses={"approval": YES}).answer(a_question(), now=0) == Reply(Consent.YES)
    assert asker(input_responses={"approval": YES}).answer(a_question("a"), now=0) == Reply(Consent.NO, NO_NAME)
    for responses in (None, {}, {"another": YES}, {"approval": other}):
        assert asker(input_responses=responses).answer(a_question(), now=0) == EMPTY


async def test_a_client_that_went_away_hears_of_no_progress_and_hinders_nothing() -> None:
    for error in (MCPError(INTERNAL_ERROR, "gone"), BrokenResourceError(), ClosedResourceError()):
        line = Line(answer=fails(error))
        await asker(line).report("It waits.")
        assert line.sent == [(0, {"message": "It waits."})]


async def test_progress_is_told_as_it_came_with_its_end_if_that_is_known_and_never_less_than_before() -> None:
    line = Line()
    here = asker(line)
    for progress, total in ((2.0, 5.0), (4.0, None), (4.0, 5.0), (1.0, None)):
        await here.report("It waits.", progress=progress, total=total)
    assert line.sent == [
        (2, {"message": "It waits.", "total": 5}),
        (4, {"message": "It waits."}),
        (5, {"message": "It waits.", "total": 5}),
        (6, {"message": "It waits."}),
    ]


@pytest.mark.parametrize("must_type", [None, "web-1"])
async def test_the_newer_era_has_the_question_in_the_answer_of_the_call(must_type: str | None) -> None:
    line = Line()
    put = a_question(must_type)
    asked = await asker(line).ask("Stop it?", put, now=Clock())
    assert isinstance(asked, Asked)
    assert Question.of(json.loads(asked.result.request_state or "")) == put
    [(key, request)] = (asked.result.input_requests or {}).items()
    params = request.model_dump(by_alias=True, exclude_none=True)["params"]
    assert (key, params) == (
        "approval",
        {"mode": "form", "message": "Stop it?", "requestedSchema": make_form(must_type)},
    )
    assert line.sent == []


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (lambda: ElicitResult(action="accept", content={"name": "web-1"}), Reply(Consent.YES)),
        (lambda: YES, Reply(Consent.NO, "The person accepted, but typed no name.")),
        (
            fails(MCPError(REQUEST_TIMEOUT, "late")),
            Reply(Consent.SILENT, "The question was not answered within 2.5 s."),
        ),
        (
            fails(MCPError(INTERNAL_ERROR, "no")),
            Reply(Consent.UNASKED, "The client could not put the question to a person."),
        ),
        (fails(no_answer()), EMPTY),
    ],
)
async def test_the_older_era_sends_the_question_and_waits_so_long(
    answer: Callable[[], ElicitResult], reply: Reply
) -> None:
    line = Line(answer=answer)
    assert await asker(line, version=LEGACY).ask("Stop it?", a_question("web-1"), now=Clock()) == reply
    [(request, kind, more)] = line.sent
    assert (request.params.message, request.params.requested_schema) == ("Stop it?", make_form("web-1"))
    assert (kind, more["request_read_timeout_seconds"]) == (ElicitResult, 2.5)
    assert more["metadata"].related_request_id == "call-7"


def test_the_form_has_one_field_that_is_required() -> None:
    for must_type, name, kind in ((None, "approve", "boolean"), ("web-1", "name", "string"), ("", "name", "string")):
        shape = make_form(must_type)
        assert (shape["type"], list(shape["properties"]), shape["required"]) == ("object", [name], [name])
        [shown] = shape["properties"].values()
        assert (shown["type"], shown["title"]) == (kind, name.capitalize())
        assert set(shown) == {"type", "title", "description"}
        assert "web-1" not in str(shape)


NO_TICK = "The person did not tick the approval."
NO_NAME = "The person accepted, but typed no name."
SPACE = "What was typed has a space too many around the name."
CASE = "What was typed differs from the name in upper and lower case."
ALIKE = "What was typed only looks like the name: it holds other letters."
OTHER = "What was typed is not the name."


@pytest.mark.parametrize(
    ("content", "must_type", "sentence"),
    [
        ({"approve": True}, None, ""),
        ({"approve": False}, None, NO_TICK),
        ({"approve": "true"}, None, NO_TICK),
        ({"approve": 1}, None, NO_TICK),
        ({"name": True}, None, NO_TICK),
        ({}, None, EMPTY.sentence),
        (None, None, EMPTY.sentence),
        ({}, "web", EMPTY.sentence),
        ({"name": "web"}, "web", ""),
        ({"name": "cafe\u0301"}, "caf\u00e9", ""),
        ({"name": ""}, "", NO_NAME),
        ({"name": ["web"]}, "web", NO_NAME),
        ({"approve": True}, "web", NO_NAME),
        ({"name": " web"}, "web", SPACE),
        ({"name": "Web"}, "web", CASE),
        ({"name": "w\u0435b"}, "web", ALIKE),
        ({"name": "\uff57eb\u00df"}, "web\u00df", ALIKE),
        ({"name": "w\u0435b\u00df"}, "web\u00df", OTHER),
        ({"name": "we"}, "web", OTHER),
        ({"name": "web"}, "web\u00df", OTHER),
    ],
)
def test_an_accept_is_a_yes_only_to_the_letter(content: Any, must_type: str | None, sentence: str) -> None:
    consent = Consent.NO if sentence else Consent.YES
    for after in (0.0, READING_S, math.inf):
        given = ElicitResult(action="accept", content=content)
        assert judge(given, must_type, after=after) == Reply(consent, sentence)
    for action, after, reply in (
        ("decline", -1.0, TOO_FAST),
        ("decline", 0.499, TOO_FAST),
        ("decline", 0.5, DECLINED),
        ("decline", math.inf, DECLINED),
        ("cancel", 0.0, CLOSED),
        ("cancel", 60.0, CLOSED),
        ("cancel", math.inf, Reply(Consent.NO, AT_A_TERMINAL)),
    ):
        no = ElicitResult.model_validate({"action": action, "content": content})
        assert judge(no, must_type, after=after) == reply


@pytest.mark.parametrize("version", [MODERN, LEGACY])
@pytest.mark.parametrize(("action", "replies"), [("decline", [TOO_FAST, DECLINED]), ("cancel", [CLOSED, CLOSED])])
async def test_how_long_a_question_was_there_tells_a_person_from_a_program(
    action: Any, replies: list[Reply], version: str
) -> None:
    put, given = a_question(), ElicitResult(action=action)
    for seconds, reply in zip((0.499, 0.5), replies, strict=True):
        clock = Clock(put.asked)

        def answer(clock: Clock = clock, seconds: float = seconds) -> ElicitResult:
            clock.at += seconds
            return given

        if version == LEGACY:
            assert await asker(Line(answer=answer), version=LEGACY).ask("Stop it?", put, now=clock) == reply
        else:
            answers = asker(input_responses={"approval": given})
            assert answers.answer(put, now=put.asked + seconds) == reply


def test_whoever_sits_at_the_terminal_of_the_call_may_be_quick() -> None:
    for action, reply in (("decline", DECLINED), ("cancel", Reply(Consent.NO, AT_A_TERMINAL))):
        here = asker(input_responses={"approval": ElicitResult.model_validate({"action": action})}, at_terminal=True)
        assert here.answer(a_question(), now=a_question().asked) == reply


def test_of_all_that_can_come_of_a_question_a_yes_and_a_no_are_a_persons() -> None:
    assert {consent for consent in Consent if not consent.nobody} == {Consent.YES, Consent.NO, Consent.DECLINED}


# What a question tells


def a_plan(summary: str = "It stops web.", **more: Any) -> Plan:
    return Plan(summary=summary, risk=Risk.INTERRUPT, target={}, **more)


WHOLE = a_plan(
    opens=["a key", "a range"],
    gained=["a disk"],
    runs=["a script"],
    lost=["one", "two"],
    uncertain=["three"],
    bill=["It costs 2.", "It costs 3."],
    cost=Cost(currency="EUR", hourly_now=1.0, hourly_after=3.0, spent_so_far=4.0),
    warnings=["Mind it.", "Mind that."],
    kept=["four", "five"],
    safer=[Safer(tool="stop_instance", arguments={"instance_id": "i", "force": True}, why="It can start again.")],
)
ESSENTIAL = [
    "It stops web.",
    "Opens to: a key; a range.",
    "Gained: a disk.",
    "Runs: a script.",
    "Lost: one; two.",
    "Perhaps lost: three.",
    "It costs 2.",
    "It costs 3.",
]
FURTHER = [
    "Mind it.",
    "Mind that.",
    "Kept: four; five.",
    "Gentler: It can start again. (stop_instance instance_id=i force=yes)",
]


def test_a_plan_is_told_line_by_line_what_matters_most_first() -> None:
    assert sentences(WHOLE) == ESSENTIAL + FURTHER
    assert question(WHOLE, must_type=None) == "\n".join([*ESSENTIAL, *FURTHER, "Approve?"])
    assert question(WHOLE, must_type="web") == "\n".join([*ESSENTIAL, *FURTHER, "Type web to approve."])
    assert question(a_plan(), must_type=None) == "It stops web.\nApprove?"
    assert [line.heading for line in tell(WHOLE) if line.part == "cost"] == [
        "Now",
        "Afterwards",
        "Difference",
        "Spent so far",
    ]


@pytest.mark.parametrize(
    ("now", "after", "spent", "told"),
    [
        (None, None, None, []),
        (
            1.0,
            3.0,
            4.0,
            [
                "Now: 1.00 EUR an hour (730.00 EUR a month)",
                "Afterwards: 3.00 EUR an hour (2,190.00 EUR a month)",
                "Difference: +2.00 EUR an hour (+1,460.00 EUR a month)",
                "Spent so far: 4.00 EUR",
            ],
        ),
        (
            3.0,
            1.0,
            None,
            [
                "Now: 3.00 EUR an hour (2,190.00 EUR a month)",
                "Afterwards: 1.00 EUR an hour (730.00 EUR a month)",
                "Difference: -2.00 EUR an hour (-1,460.00 EUR a month)",
            ],
        ),
        (
            1.0,
            1.0,
            None,
            ["Now: 1.00 EUR an hour (730.00 EUR a month)", "Afterwards: 1.00 EUR an hour (730.00 EUR a month)"],
        ),
        (
            0.0,
            1.0,
            0.0,
            [
                "Now: 0.00 EUR an hour",
                "Afterwards: 1.00 EUR an hour (730.00 EUR a month)",
                "Difference: +1.00 EUR an hour (+730.00 EUR a month)",
                "Spent so far: 0.00 EUR",
            ],
        ),
        (None, 1.0, None, ["Afterwards: 1.00 EUR an hour (730.00 EUR a month)"]),
        (1.0, None, None, ["Now: 1.00 EUR an hour (730.00 EUR a month)"]),
    ],
)
def test_figures_are_told_as_far_as_they_are_known(
    now: float | None, after: float | None, spent: float | None, told: list[str]
) -> None:
    cost = Cost(currency="EUR", hourly_now=now, hourly_after=after, spent_so_far=spent)
    assert [str(line) for line in tell(a_plan(cost=cost)) if line.part == "cost"] == told


def test_a_question_of_800_characters_is_put_and_one_longer_leaves_out_or_is_none() -> None:
    end = "\nApprove?"
    most = "s" * (LONGEST - len(end))
    assert question(a_plan(most), must_type=None) == most + end
    assert question(a_plan(most + "s"), must_type=None) is None
    warned = question(a_plan(warnings=["w" * 700, "v" * 100, "u"]), must_type=None)
    assert warned == "\n".join(["It stops web.", "w" * 700, "Less that matters is left out here.", "Approve?"])
    assert question(a_plan(warnings=["w" * 700, "v" * 100]), must_type=None) == warned
    none_of_it = question(a_plan(warnings=["w" * 800, "v"]), must_type=None)
    assert none_of_it == "It stops web.\nLess that matters is left out here.\nApprove?"


def test_a_plan_that_was_stored_is_read_and_what_is_none_is_not() -> None:
    assert read_plan(WHOLE.model_dump(mode="json")) == WHOLE
    assert read_plan({"summary": "It stops web."}) is None


def test_as_much_as_a_person_reads_is_shown_at_the_terminal_and_no_more() -> None:
    assert can_be_shown(a_plan("s" * PATIENCE, warnings=["w" * PATIENCE], kept=["k"]))
    assert not can_be_shown(a_plan("s" * (PATIENCE + 1)))
    half = "s" * (PATIENCE // 2)
    assert can_be_shown(a_plan(half, bill=[half]))
    assert not can_be_shown(a_plan(half, bill=[half], lost=["x"]))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a b", "a b"),
        (True, "yes"),
        (False, "no"),
        ([], "none"),
        (["a", 1, 2.5, True], "a, 1, 2.5, yes"),
        ([["a"]], '[["a"]]'),
        (["a", None], '["a",null]'),
        ({"a": 1}, '{"a":1}'),
        ({}, "{}"),
        (7, "7"),
        (None, "None"),
    ],
)
def test_values_are_written_for_people(value: Any, written: str) -> None:
    assert write_value(value) == written


# How a client hears that its call goes on


async def beats(told: list[Any], *, until: int) -> None:
    """Let a call's time go by until so much was told."""
    while len(told) < until:
        await anyio.lowlevel.checkpoint()


@pytest.mark.promise("G25")
async def test_a_client_hears_every_ten_seconds_that_its_call_goes_on_and_why() -> None:
    line, clock = Line(), Clock()
    here = asker(line, version=LEGACY, sleep=clock.sleep)
    with anyio.fail_after(PATIENT_S):
        async with here.telling():
            await beats(line.sent, until=2)
            heard = line.sent[:2]
            await here.report("It waits for its turn.")
        assert set(clock.slept) == {10.0}
    assert heard == [(at, {"message": "The call is under way."}) for at in (0, 1)]
    numbers = [progress for progress, _ in line.sent]
    assert numbers == sorted(set(numbers))
    after = len(line.sent)
    for _ in range(10):
        await anyio.lowlevel.checkpoint()
    assert len(line.sent) == after


async def test_who_hears_enough_of_a_call_hears_no_more_for_it() -> None:
    line, told = Line(), 0

    async def sleep(seconds: float) -> None:
        nonlocal told
        assert seconds == BEAT_S
        told += 1
        await here.report(f"{told} of 3")
        if told == 3:
            await anyio.sleep_forever()

    here = asker(line, sleep=sleep)
    async with here.telling():
        await beats(line.sent, until=3)
    assert [more["message"] for _, more in line.sent] == ["1 of 3", "2 of 3", "3 of 3"]


async def test_for_a_client_that_does_not_listen_nothing_runs_beside_its_call() -> None:
    line, clock = Line(), Clock()
    async with asker(line, sleep=clock.sleep, hears=False).telling():
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
    assert (line.sent, clock.slept) == ([], [])


async def test_a_call_that_never_ends_is_not_kept_alive_without_end() -> None:
    line, clock = Line(), Clock()
    with anyio.fail_after(PATIENT_S):
        async with asker(line, sleep=clock.sleep).telling():
            await beats(line.sent, until=360)
            for _ in range(10):
                await anyio.lowlevel.checkpoint()
    assert (len(line.sent), sum(clock.slept)) == (360, 3600)


@pytest.mark.promise("G25")
async def test_a_question_that_is_held_open_is_told_of_so_that_no_client_gives_its_call_up() -> None:
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        assert total is None
        heard.append((progress, message))

    asked = anyio.Event()

    async def once_asked(_: float) -> None:
        # no beat is due before the question is put, and none moves the clock by which it lapses
        await asked.wait()
        await anyio.lowlevel.checkpoint()

    async def when_it_was_told(question: str) -> ElicitResult:
        asked.set()
        await beats(heard, until=3)
        return says_yes(question)

    async with house() as made:
        server = create_server(made.dispatcher, lambda _: made.dispatcher.caller, sleep=once_asked)
        person = Person(when_it_was_told)
        async with Client(server, mode="legacy", elicitation_callback=person) as client:
            with anyio.fail_after(PATIENT_S):
                result = await client.call_tool("stop_instance", made.good("stop_instance"), progress_callback=hear)
        assert (result.structured_content or {})["outcome"] == "done"
        assert "A person is asked, and has not answered yet." in {message for _, message in heard}
        assert [progress for progress, _ in heard] == sorted({progress for progress, _ in heard})
        assert made.effects == ["stop_instance"]
