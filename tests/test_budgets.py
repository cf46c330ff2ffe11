"""How many requests one whole guarded call takes, and how many of them one after another: its question, its sending.

A vendor's keys have limits a minute and an hour, so that a request saved is worth more than a millisecond. How long a
person waits is told by the requests that stand one after another; those that go side by side are one wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from mcp.types import ElicitResult

from barrack_mcp.account.things import things
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Risk
from barrack_mcp.catalogue.kinds import KINDS, kind_named_by
from barrack_mcp.simulator import create_app
from tests.support import examples
from tests.support.house import ASKING, Person, asking, house, says_yes
from tests.support.waits import Waits

pytestmark = pytest.mark.anyio

BUDGETS = {
    "deploy_instance": 16,
    "stop_instance": 8,
    "reboot_instance": 8,
    "hibernate_instance": 8,
    "restore_instance": 16,
    "delete_instance": 11,
    "toggle_instance_public_ip": 7,
    "add_instance_security_rule": 3,
    "remove_instance_security_rule": 3,
    "delete_ssh_key": 9,
    "create_volume": 12,
    "detach_volumes": 5,
    "clone_volume": 13,
    "resize_volume": 13,
    "delete_volume": 5,
    "delete_startup_script": 9,
    "bulk_delete_startup_scripts": 6,
    "create_snapshot": 13,
    "restore_snapshot": 14,
    "delete_snapshot": 11,
    "delete_custom_image": 7,
    "add_firewall_rule": 3,
    "remove_firewall_rule": 3,
    "attach_firewall": 7,
    "delete_firewall": 3,
}
"""By operation, where the target is named by its id; its name takes one request more.

A purchase reads all that costs again after the yes, three lists, since the yes binds the sum; what is deleted reads
again what its plan said would be kept, and what opens a machine what else lets in. A deployment reads its keys again,
since the yes is for those who hold them. A machine is looked for in the stock first, so that nobody is asked in vain.
"""

WAYS = ("legacy", "auto", "out of band")
MOST_WAITS = 2
"""Before the question, and again after the yes: the last look, and the sending."""


@dataclass
class Spent:
    """What one call that a person agrees to took.

    Attributes:
        requests: Each as method and path.
        asking: How many of them stand one after another before the question.
        sending: The same after the yes.
    """

    requests: list[str]
    asking: int
    sending: int


async def spend(
    tool: str, way: str, given: JsonObject | None = None, *, scenario: str = "small", reads_s: float = 30
) -> Spent:
    """Have one call made that a person agrees to, after reading for so long."""
    app = Waits(create_app(now=lambda: 0.0, scenario=scenario))
    before = 0

    def agree(question: str) -> ElicitResult:
        nonlocal before
        before = app.most
        app.begin()
        return says_yes(question)

    person = Person(agree, reads_s=reads_s) if way != "out of band" else None
    async with house(era=way if person else "auto", person=person, app=app) as made:
        arguments = made.good(tool) if given is None else given
        app.state.barrack.requests.clear()
        app.begin()
        outcome = await made.call(tool, **arguments)
        if person is None:
            before = app.most
            approval = await made.approvals.find(outcome["approval"]["id"])
            await made.approvals.approve(approval.id, by="a test", typed=approval.must_type)
            made.clock.at += reads_s
            app.begin()
            outcome = await made.call(tool, **arguments)
        assert outcome["outcome"] == "done", outcome
        assert made.effects == [tool]
        requests = [f"{each['method']} {each['path']}" for each in app.state.barrack.requests]
        return Spent(requests, before, app.most)


async def test_what_seldom_changes_is_read_once_a_minute_but_a_price_again_after_the_yes() -> None:
    async with house(person=Person(lambda _: ElicitResult(action="accept"), reads_s=0)) as made:
        wanted = made.good("create_volume")

        async def asked() -> set[str]:
            made.barrack.requests.clear()
            assert (await made.call("create_volume", **wanted))["outcome"] == "refused"
            return {each["path"] for each in made.barrack.requests} & {"/pricing/", "/regions/"}

        assert await asked() == {"/pricing/", "/regions/"}
        assert await asked() == set()
        made.clock.at += 59
        assert await asked() == set()
        made.clock.at += 1
        assert await asked() == {"/pricing/", "/regions/"}
    requests = (await spend("create_volume", "auto")).requests
    assert (requests.count("GET /pricing/"), requests.count("GET /regions/")) == (2, 1)


def test_every_operation_that_asks_has_its_budget() -> None:
    assert list(BUDGETS) == [operation.tool for operation in ASKING]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tool", BUDGETS)
async def test_a_whole_call_keeps_to_its_budget_whichever_way_it_is_asked(tool: str, way: str) -> None:
    spent = await spend(tool, way)
    assert len(spent.requests) <= BUDGETS[tool], spent.requests
    assert 1 <= spent.asking <= MOST_WAITS
    assert spent.sending == MOST_WAITS


@pytest.mark.parametrize(("tool", "way"), [(tool, WAYS[at % 3]) for at, tool in enumerate(BUDGETS)])
async def test_who_thinks_for_more_than_a_minute_waits_no_longer_afterwards(tool: str, way: str) -> None:
    spent = await spend(tool, way, reads_s=100)
    # the price list is read again, if anything is
    assert len(spent.requests) <= BUDGETS[tool] + 1, spent.requests
    assert spent.sending == MOST_WAITS


EXCUSED_BY_NAME = dict.fromkeys(("delete_ssh_key", "delete_startup_script"), 3)
"""Waits before the question, where the target is named by its name: the list that holds the name, then the target and
the list of machines, then each machine, since only its own details tell which keys and scripts it has."""


@pytest.mark.parametrize(("tool", "way"), [(tool, WAYS[(at + 1) % 3]) for at, tool in enumerate(BUDGETS)])
async def test_names_are_one_wait_more_before_the_question_and_none_after_the_yes(tool: str, way: str) -> None:
    given = by_name(tool)
    spent = await spend(tool, way, given)
    lists = {kind.list_tool for name in given if (kind := kind_named_by(name)) is not None}
    # a purchase reads all that costs, and the keys, anyway
    more = 0 if BY_TOOL[tool].risk is Risk.SPEND else len(lists)
    assert len(spent.requests) <= BUDGETS[tool] + more, spent.requests
    assert spent.asking <= EXCUSED_BY_NAME.get(tool, MOST_WAITS)
    assert spent.sending == MOST_WAITS


WISHES: dict[str, tuple[JsonObject, int]] = {
    "attach_firewall": ({"firewall_id": "office", "remove": ["train-2"]}, 0),
    "toggle_instance_public_ip": ({"instance_id": "train-1", "want": "off"}, 0),
    "deploy_instance": ({"name": "fresh-1", "like": "train-1"}, 1),
}
"""What is wished for, and how many waits more there are after a yes that comes with a call of its own: the machine that
another is to be like is read again before the last look, which is taken at what is bought."""


@pytest.mark.parametrize(
    ("tool", "way", "named"),
    [(tool, way, (at + turn) % 2 > 0) for at, tool in enumerate(WISHES) for turn, way in enumerate(WAYS)],
)
async def test_a_wish_is_one_wait_more_before_the_question_and_none_after_the_yes(
    tool: str, way: str, *, named: bool
) -> None:
    given, again = WISHES[tool]
    words = {name: at for at, name in known_names()}
    spent = await spend(tool, way, given if named else in_other_words(given, words))
    again = 0 if way == "legacy" else again
    assert spent.asking == MOST_WAITS + named
    assert spent.sending == MOST_WAITS + again
    # who has a firewall, or an address, is read once for the wish and for the question
    like, lists = {"deploy_instance": (1, 0), "attach_firewall": (0, 2)}.get(tool, (0, 1))
    assert len(spent.requests) <= BUDGETS[tool] + like + again + named * lists, spent.requests


def known_names() -> list[tuple[str, str]]:
    """The ids of all things that have a name, each with that."""
    state = create_app(now=lambda: 0.0).state.barrack.state()
    found = [thing for kind in KINDS for thing in things(kind, state[f"{kind.type}s"])]
    return [(thing.id, thing.name) for thing in found if thing.id and thing.name]


def in_other_words(arguments: JsonObject, words: dict[str, str]) -> JsonObject:
    """The same arguments, with other words for what they name."""

    def other(value: Any) -> Any:
        return [other(each) for each in value] if isinstance(value, list) else words.get(value, value)

    return {name: other(value) if kind_named_by(name) else value for name, value in arguments.items()}


def by_name(tool: str) -> JsonObject:
    """Arguments that work and that ask, with names in the place of ids."""
    return in_other_words(asking(tool, create_app(now=lambda: 0.0).state.barrack.state()), dict(known_names()))


@pytest.mark.parametrize("tool", [operation.tool for operation in OPERATIONS if operation.risk is Risk.CHANGE])
async def test_what_is_done_unasked_waits_for_one_look_and_for_the_sending(tool: str) -> None:
    app = Waits(create_app(now=lambda: 0.0))
    async with house(app=app) as made:
        arguments = made.good(tool)
        app.begin()
        assert (await made.call(tool, **arguments))["outcome"] == "done"
        assert app.most == MOST_WAITS


@pytest.mark.parametrize("way", WAYS)
async def test_a_name_takes_one_request_more(way: str) -> None:
    app = create_app(now=lambda: 0.0)
    name = examples.free_volume(app.state.barrack.state())["volume_name"]
    requests = (await spend("delete_volume", way, {"volume_id": name})).requests
    assert len(requests) <= 6, requests


@pytest.mark.parametrize("way", WAYS)
async def test_in_an_account_of_two_thousand_machines_a_purchase_reads_the_ends_of_its_lists(way: str) -> None:
    state = create_app(now=lambda: 0.0, scenario="large").state.barrack.state()
    machine = examples.first(state["instances"], status="ACTIVE", tier="legacy")
    wanted = {
        "name": "fresh-1",
        "boot_source": "os_image",
        "tier": "legacy",
        "region": machine["region"],
        "gpu_model": machine["gpu_type"],
        "gpu_count": 1,
        "os_image": machine["image"]["name"],
        "ssh_key_ids": [state["ssh_keys"][0]["id"]],
    }
    spent = await spend("deploy_instance", way, wanted, scenario="large")
    assert len(spent.requests) <= 38, spent.requests
    # a first page tells how many there are, which are then read side by side
    assert (spent.asking, spent.sending) == (MOST_WAITS, MOST_WAITS + 1)
