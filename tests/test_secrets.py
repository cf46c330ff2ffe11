"""A key that strays shows nowhere: not in results, logs, records or states, whichever layer breaks or echoes it."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, Self

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import ElicitResult, TextContent
from pydantic import SecretStr, model_validator
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from barrack_mcp.account.account import Account
from barrack_mcp.api.redact import HidingFormatter, Redaction
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject
from barrack_mcp.catalogue.models import Request, Response
from barrack_mcp.dispatch.writes.keyfile import KeyFolder
from barrack_mcp.dispatch.writes.ledger import Ledger
from barrack_mcp.simulator import create_app
from barrack_mcp.state.audit import Audit
from barrack_mcp.state.store import Approval, Entry, Overtaken, SqliteStore, Start
from tests.support import examples
from tests.support.answers import CANARY, Answers, client
from tests.support.answers import json as answered
from tests.support.guarding import Corridor, account_of, guard, writer
from tests.support.hostile import body_of
from tests.support.patience import PATIENT_S
from tests.support.running import EVERY_RISK, environment, listening

pytestmark = pytest.mark.anyio

ERAS = ["legacy", "auto"]
COMMAND = [sys.executable, "-m", "barrack_mcp"]
STATE: Any = create_app(now=lambda: 0.0).state.barrack.state()
KNOWING = Redaction(SecretStr(CANARY))
FINE = {"success": True, "volume": {"volume_id": "BRK-1V", "volume_name": "data"}, "volumes": []}
VOLUME = {"name": "data", "size_gb": 200, "region": "NORWAY-1", "tier": "legacy", "volume_type": "SSD"}


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """The log at its finest level, as the product writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(HidingFormatter(logging.Formatter("%(name)s %(message)s"), KNOWING))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


# Every layer breaks with the key in its hands


def broken(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError(f"broken with {CANARY}")


class BrokenRequest(Request):
    volume_id: str

    @model_validator(mode="after")
    def _breaks(self) -> Self:
        broken()


class BrokenResponse(Response):
    volumes: list[str] | None = None

    @model_validator(mode="after")
    def _breaks(self) -> Self:
        broken()


class BrokenLook(SqliteStore):
    async def look_up(self, digest: str, bindings: Sequence[str]) -> tuple[Entry | None, Approval | None]:
        broken(digest, *bindings)


class BrokenEntries(SqliteStore):
    async def begin(self, start: Start) -> Entry | Overtaken | None:
        broken(str(start))


class BrokenAudit(Audit):
    async def intent(self, **_: Any) -> str:
        broken()


class BrokenFolder(KeyFolder):
    def reserve(self, name: str) -> Path:
        broken(name)


def house(transport: Answers | None = None, *, store: SqliteStore | None = None, **more: Any) -> Corridor:
    api = client(transport or Answers(answered(FINE)))
    surface = {operation.tool: operation for operation in OPERATIONS}
    made: dict[str, Any] = {
        "account": account_of(api),
        "surface": surface,
        "guard": guard(store=store, unattended=() if store else EVERY_RISK.split(",")),
        "writer": writer(ledger=Ledger(store)) if store else writer(),
    }
    return Corridor(**made | more)


def with_model(tool: str, **models: Any) -> Corridor:
    return house(surface={tool: replace(BY_TOOL[tool], **models)})


class BrokenAccount(Account):
    async def read(self, tool: str, arguments: JsonObject) -> JsonObject:
        broken(tool, arguments)

    recall = read


def with_writer(**more: Any) -> Corridor:
    return house(writer=writer(**more))


DELETE = ("delete_volume", {"volume_id": "BRK-1V"})
CREATE = ("create_volume", VOLUME)
FIREWALL = ("create_firewall", {"name": "office", "region": "CANADA-1"})
LAYERS: dict[str, tuple[tuple[str, JsonObject], Callable[[Path], Corridor]]] = {
    "validate, a read": (
        ("get_volume", {"volume_id": "BRK-1V"}),
        lambda _: with_model("get_volume", place=BrokenRequest),
    ),
    "validate, a write": (DELETE, lambda _: with_model("delete_volume", place=BrokenRequest)),
    "guard": (
        DELETE,
        lambda _: house(account=BrokenAccount(client(Answers(answered(FINE))), "https://barrack.example/api")),
    ),
    "client, a read": (("list_volumes", {}), lambda _: house(Answers(RuntimeError(CANARY)))),
    "client, a read before a write": (FIREWALL, lambda _: house(Answers(RuntimeError(CANARY)))),
    "client, a write": (FIREWALL, lambda _: house(Answers(answered(FINE), firewalls__create=RuntimeError(CANARY)))),
    "present, a read": (("list_volumes", {}), lambda _: with_model("list_volumes", response=BrokenResponse)),
    "present, a write": (DELETE, lambda _: with_model("delete_volume", response=BrokenResponse)),
    "state": (DELETE, lambda _: house(store=BrokenLook(":memory:"))),
    "ledger": (CREATE, lambda _: with_writer(ledger=Ledger(BrokenEntries(":memory:")))),
    "record": (CREATE, lambda path: with_writer(audit=BrokenAudit(path / "audit.jsonl"))),
    "key folder": (("create_ssh_key", {"name": "a"}), lambda path: house(key_folder=BrokenFolder(path))),
}


OUTCOMES = {"client, a write": "unknown", "present, a write": "unknown"}
"""Where something had been sent by then."""


@pytest.mark.promise("S2")
@pytest.mark.promise("S1")
@pytest.mark.parametrize("layer", LAYERS)
async def test_whichever_layer_breaks_the_caller_gets_an_id_and_nobody_the_key(
    layer: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tool, arguments), make = LAYERS[layer]
    told: set[str] = set()
    for era in ERAS:
        with logged() as log, anyio.fail_after(PATIENT_S):
            async with Client(make(tmp_path).server, mode=era) as connected:
                result = await connected.call_tool(tool, arguments)
        (block,) = result.content
        assert isinstance(block, TextContent)
        crash = re.match(r"Internal error ([0-9a-f]{16})", block.text)
        assert crash, block.text
        assert result.is_error
        said = result.structured_content or {}
        assert said["outcome"] == OUTCOMES.get(layer, "failed" if BY_TOOL[tool].reads else "refused")
        assert ("Nothing was sent" in block.text) is (said["outcome"] == "refused")
        assert ("look_with" in said) is (said["outcome"] == "unknown")
        assert "canary" not in result.model_dump_json()
        assert f"internal error {crash[1]} in {tool}" in log.getvalue()
        assert "RuntimeError: " in log.getvalue()
        assert "canary" not in log.getvalue()
        told.add(result.model_dump_json(by_alias=True, exclude={"meta"}).replace(crash[1], "id"))
    assert len({re.sub(r'"resultType":"[a-z]+",?', "", each) for each in told}) == 1
    captured = capfd.readouterr()
    # pytest's own handlers write to neither
    assert "canary" not in f"{captured.out}{captured.err}"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]


@pytest.mark.promise("S2")
@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_breaks_while_it_is_asked_gets_no_key_and_has_no_effect(era: str) -> None:
    transport = Answers(answered(FINE))

    async def person(context: Any, params: Any) -> ElicitResult:  # noqa: ARG001 - the SDK passes them
        raise RuntimeError(CANARY)

    asking = house(transport, guard=guard())
    with logged() as log, anyio.fail_after(PATIENT_S):
        async with Client(asking.server, mode=era, elicitation_callback=person) as connected:
            try:
                said = (await connected.call_tool(*DELETE)).model_dump_json()
            except Exception as error:  # noqa: BLE001 - the client's own error comes back to it in the newer era
                said = type(error).__name__
    assert "canary" not in f"{said}{log.getvalue()}"
    assert {request.method for request in transport.requests} == {"GET"}


# The API echoes the key, and the product runs as its users run it


def echoing(status: int) -> Starlette:
    """An API that repeats the key in the body, in every text and header, and an answer that looks like a listing."""
    by_place = {
        (str(operation.method), operation.path.count("/"), operation.path.split("/")[1]): operation
        for operation in OPERATIONS
    }

    async def echo(request: HttpRequest) -> JSONResponse:
        key = request.headers["Authorization"]
        path = request.url.path.removeprefix("/api")
        operation = by_place.get((request.method, path.count("/"), path.split("/")[1]), OPERATIONS[0])
        refusal = {
            "success": False,
            "message": f"invalid key: {key}",
            "code": key,
            "request_id": key,
            "errors": {key: key},
        }
        body = refusal if status >= 300 else body_of(operation, f"seen: {key}")
        return JSONResponse(body, status, headers={"X-Echo": key, "Set-Cookie": f"key={key.replace(' ', '')}"})

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(routes=[Route("/{path:path}", echo, methods=methods)])


@pytest.mark.slow
@pytest.mark.promise("S1")
@pytest.mark.parametrize(("era", "status"), [("legacy", 200), ("auto", 401)])
async def test_an_api_that_echoes_the_key_brings_it_into_no_result_no_record_and_no_log(
    era: str, status: int, tmp_path: Path
) -> None:
    settings = {
        "BARRACK_API_KEY": CANARY,
        "BARRACK_UNATTENDED": EVERY_RISK,
        "BARRACK_STATE": str(tmp_path / "state.db"),
    }
    written = tmp_path / "stderr"
    with anyio.fail_after(PATIENT_S):
        async with listening(echoing(status)) as url:
            parameters = StdioServerParameters(
                command=COMMAND[0],
                args=[*COMMAND[1:], "serve"],
                env=environment(**settings, BARRACK_API_URL=f"{url}/api"),
            )
            with written.open("w", encoding="utf-8") as log:
                async with Client(stdio_client(parameters, errlog=log), mode=era) as connected:
                    for operation in OPERATIONS:
                        result = await connected.call_tool(operation.tool, examples.good(operation, STATE))
                        assert "canary" not in result.model_dump_json(), operation.tool
                        assert not any("Internal error" in getattr(block, "text", "") for block in result.content)
    kept = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"state.db", "audit.jsonl", "stderr"} <= kept.keys()
    for name, content in kept.items():
        assert KNOWING.hidden(content.decode(errors="replace")) == content.decode(errors="replace"), name


# What a caller entrusts to the product


@pytest.mark.slow
@pytest.mark.promise("S4")
async def test_a_callers_secrets_are_in_no_record_and_no_log_even_if_the_api_repeats_them(tmp_path: Path) -> None:
    script, password, cloud_init = "#!/bin/sh\necho hunter2-script\n", "hunter2-password", "#cloud-config hunter2-init"
    given = {"jupyter_password": password, "cloud_init": cloud_init}

    async def echo(request: HttpRequest) -> JSONResponse:
        if request.method == "GET" and request.url.path.endswith("/SCR-1/"):
            return JSONResponse({"success": True, "script": {"id": "SCR-1", "name": "a", "script": "#!/bin/sh\n"}})
        if request.method == "GET":
            return JSONResponse({"success": True, "data": {}})
        sent = await request.json()
        said = " ".join(str(sent.get(name, "")) for name in (*given, "script"))
        return JSONResponse({"success": True, "message": f"Took {said}", "request_id": "r-1"})

    calls = {
        "create_startup_script": {"name": "a", "script": script},
        "update_startup_script": {"script_id": "SCR-1", "script": script},
        "deploy_instance": examples.good(BY_TOOL["deploy_instance"], STATE) | given,
    }
    settings = {
        "BARRACK_API_KEY": CANARY,
        "BARRACK_UNATTENDED": EVERY_RISK,
        "BARRACK_STATE": str(tmp_path / "state.db"),
    }
    app = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST", "PUT"])])
    with anyio.fail_after(PATIENT_S):
        async with listening(app) as url:
            parameters = StdioServerParameters(
                command=COMMAND[0],
                args=[*COMMAND[1:], "serve"],
                env=environment(**settings, BARRACK_API_URL=f"{url}/api"),
            )
            with (tmp_path / "stderr").open("w", encoding="utf-8") as log:
                async with Client(stdio_client(parameters, errlog=log)) as connected:
                    for tool, arguments in calls.items():
                        result = await connected.call_tool(tool, arguments)
                        assert (result.structured_content or {})["outcome"] == "done", result
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"hunter2" not in path.read_bytes(), path.name
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len([line for line in lines if re.search(r"Took(\\x20| )+\[secret\]", str(line.get("message")))]) == 3
