"""The third Barrack, a real application of Django REST framework: learned from itself alone, it works whole."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from pydantic import SecretStr

from barrack_mcp.api.client import KeyAuth
from barrack_mcp.api.learning.addresses import ask_addresses
from barrack_mcp.api.learning.asking import AT_ONCE, Asker, open_asker
from barrack_mcp.api.learning.found import Found, Hindrance
from barrack_mcp.api.learning.root import find_lists
from barrack_mcp.api.learning.schema import find_schema
from barrack_mcp.api.openapi.document import Document, TheirOperation
from barrack_mcp.api.wire.loading import load
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.cli.contract.learn import learn
from barrack_mcp.cli.process import ExitCode
from barrack_mcp.config import read_settings
from barrack_mcp.server.house import open_server
from tests.learning.scripted_api import TODAY
from tests.learning.third.starting import HEADER, KEY, READER, Third, third_barrack
from tests.support.examples import PUBLIC_KEY
from tests.support.house import Person, says_yes
from tests.support.patience import PATIENT_S

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TOOLS = {
    "get_pricing",
    "quote_price",
    "list_regions",
    "list_instances",
    "get_instance",
    "start_instance",
    "stop_instance",
    "reboot_instance",
    "delete_instance",
    "list_ssh_keys",
    "create_ssh_key",
    "get_ssh_key",
    "delete_ssh_key",
    "list_volumes",
    "create_volume",
    "get_volume",
    "attach_volumes",
    "detach_volumes",
    "clone_volume",
    "resize_volume",
    "delete_volume",
    "list_snapshots",
    "create_snapshot",
    "get_snapshot",
    "restore_snapshot",
    "delete_snapshot",
    "list_firewalls",
    "create_firewall",
    "get_firewall",
    "add_firewall_rule",
    "remove_firewall_rule",
    "attach_firewall",
    "delete_firewall",
}
"""All that the third Barrack does."""
A_FEW = 12
OUR_KEY = {"BARRACK_AUTH_HEADER": HEADER, "BARRACK_AUTH_TEMPLATE": "{key}"}


@pytest.fixture(scope="module")
def third(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Third]:
    with third_barrack(tmp_path_factory.mktemp("third")) as there:
        yield there


@asynccontextmanager
async def asking(third: Third, key: str | None = KEY) -> AsyncIterator[Asker]:
    auth = KeyAuth(SecretStr(key), header=HEADER, template="{key}") if key is not None else None
    async with open_asker(third.url, auth) as asker:
        yield asker


async def learned(third: Third, key: str | None = KEY) -> tuple[list[Found], Document]:
    """What its document says, else its root and its addresses; and all of that in one."""
    with anyio.fail_after(PATIENT_S):
        async with asking(third, key) as asker:
            found = [await find_schema(asker, third.url, today=TODAY)]
            if found[0] is None or not found[0].document.operations:
                found.append(await find_lists(asker, third.url, today=TODAY))
                lists = found[1].document.operations if found[1] is not None else ()
                known = {each.operation_id: each.path for each in lists if each.operation_id in BY_TOOL}
                found.append(await ask_addresses(asker, third.url, known=known, today=TODAY))
    some = [each for each in found if each is not None]
    operations: tuple[TheirOperation, ...] = tuple(each for one in some for each in one.document.operations)
    auth = next((each.document.auth for each in some if each.document.auth is not None), None)
    return some, Document(name="learned", auth=auth, operations=operations)


def checked(third: Third) -> list[list[Any]]:
    """That nothing was changed and little was asked; answers the requests."""
    told = third.told()
    assert told["effects"] == []
    assert {method for method, *_ in told["requests"]} <= {"GET", "HEAD", "OPTIONS"}
    assert len(told["requests"]) <= 200
    requests: list[list[Any]] = told["requests"]
    return requests


def arguments(tool: str, things: dict[str, list[str]]) -> JsonObject:
    """What each operation is called with."""
    machine, sleeper = things["machine"][1], things["machine"][0]
    disk, used = things["disk"]
    rule = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_ip_prefix": "10.0.0.0/8"}
    more: dict[str, JsonObject] = {
        "start_instance": {"instance_id": sleeper},
        "create_ssh_key": {"name": "fresh-1", "public_key": PUBLIC_KEY},
        "create_volume": {
            "name": "fresh-1",
            "region": "CANADA-1",
            "size_gb": 500,
            "tier": "advanced",
            "volume_type": "NVMe",
        },
        "attach_volumes": {"instance_id": machine, "volume_ids": [disk]},
        "detach_volumes": {"instance_id": machine, "volume_ids": [used]},
        "clone_volume": {"volume_id": disk, "name": "fresh-1"},
        "resize_volume": {"volume_id": disk, "size_gb": 700},
        "create_snapshot": {"instance_id": machine, "name": "fresh-1", "description": "before the move"},
        "restore_snapshot": {"snapshot_id": things["backup"][0], "name": "fresh-1"},
        "create_firewall": {"name": "fresh-1", "region": "CANADA-1"},
        "add_firewall_rule": {"firewall_id": things["group"][0], **rule, "port_range_min": 80, "port_range_max": 81},
        "remove_firewall_rule": {"firewall_id": things["group"][0], "rule_id": things["rule"][0]},
        "attach_firewall": {"firewall_id": things["group"][0], "instance_ids": [machine]},
    }
    ids = {
        "instance_id": machine,
        "volume_id": disk,
        "snapshot_id": things["backup"][0],
        "firewall_id": things["group"][0],
        "key_id": things["key"][0],
    }
    if tool in ("get_pricing", "quote_price", "list_regions"):
        return {}
    return more.get(tool) or {name: ids[name] for name in BY_TOOL[tool].placeholders}


WAYS: dict[str, tuple[dict[str, bool], dict[str, str]]] = {
    # its document tells the header as well
    "its document": ({}, {}),
    "a document without titles": ({"titles": False}, OUR_KEY),
    "its root and addresses": ({"schema": False}, OUR_KEY),
}


@pytest.mark.promise("L2")
@pytest.mark.parametrize("way", WAYS)
async def test_learned_from_itself_alone_every_operation_of_a_real_application_works(
    way: str, third: Third, tmp_path: Path
) -> None:
    switches, header = WAYS[way]
    third.renew(**switches)
    out = tmp_path / "learned.toml"
    settings = {"BARRACK_API_URL": third.url, "BARRACK_API_KEY": KEY, "BARRACK_STATE": str(tmp_path / "state.db")}
    settings |= header
    assert await learn(read_settings(settings), docs=None, out=out, today=TODAY) == ExitCode.OK
    checked(third)
    assert set(load(out.read_bytes(), "learned.toml").operations) == TOOLS
    settings |= {"BARRACK_CONTRACT": str(out)}
    tools = sorted(TOOLS)
    with anyio.fail_after(PATIENT_S):
        # a few with each house, so that its own limit of requests a minute is not met
        for some in (tools[start : start + A_FEW] for start in range(0, len(tools), A_FEW)):
            async with (
                open_server(read_settings(settings)) as product,
                Client(product.server, elicitation_callback=Person(says_yes)) as client,
            ):
                for tool in some:
                    things = third.renew(**switches)["things"]
                    answer = (await client.call_tool(tool, arguments(tool, things))).structured_content or {}
                    assert answer.get("outcome", "done") == "done", (tool, answer)
                    assert "unexpected" not in answer.get("result", answer), tool
                    assert third.told()["effects"] == ([] if BY_TOOL[tool].reads else [tool])


async def test_fields_of_what_is_made_and_done_are_found_without_one_effect(third: Third) -> None:
    third.renew(schema=False)
    _, document = await learned(third)
    requests = checked(third)
    bodies = {each.operation_id: each.body for each in document.operations if each.body is not None}
    fields = {tool: {name for name in body.fields if name in body.required} for tool, body in bodies.items()}
    assert fields == {
        "create_ssh_key": {"label", "public_key"},
        "create_volume": {"label", "size", "location", "kind", "plan"},
        "attach_volumes": {"disks"},
        "detach_volumes": {"disks"},
        "clone_volume": {"label"},
        "resize_volume": {"capacity"},
        "create_snapshot": {"title"},
        "restore_snapshot": set(),
        "create_firewall": {"label", "location"},
        "add_firewall_rule": {"direction", "ethertype", "protocol", "cidr"},
        "attach_firewall": {"machines"},
    }
    assert bodies["create_volume"].fields["size"].limits == {"minimum": 10, "maximum": 4000}
    things = {one for some in third.told()["things"].values() for one in some} - {"0"}
    asked = {part for _, path, *_ in requests for part in path.split("/")}
    assert not things & asked


async def test_a_key_that_may_only_read_learns_the_addresses_and_not_the_fields(third: Third) -> None:
    third.renew(schema=False)
    _, document = await learned(third, READER)
    checked(third)
    assert {each.operation_id for each in document.operations} >= TOOLS
    assert not [each for each in document.operations if each.body is not None]


@pytest.mark.parametrize("key", ["another.canary-0000", None])
async def test_a_key_that_is_refused_is_told_and_asking_ends(key: str | None, third: Third) -> None:
    third.renew(schema=False)
    found, document = await learned(third, key)
    requests = checked(third)
    assert not document.operations
    words = [each.notes[-1] for each in found if each.hindered is Hindrance.KEY]
    assert words
    assert all(("refuses the key" if key else "none is set") in each for each in words)
    assert len(requests) < 90


async def test_an_api_that_wants_fewer_requests_is_left_alone_at_once(third: Third) -> None:
    third.renew(schema=False, requests_left=12)
    found, document = await learned(third)
    requests = checked(third)
    assert {each.operation_id for each in document.operations} >= {"list_volumes", "list_instances"}
    assert found[-1].hindered is Hindrance.THROTTLED
    assert "in 23 s" in found[-1].notes[-1]
    refused = [status for *_, status in requests].index(429)
    # those that were under way already
    assert len(requests) - refused <= AT_ONCE
    third.renew(schema=False, requests_left=0)
    found, _ = await learned(third)
    assert [each.hindered for each in found[-2:]] == [Hindrance.THROTTLED, Hindrance.THROTTLED]
    assert sum(status == 429 for *_, status in checked(third)) == 1


async def test_an_api_that_is_gone_is_told_as_out_of_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = Third(f"http://127.0.0.1:{taken.getsockname()[1]}")
    found, document = await learned(nobody)
    assert not document.operations
    assert {each.hindered for each in found} == {Hindrance.UNREACHABLE}


async def test_an_api_that_allows_few_requests_is_learned_by_the_command_in_several_turns(
    third: Third, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each turn begins with what the turn before has found, once a person has set it."""
    said = {"BARRACK_API_URL": third.url, "BARRACK_API_KEY": KEY, "BARRACK_STATE": str(tmp_path / "state.db")}
    said |= OUR_KEY
    for turn in range(5):
        third.renew(schema=False, requests_left=40)
        out = tmp_path / f"{turn}.toml"
        code = await learn(read_settings(said), docs=None, out=out, today=TODAY)
        requests = checked(third)
        assert sum(status == 429 for *_, status in requests) <= AT_ONCE
        said["BARRACK_CONTRACT"] = str(out)
        if set(load(out.read_bytes(), "learned").operations) == TOOLS:
            break
        assert code == ExitCode.OK
        assert "again in 23 s" in " ".join(capsys.readouterr().out.split())
    assert turn in (1, 2, 3)
