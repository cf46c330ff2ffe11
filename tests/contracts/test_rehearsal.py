"""The simulator speaks as a contract says, so that a contract can be rehearsed before it is trusted."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from pydantic import SecretStr

from barrack_mcp.api.client import open_client
from barrack_mcp.api.openapi.adopt import written
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.loading import load
from barrack_mcp.api.wire.overrides import Overrides
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Operation
from barrack_mcp.server.rehearsal import Rehearsal
from barrack_mcp.simulator import create_app
from tests.contracts.other import HEADER, PATHS
from tests.contracts.test_second_barrack import ADOPTED, BY_HAND, sent, works_at
from tests.support import examples
from tests.support.clock import at_once
from tests.support.guarding import Corridor, account_of, guard, writer
from tests.support.house import Person, says_yes
from tests.support.patience import PATIENT_S
from tests.support.running import KEY, environment, product

pytestmark = pytest.mark.anyio

A_FEW = 9
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.tool)


def spoken(contract: Contract) -> Any:
    api = contract.overrides.api
    return create_app(
        now=lambda: 0.0,
        dialect=Rehearsal(contract),
        auth_header=api.auth_header or "Authorization",
        auth_template=api.auth_template or "Bearer {key}",
    )


@pytest.mark.promise("L4")
@pytest.mark.parametrize("overrides", [ADOPTED, BY_HAND, Overrides()], ids=["adopted", "by hand", "as shipped"])
@each_operation
async def test_in_the_learned_spelling_every_call_takes_the_same_effect_and_gives_the_same_answer(
    operation: Operation, overrides: Overrides
) -> None:
    app = spoken(Contract(overrides))
    await works_at(Contract(overrides), operation, app, app)


@each_operation
async def test_as_shipped_every_call_fails_there(operation: Operation) -> None:
    app = spoken(Contract(ADOPTED))
    answer = await sent(Contract(), operation, examples.good(operation, state_of(app)), app)
    assert answer.status_code == 404
    assert not app.state.barrack.journal


def state_of(app: Any) -> Any:
    return json.loads(json.dumps(app.state.barrack.state()))


@asynccontextmanager
async def served(app: Any, contract: Contract) -> AsyncIterator[Client]:
    """The product over an application in this process, with a person who says yes."""
    api = contract.overrides.api
    async with open_client(
        url="http://127.0.0.1/api",
        key=SecretStr(KEY),
        auth_header=api.auth_header or "Authorization",
        auth_template=api.auth_template or "Bearer {key}",
        seconds=30,
        contract=contract,
        app=app,
        sleep=at_once,
    ) as api_client:
        corridor = Corridor(
            account=account_of(api_client),
            surface={operation.tool: contract.operation(operation) for operation in OPERATIONS},
            guard=guard(),
            writer=writer(),
        )
        async with Client(corridor.server, elicitation_callback=Person(says_yes)) as client:
            yield client


async def journals(app: Any, contract: Contract) -> dict[str, list[JsonObject]]:
    """What each tool did, called through the whole product."""
    found = {}
    for start in range(0, len(OPERATIONS), A_FEW):
        async with served(app, contract) as client:
            for operation in OPERATIONS[start : start + A_FEW]:
                app.state.barrack.reset()
                arguments = examples.good(operation, state_of(app))
                result = await client.call_tool(operation.tool, arguments)
                assert not result.is_error, (operation.tool, result.structured_content)
                found[operation.tool] = [
                    {name: each[name] for name in ("operation", "method", "path", "body")}
                    for each in app.state.barrack.journal
                ]
    return found


@pytest.mark.promise("L4")
async def test_through_the_whole_product_all_effects_are_those_without_the_contract_in_our_names() -> None:
    usual = await journals(create_app(now=lambda: 0.0), Contract())
    rehearsed = await journals(spoken(Contract(ADOPTED)), Contract(ADOPTED))
    assert rehearsed == usual
    assert {tool for tool, effects in usual.items() if effects} == {each.tool for each in OPERATIONS if not each.reads}


SAID = """
[api]
slash = "never"
page = "p"
[operations.get_volume]
path = "/{version}/disk/{volume_id}"
constants = { version = "v2", on = true }
result = "."
[operations.list_volumes]
method = "GET"
path = "/v2/disk"
result = "."
[operations.list_volumes.fields]
"volumes.region" = "place.name"
"request.region" = "place"
[operations.create_volume]
send = "query"
[operations.create_volume.arguments.tenant]
name = "tenant.id"
in = "body"
[operations.create_volume.about.name]
max_length = 20
[operations.create_volume.fields]
"request.size_gb" = "gigabytes"
"answer.volume.size_gb" = "gigabytes"
[operations.attach_volumes.about.volume_ids]
type = "integer"
[operations.deploy_instance.about.gpu_count]
type = "string"
[operations.deploy_instance.fields]
"request.security_rules.remote_ip_prefix" = "from.cidr"
[operations.delete_volume]
result = "deleted"
"""


@asynccontextmanager
async def asked(app: Any) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url="http://127.0.0.1/api",
        headers={"Authorization": f"Bearer {KEY}"},
    ) as http:
        yield http


async def test_constants_extras_places_and_types_are_read_as_strictly_as_the_api_would() -> None:
    contract = Contract(load(SAID.encode(), "said"))
    app = spoken(contract)
    volume = examples.free_volume(app.state.barrack.state())
    created = BY_TOOL["create_volume"].path.rstrip("/")
    async with asked(app) as http:
        one = await http.get(f"/v2/disk/{volume['volume_id']}?on=true")
        assert one.json()["volume_name"] == volume["volume_name"]
        missing = await http.get(f"/v2/disk/{volume['volume_id']}")
        assert (missing.status_code, missing.json()) == (400, {"on": ["This field is required."]})
        assert (await http.get(f"/v1/disk/{volume['volume_id']}?on=true")).status_code == 404
        wrong = await http.patch("/v2/disk")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")
        rows = (await http.get(f"/v2/disk?place={volume['region']}&region=nowhere")).json()
        assert {row["place"]["name"] for row in rows} == {volume["region"]}
        query = {"name": "fresh", "gigabytes": "500", "region": volume["region"], "tier": "legacy"}
        query |= {"volume_type": "SSD", "bootable": "false"}
        refused = await http.post(created, params=query)
        assert refused.json() == {"tenant.id": ["This field is required."]}
        query |= {"gigabytes": "5"}
        refused = await http.post(created, params=query, json={"tenant": {"id": "t"}})
        assert (refused.status_code, list(refused.json())) == (400, ["gigabytes"])
        assert not app.state.barrack.journal
        query |= {"gigabytes": "500"}
        made = await http.post(created, params=query, json={"tenant": {"id": "t"}})
        assert made.status_code == 201, made.text
        assert made.json()["volume"]["gigabytes"] == 500
    (effect,) = app.state.barrack.journal
    assert effect["body"]["size_gb"] == 500
    assert "tenant" not in effect["body"]


async def test_faults_play_as_they_always_do_by_our_paths() -> None:
    app = spoken(Contract(ADOPTED))
    method, path = PATHS["list_volumes"]
    async with asked(app) as http:
        http.headers[HEADER] = KEY
        await _control(app, [{"action": "status", "path": "/volumes/", "status": 503}])
        assert (await http.request(method, path)).status_code == 503
        assert (await http.request(method, path)).status_code == 200
    assert {each["path"] for each in app.state.barrack.requests} == {BY_TOOL["list_volumes"].path}


async def _control(app: Any, faults: list[JsonObject]) -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as http:
        answer = await http.post("http://127.0.0.1/_sim/faults", json=faults)
        assert answer.is_success, answer.text


@contextmanager
def simulating(file: Path) -> Iterator[str]:
    """`simulate --contract` in a process of its own; its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "barrack_mcp", "simulate", "--port", str(port), "--contract", str(file)]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE) as process:
        try:
            while process.poll() is None and not _listens(port):
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=PATIENT_S)
            assert f"BARRACK_CONTRACT={file}".encode() in told
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
async def test_a_user_can_rehearse_a_contract_over_real_processes(tmp_path: Path) -> None:
    file = tmp_path / "learned.toml"
    file.write_text(written(ADOPTED), encoding="utf-8")
    with simulating(file) as address:
        said = {"BARRACK_API_URL": f"{address}/api", "BARRACK_API_KEY": "sim-key", "BARRACK_CONTRACT": str(file)}
        person = Person(says_yes)
        async with product(settings=said, elicitation_callback=person) as client:
            listed = await client.call_tool("list_volumes", {})
            assert not listed.is_error
            free = next(row for row in listed.structured_content["volumes"] if not row.get("instance_id"))
            gone = await client.call_tool("delete_volume", {"volume_id": free["volume_id"]})
            assert gone.structured_content["outcome"] == "done"
        del said["BARRACK_CONTRACT"]
        async with product(settings=said) as client:
            failed = await client.call_tool("list_volumes", {})
            assert failed.is_error
            assert "404" in failed.structured_content["message"]
        journal = httpx2.get(f"{address}/_sim/journal", trust_env=False).json()
    assert [each["operation"] for each in journal] == ["delete_volume"]
    assert len(person.questions) == 1


@pytest.mark.slow
def test_a_contract_that_is_wrong_or_not_there_is_told_before_anything_listens(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[operation]\n", encoding="utf-8")
    for file, words in ((wrong, "line 1: operation"), (tmp_path / "none.toml", "can't be read")):
        command = [sys.executable, "-m", "barrack_mcp", "simulate", "--contract", str(file)]
        ran = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENT_S, check=False)
        assert ran.returncode == 2
        assert "--contract: " in ran.stderr
        assert words in ran.stderr
