"""`wait_for_status`: one call waits for any thing, by its id or name, and says honestly how it stands when it ends."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import anyio
import pytest

from barrack_mcp.account.things import Thing
from barrack_mcp.catalogue import OFFERS, JsonObject
from barrack_mcp.catalogue.kinds import KINDS
from barrack_mcp.catalogue.values import SettlingEnum
from barrack_mcp.dispatch.waits import DEFAULT_S, UNHEARD_S
from tests.support.house import ERAS, House
from tests.support.patience import PATIENT_S
from tests.waiting.test_settling import LISTENS, Heard, moving

pytestmark = pytest.mark.anyio


async def waits(made: House, *, heard: Heard | None = None, **arguments: Any) -> Any:
    """What the tool answers to a client that listens, or that doesn't."""
    meta = LISTENS if heard else None
    return await made.client.call_tool("wait_for_status", arguments, progress_callback=heard, meta=meta)


def build(made: House) -> None:
    """Have a machine on its way for good."""
    at = made.thing("instances", vm_name="train-1")["instance_id"]
    made.barrack.world("sim-key").instances[at].status = "BUILD"


def reads(made: House) -> list[str]:
    """The reads of one machine that arrived."""
    return [path for method, path in made.sent if method == "GET" and path.count("/") == 3 and "instances" in path]


@pytest.mark.promise("M4")
@pytest.mark.parametrize("era", ERAS)
async def test_a_deployment_of_three_minutes_is_awaited_by_one_call(era: str) -> None:
    async with moving(era=era) as made:
        done = await made.call("deploy_instance", **made.good("deploy_instance"))
        at, before, heard = done["result"]["data"]["instance_id"], len(reads(made)), Heard()
        assert "Next: wait_for_status until it is ACTIVE, usually 3 to 10 minutes." in done["message"]
        answer = await waits(made, heard=heard, resource="instance", id=at)
        told = answer.structured_content
        assert (told["there"], told["status"], told["name"]) == (True, "ACTIVE", "fresh-1")
        assert 180 <= told["waited_seconds"] <= 181
        assert told["public_ip"] in answer.content[0].text
        assert len(reads(made)) - before <= 8
        times = [progress for progress, _, _ in heard.all]
        assert all(earlier < later for earlier, later in pairwise(times))
        assert all("instance «fresh-1»" in words.lower() for _, _, words in heard.all[1:])


@pytest.mark.parametrize("resource", SettlingEnum.__args__)  # type: ignore[attr-defined]  # a Literal's options
async def test_what_has_settled_is_told_at_once_by_its_name_or_its_id(resource: str) -> None:
    async with moving() as made:
        root = {"image": "images"}.get(resource, f"{resource}s")
        row = made.state[root][0]
        (kind,) = (kind for kind in KINDS if kind.type == resource)
        name = Thing(kind, row).name
        answer = (await waits(made, resource=resource, id=name)).structured_content
        assert answer["there"] is True, answer
        assert (answer["resource"], answer["name"], answer["waited_seconds"]) == (resource, name, 0)
        again = (await waits(made, resource=resource.upper(), id=answer["id"])).structured_content
        assert again["status"] == answer["status"]


async def test_a_client_that_hears_nothing_is_answered_early_and_goes_on_with_the_call_that_it_is_told() -> None:
    async with moving() as made:
        done = await made.call("deploy_instance", **made.good("deploy_instance"))
        at = done["result"]["data"]["instance_id"]
        answer: JsonObject = {"look_with": {"arguments": {"resource": "instance", "id": at}}}
        calls = 0
        while "look_with" in answer:
            answer = (await waits(made, **answer["look_with"]["arguments"])).structured_content
            calls += 1
            assert answer["waited_seconds"] <= UNHEARD_S
        assert answer["there"] is True
        assert calls == 4


async def test_a_wait_that_ends_before_the_thing_is_there_is_no_error_and_says_how_to_go_on() -> None:
    async with moving() as made:
        build(made)
        answer = await waits(made, heard=Heard(), resource="instance", id="train-1", status="ACTIVE")
        told = answer.structured_content
        assert not answer.is_error
        assert (told["there"], told["status"], told["waited_seconds"]) == (False, "BUILD", DEFAULT_S)
        assert told["look_with"]["tool"] == "wait_for_status"
        assert "is still BUILD after 240 s of waiting; it usually takes 3 to 10 minutes." in told["notes"][0]
        assert told["look_with"]["arguments"]["status"] == "ACTIVE"
        assert "To go on waiting: wait_for_status with resource=instance" in answer.content[0].text


async def test_a_thing_that_stays_in_another_state_is_told_soon() -> None:
    async with moving() as made:
        machine = made.thing("instances", status="SHUTOFF")
        answer = await waits(made, heard=Heard(), resource="instance", id=machine["vm_name"], status="ACTIVE")
        told = answer.structured_content
        assert (told["there"], told["status"]) == (False, "SHUTOFF")
        assert told["waited_seconds"] < 60
        assert "is SHUTOFF and stays so; nothing is seen to take it to ACTIVE." in answer.content[0].text


@pytest.mark.promise("M4")
@pytest.mark.parametrize(
    ("given", "body", "sentence"),
    [
        ({"id": "train-1"}, {"status": "ERROR", "fault": "No host found"}, "is ERROR now: «No host found»."),
        ({"id": "BRK-999999D"}, None, "There is no instance"),
    ],
)
async def test_what_will_never_be_there_is_told_at_once_as_a_failure(
    given: JsonObject, body: JsonObject | None, sentence: str
) -> None:
    async with moving() as made:
        if body is not None:
            at = made.thing("instances", vm_name="train-1")["instance_id"]
            made.play(
                {
                    "method": "GET", "path": f"/instances/{at}/", "action": "status", "status": 200, "times": 9,
                    "body": {"success": True, "instance": {"instance_id": at, "vm_name": "train-1", **body}},
                }
            )  # fmt: skip
        answer = await waits(made, heard=Heard(), resource="instance", **given)
        assert answer.is_error
        assert answer.structured_content["outcome"] == "failed"
        assert sentence in answer.structured_content["message"]
        assert made.effects == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"resource": "instance", "id": "train-7"}, "id: no instance has this id or name; did you mean"),
        ({"resource": "key", "id": "train-1"}, "resource: must be"),
        ({"resource": "instance", "id": "../billing"}, "id: must be an id"),
        ({"resource": "instance", "id": "train-1", "timeout_seconds": 601}, "timeout_seconds: must be 1 to 600"),
    ],
)
async def test_what_is_no_thing_or_no_time_is_refused_before_anything_is_waited_for(
    given: JsonObject, words: str
) -> None:
    async with moving() as made:
        answer = await waits(made, **given)
        assert answer.structured_content["outcome"] == "refused"
        assert words in answer.structured_content["message"]


@pytest.mark.promise("M4")
@pytest.mark.parametrize("era", ERAS)
async def test_a_cancelled_wait_asks_the_api_nothing_more(era: str) -> None:
    async with moving(era=era) as made:
        asleep, ended = anyio.Event(), anyio.Event()

        async def sleep(_: float) -> None:
            asleep.set()
            try:
                await anyio.sleep_forever()
            finally:
                ended.set()

        object.__setattr__(made.dispatcher.account, "sleep", sleep)
        build(made)
        with anyio.fail_after(PATIENT_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: waits(made, heard=Heard(), resource="instance", id="train-1"))
                await asleep.wait()
                sent = len(made.sent)
                tasks.cancel_scope.cancel()
            await ended.wait()
        assert len(made.sent) == sent


async def test_every_tool_that_waits_offers_the_same_bounds() -> None:
    offered = OFFERS["wait_for_status"].arguments.model_fields
    assert list(offered) == ["resource", "id", "status", "timeout_seconds"]
