"""The side under `/_sim`: journal, requests, state, clock, reset; and that all repeats with the seed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from barrack_mcp.simulator import create_app
from barrack_mcp.simulator.barrack import REMEMBERED
from barrack_mcp.simulator.clock import Clock
from tests.simulator.box import Box

pytestmark = pytest.mark.anyio


async def test_the_journal_lists_only_what_took_effect_in_order() -> None:
    box = Box()
    path = f"/instances/{box.instance('train-1')}"
    await box.get("/instances/")
    await box.post(f"{path}/start/", status=409)
    await box.post(f"{path}/stop/")
    box.wait(60)
    await box.post("/scripts/", {"name": "s", "script": "x"}, 201)
    assert await box.control("journal") == [
        {
            "seq": 1,
            "operation": "stop_instance",
            "method": "POST",
            "path": f"{path}/stop/",
            "body": None,
            "at": "2026-01-15T10:00:00Z",
        },
        {
            "seq": 2,
            "operation": "create_startup_script",
            "method": "POST",
            "path": "/scripts/",
            "body": {"name": "s", "script": "x"},
            "at": "2026-01-15T10:01:00Z",
        },
    ]


async def test_every_request_is_remembered_without_its_secrets() -> None:
    box = Box()
    await box.deploy(jupyter_password="hunter22-canary")
    await box.get("/instances/", page=2, api_key="canary")
    await box.send("POST", "/scripts/", content=b"{nonsense canary")
    seen = await box.control("requests")
    assert [(each["seq"], each["method"], each["path"], each["status"]) for each in seen] == [
        (1, "POST", "/instances/deploy/", 201),
        (2, "GET", "/instances/", 200),
        (3, "POST", "/scripts/", 400),
    ]
    assert set(seen[0]) == {"seq", "method", "path", "query", "body", "status", "at"}
    assert seen[1]["query"] == {"page": "2", "api_key": "********"}
    everything = json.dumps([seen, await box.control("journal"), await box.control("state")])
    assert "canary" not in everything
    assert "sim-key" not in everything


async def test_what_is_remembered_is_bounded() -> None:
    box = Box()
    for number in range(REMEMBERED + 5):
        box.barrack.remember(
            box.barrack.requests,
            method="GET",
            path="/",
            query={},
            body="x" * 50_000 if number % 1000 == 4 else None,
            status=None,
        )
    assert len(box.barrack.requests) == REMEMBERED
    assert box.barrack.requests[-1]["seq"] == REMEMBERED + 5
    assert len(box.barrack.requests[-1]["body"]) < 50_000


async def test_the_state_holds_everything_of_the_main_account() -> None:
    state = await Box().control("state")
    counts = {name: len(value) for name, value in state.items() if isinstance(value, list)}
    assert counts == {
        "instances": 5,
        "volumes": 4,
        "snapshots": 2,
        "images": 1,
        "firewalls": 2,
        "ssh_keys": 2,
        "scripts": 2,
    }
    assert state["balance"] == {"amount": 250, "currency": "USD", "hourly": 5.01}
    assert state["clock"] == {"now": "2026-01-15T10:00:00Z", "speed": 60, "advanced_s": 0}


async def test_the_small_scenario_has_all_that_is_promised() -> None:
    state = await Box().control("state")
    statuses = [each["status"] for each in state["instances"]]
    assert {status: statuses.count(status) for status in statuses} == {"HIBERNATED": 1, "ACTIVE": 3, "SHUTOFF": 1}
    assert {each["tier"] for each in state["instances"]} == {"legacy", "advanced"}
    assert {(each["volume_type"], each["status"]) for each in state["volumes"]} == {
        ("SSD", "in-use"),
        ("SSD", "available"),
        ("NVMe", "in-use"),
        ("HDD", "available"),
    }
    assert [each["image_id"] is None for each in state["snapshots"]] == [False, True]
    assert [len(each["attachments"]) for each in state["firewalls"]] == [2, 0]
    assert {each["status"] for each in state["firewalls"] + state["snapshots"]} == {"SUCCESS"}
    assert state["images"][0]["status"] == "available"
    assert all(each["security_rules"] for each in state["instances"])


async def test_accounts_do_not_see_each_other() -> None:
    box = Box()
    instance_id = box.instance("train-1")
    box.key = "sim-key-eur"
    await box.get(f"/instances/{instance_id}/", 404)
    assert (await box.get("/instances/"))["total"] == 1


async def test_the_clock_is_moved_on_and_never_back() -> None:
    box = Box()
    assert await box.control("clock", {"advance_s": 90.5}) == {"now": "2026-01-15T10:01:30Z"}
    real = [100.0, 110.0, 50.0]
    clock = Clock(speed=60, now=lambda: real.pop(0) if len(real) > 1 else real[0])
    assert clock.now() - clock.now() == 0


async def test_simulated_time_runs_at_its_speed() -> None:
    real = [0.0]
    app = create_app(speed=120, now=lambda: real[0])
    start = app.state.barrack.clock.now()
    real[0] = 2.5
    assert app.state.barrack.clock.now() - start == 300


async def test_a_reset_begins_again() -> None:
    box = Box()
    first = await box.control("state")
    await box.post(f"/instances/{box.instance('train-1')}/stop/")
    box.wait(100)
    await box.control("faults", [{"action": "reset"}])
    assert await box.control("reset", {}) == {"scenario": "small", "seed": 1}
    assert await box.control("state") == first
    assert await box.control("journal") == await box.control("requests") == await box.control("faults") == []


async def test_a_reset_may_choose_scenario_and_seed() -> None:
    box = Box()
    first = await box.control("state")
    await box.control("reset", {"seed": 2})
    assert await box.control("state") != first
    await box.control("reset", {"scenario": "large", "seed": 1})
    assert (await box.get("/instances/"))["total"] == 2000


async def test_a_reset_without_a_body_is_fine() -> None:
    answer = await Box().client.post("/_sim/reset")
    assert answer.json() == {"scenario": "small", "seed": 1}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("reset", {"scenario": "enormous"}),
        ("reset", {"seed": "1"}),
        ("reset", {"seed": True}),
        ("reset", {"speed": 1}),
        ("reset", [1]),
        ("clock", {}),
        ("clock", {"advance_s": -1}),
        ("clock", {"advance_s": 1e300}),
        ("clock", {"advance_s": "1"}),
        ("faults", {}),
        ("faults", ["reset"]),
        ("faults", [{}]),
        ("faults", [{"action": "explode"}]),
        ("faults", [{"action": []}]),
        ("faults", [{"action": "status", "status": 99}]),
        ("faults", [{"action": "status", "status": True}]),
        ("faults", [{"action": "status", "times": 0}]),
        ("faults", [{"action": "status", "times": "1"}]),
        ("faults", [{"action": "status", "after_effect": 1}]),
        ("faults", [{"action": "status", "headers": {"a": 1}}]),
        ("faults", [{"action": "status", "headers": {"a": "b\r\nc: d"}}]),
        ("faults", [{"action": "status", "headers": {"a b": "c"}}]),
        ("faults", [{"action": "slow", "pace_s": -1}]),
        ("faults", [{"action": "slow", "colour": "red"}]),
    ],
)
async def test_a_control_call_that_does_not_fit_is_told_in_a_sentence(path: str, body: Any) -> None:
    box = Box()
    answer = await box.control(path, body, 400)
    assert answer["detail"].endswith(".")
    assert await box.control("faults") == []


async def test_a_control_body_that_is_no_json_is_told() -> None:
    box = Box()
    for content in (b"{", b"NaN", b"[" * 100_000):
        answer = await box.client.post("/_sim/clock", content=content)
        assert answer.status_code == 400
        assert answer.json()["detail"]


@pytest.mark.parametrize("headers", [{"origin": "https://pages.example"}, {"host": "pages.example:8900"}])
async def test_a_web_page_has_no_say(headers: dict[str, str]) -> None:
    box = Box()
    for method, path, body in (("POST", "clock", b'{"advance_s": 60}'), ("GET", "state", b"")):
        answer = await box.client.request(method, f"/_sim/{path}", headers=headers, content=body)
        assert (answer.status_code, list(answer.json())) == (403, ["detail"])
    assert (await box.control("state"))["clock"]["now"] == "2026-01-15T10:00:00Z"


@pytest.mark.parametrize("host", ["127.0.0.1:8900", "[::1]:8900", "localhost", "simulator:8900"])
async def test_an_address_or_a_name_of_the_own_network_is_no_web_page(host: str) -> None:
    assert (await Box().client.get("/_sim/state", headers={"host": host})).status_code == 200


async def test_a_control_body_that_is_too_large_is_not_kept() -> None:
    answer = await Box().client.post("/_sim/faults", content=b" " * (5 << 20))
    assert answer.status_code == 413


async def test_time_stands_still_on_the_last_day_that_can_be_written() -> None:
    box = Box()
    box.wait(10_000 * 366 * 86_400)
    assert (await box.control("clock", {"advance_s": 1}))["now"] == "9999-12-31T00:00:00Z"
    assert (await box.get("/instances/"))["total"] == 5
    assert (await box.control("requests"))[0]["at"] == "9999-12-31T00:00:00Z"


def test_an_unknown_scenario_does_not_start() -> None:
    with pytest.raises(ValueError, match="choose one of small, large"):
        create_app(scenario="tiny")


async def tour(seed: int) -> list[bytes]:
    """Everything that one can see, some of it after changes."""
    box = Box(seed=seed)
    await box.deploy()
    await box.post(f"/instances/{box.instance('train-1')}/hibernate/")
    await box.post("/volumes/", {"name": "v"}, 400)
    box.wait(500)
    lists = ("balance", "instances", "volumes", "snapshots", "images", "firewalls", "ssh-keys", "scripts", "pricing")
    bills = ("instances/billing", "volumes/billing", "snapshots/billing")
    seen = [await box.send("GET", f"/{path}/") for path in (*lists, *bills)]
    seen += [await box.client.get(f"/_sim/{path}") for path in ("state", "journal", "requests")]
    return [answer.content for answer in seen]


async def test_who_comes_later_to_a_scenario_finds_what_the_first_found() -> None:
    first, *later = [await tour(seed=77) for _ in range(3)]
    assert later == [first, first]


async def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first, again, other = await tour(1), await tour(1), await tour(2)
    assert first == again
    assert first[1] != other[1]
