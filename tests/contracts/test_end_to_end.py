"""The whole product against the other Barrack on a real socket: as shipped it fails clearly, by data alone it works."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import ElicitResult

from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Operation, Risk
from barrack_mcp.cli.contract import command as contracting
from barrack_mcp.config import SettingsError, read_settings
from barrack_mcp.server.house import open_server
from barrack_mcp.simulator import create_app
from barrack_mcp.simulator.faults import parse
from tests.contracts import dialect
from tests.contracts.other import ALIKE, ALIKE_VALUES, ENTRIES, PATHS, UNLIKE, UNLIKE_VALUES, Other
from tests.support import examples, unhurried
from tests.support.house import ASKING, Person, says_yes
from tests.support.patience import PATIENT_S
from tests.support.running import KEY, listening

pytestmark = pytest.mark.anyio

A_FEW = 6
"""So many operations a server, so that its own limit of requests a minute is not met."""


def few(operations: Sequence[Operation]) -> Iterator[Sequence[Operation]]:
    for start in range(0, len(operations), A_FEW):
        yield operations[start : start + A_FEW]


@dataclass
class House:
    """What a test looks at."""

    client: Client
    other: Other
    person: Person

    def renewed(self) -> Any:
        """A fresh world behind the other Barrack; answers what it holds."""
        self.other.simulator = create_app(now=lambda: 0.0)
        self.person.questions.clear()
        return json.loads(json.dumps(self.barrack.state()))

    @property
    def barrack(self) -> Any:
        simulator: Any = self.other.simulator
        return simulator.state.barrack

    async def call(self, operation: Operation) -> JsonObject:
        result = await self.client.call_tool(operation.tool, examples.good(operation, self.renewed()))
        return dict(result.structured_content or {}) | {"is_error": result.is_error}


def says_no(_: str) -> ElicitResult:
    return ElicitResult(action="decline")


@asynccontextmanager
async def address_of(other: Other) -> AsyncIterator[str]:
    app: Any = other
    async with listening(app) as address:
        yield f"{address}/api"


@asynccontextmanager
async def house(
    folder: Path,
    settings: dict[str, str],
    *,
    unlike: bool = False,
    answer: Any = says_yes,
) -> AsyncIterator[House]:
    """A client, the product wired from its settings, and the other Barrack; `{url}` in a setting is its address."""
    names, values = (UNLIKE, UNLIKE_VALUES) if unlike else (ALIKE, ALIKE_VALUES)
    other = Other(create_app(now=lambda: 0.0), ENTRIES, names, values, document=dialect.written())
    person = Person(answer)
    with anyio.fail_after(PATIENT_S):
        async with address_of(other) as url:
            said = {"BARRACK_API_URL": url, "BARRACK_API_KEY": other.key, "BARRACK_STATE": str(folder / "state.db")}
            said |= {name: value.replace("{url}", url) for name, value in settings.items()}
            async with (
                open_server(read_settings(said)) as product,
                Client(product.server, elicitation_callback=person) as client,
            ):
                yield House(client, other, person)


async def adopted(folder: Path) -> dict[str, str]:
    """Settings after `contract adopt` on the other Barrack's own document."""
    document, out = folder / "openapi.json", folder / "adopted.toml"
    document.write_bytes(dialect.as_bytes(dialect.written()))
    assert await contracting.adopt(str(document), out=out) == 0
    return {"BARRACK_CONTRACT": str(out)}


async def in_use(_: Path) -> dict[str, str]:
    """Settings that follow the document at its address."""
    return {"BARRACK_OPENAPI": "{url}/openapi.json?format=json"}


async def by_hand(folder: Path) -> dict[str, str]:
    """Settings with overrides as a person would write them."""
    (folder / "handbook.toml").write_text(dialect.handbook(), encoding="utf-8")
    return {"BARRACK_CONTRACT": str(folder / "handbook.toml")}


WAYS = {"adopted": adopted, "in use": in_use, "by hand": by_hand}
each_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The questions of each operation where nothing differs: the plans, as the guard puts them."""
    return anyio.run(questions_as_shipped, tmp_path_factory.mktemp("usual"), backend_options=unhurried.OPTIONS)


async def questions_as_shipped(folder: Path) -> dict[str, list[str]]:
    questions, person = {}, Person(says_yes)
    app = create_app(now=lambda: 0.0)
    async with listening(app) as url:
        said = {"BARRACK_API_URL": f"{url}/api", "BARRACK_API_KEY": KEY}
        for number, some in enumerate(few(OPERATIONS)):
            # what was changed through us before is told, and the worlds of the others begin anew
            said["BARRACK_STATE"] = str(folder / f"{number}.db")
            async with (
                open_server(read_settings(said)) as product,
                Client(product.server, elicitation_callback=person) as client,
            ):
                for operation in some:
                    app.state.barrack.reset()
                    person.questions.clear()
                    state = json.loads(json.dumps(app.state.barrack.state()))
                    await client.call_tool(operation.tool, examples.good(operation, state))
                    questions[operation.tool] = timeless(person.questions)
    return questions


def timeless(questions: Sequence[str]) -> list[str]:
    """Questions without the times in them, which go on from one to the next."""
    times = r"until \d+ \w{3} \d{4} \d\d:\d\d UTC|(?:less than a minute|\d+ minutes?) ago"
    return [re.sub(times, "then", question) for question in questions]


@pytest.mark.slow
@each_way
async def test_by_data_alone_every_operation_works_and_asking_ones_ask_as_they_always_do_and_then_run_once(
    way: str, tmp_path: Path, usual: dict[str, list[str]]
) -> None:
    settings = await WAYS[way](tmp_path)
    for some in few(OPERATIONS):
        async with house(tmp_path, settings, unlike=way == "by hand") as there:
            for operation in some:
                answer = await there.call(operation)
                assert not answer["is_error"], (operation.tool, answer)
                assert "unexpected" not in answer.get("result", answer), operation.tool
                effects = [effect["operation"] for effect in there.barrack.journal]
                assert effects == ([] if operation.reads else [operation.tool]), operation.tool
                assert timeless(there.person.questions) == usual[operation.tool], operation.tool
                asks = operation.risk not in (Risk.READ, Risk.CHANGE, Risk.EXPOSE)
                assert len(there.person.questions) == asks, operation.tool


@pytest.mark.slow
@pytest.mark.parametrize("way", ["adopted", "by hand"])
async def test_a_no_means_no_in_every_dialect(way: str, tmp_path: Path) -> None:
    # no clock here is the test's, so this no comes faster than a person's
    settings = await WAYS[way](tmp_path) | {"BARRACK_APPROVAL": "elicit"}
    for some in few(ASKING):
        async with house(tmp_path, settings, unlike=way == "by hand", answer=says_no) as there:
            for operation in some:
                answer = await there.call(operation)
                asked = bool(there.person.questions)
                assert [effect["operation"] for effect in there.barrack.journal] == ([] if asked else [operation.tool])
                assert answer["outcome"] == ("refused" if asked else "done"), operation.tool
                assert asked or operation.risk is Risk.EXPOSE, operation.tool


@pytest.mark.slow
@pytest.mark.promise("N10")
async def test_as_shipped_every_call_fails_says_what_mends_it_and_takes_no_effect(tmp_path: Path) -> None:
    told = {}
    for some in few(OPERATIONS):
        async with house(tmp_path, {}) as there:
            for operation in some:
                answer = await there.call(operation)
                assert answer["outcome"] in ("failed", "refused"), operation.tool
                assert not there.barrack.requests
                assert not there.person.questions
                told[operation.tool] = answer["message"]
    unclear = []
    for tool, message in told.items():
        if "This path is our guess: " in message:
            # a plan needs another read first, whose path may be the wrong one
            assert re.search(r"operations\.\w+\.path in the contract file", message), tool
            assert "barrack-mcp doctor" in message
        elif "HTTP 401" in message:
            assert "Check that the API key is right" in message, tool
        else:
            unclear.append(tool)
    # the vendor documents the prices' path, so that nobody calls it a guess
    assert {tool for tool in unclear if BY_TOOL[tool].reads} == {"get_pricing", "quote_price"}
    assert len(unclear) <= 5


async def test_a_404_of_a_path_that_somebody_vouches_for_does_not_call_it_a_guess(tmp_path: Path) -> None:
    async with house(tmp_path, await adopted(tmp_path)) as there:
        for tool in ("get_instance", "get_volume", "get_snapshot"):
            operation = BY_TOOL[tool]
            there.renewed()
            (name,) = operation.placeholders
            result = await there.client.call_tool(tool, {name: examples.UNKNOWN_ID})
            message = (result.structured_content or {})["message"]
            assert "404" in message
            assert "guess" not in message


@pytest.mark.promise("G11")
@pytest.mark.parametrize("tool", ["get_instance", "list_instance_firewalls"])
async def test_a_document_that_would_make_a_read_write_takes_no_effect_under_read_only(
    tool: str, tmp_path: Path
) -> None:
    said = {"operationId": tool, "summary": BY_TOOL[tool].title, "tags": [BY_TOOL[tool].group]}
    path = tmp_path / "openapi.json"
    path.write_bytes(json.dumps({"openapi": "3.0.3", "paths": {"/instances/{id}/stop/": {"post": said}}}).encode())
    app = create_app(now=lambda: 0.0)
    async with listening(app) as url:
        settings = {"BARRACK_API_URL": f"{url}/api", "BARRACK_API_KEY": KEY, "BARRACK_STATE": str(tmp_path / "s.db")}
        settings |= {"BARRACK_OPENAPI": str(path), "BARRACK_READ_ONLY": "1"}
        async with open_server(read_settings(settings)) as product, Client(product.server) as client:
            good = examples.good(BY_TOOL[tool], json.loads(json.dumps(app.state.barrack.state())))
            assert not (await client.call_tool(tool, good)).is_error
    assert app.state.barrack.requests
    assert not app.state.barrack.journal


async def test_a_path_that_was_seen_working_is_not_called_a_guess_any_more(tmp_path: Path) -> None:
    app = create_app(now=lambda: 0.0)
    async with listening(app) as url:
        said = {"BARRACK_API_URL": f"{url}/api", "BARRACK_API_KEY": KEY, "BARRACK_STATE": str(tmp_path / "s.db")}
        async with open_server(read_settings(said)) as product, Client(product.server) as client:
            good = examples.good(BY_TOOL["get_volume"], json.loads(json.dumps(app.state.barrack.state())))
            told = []
            nothing = {"method": "GET", "path": "/volumes/BRK-999999X/", "action": "status", "status": 404, "times": 2}
            app.state.barrack.faults.replace(parse([nothing]))
            for arguments in ({"volume_id": examples.UNKNOWN_ID}, good, {"volume_id": examples.UNKNOWN_ID}):
                result = await client.call_tool("get_volume", arguments)
                told.append((result.structured_content or {}).get("message", ""))
    assert "This path is our guess: GET /volumes/{volume_id}/ of get_volume" in told[0]
    assert not told[1]
    assert "404" in told[2]
    assert "guess" not in told[2]


async def test_what_the_api_requires_beyond_what_we_know_is_an_argument_of_the_tool(tmp_path: Path) -> None:
    document = dialect.written()
    operation = document["paths"][PATHS["list_volumes"][1]]["get"]
    operation["parameters"].append(
        {"name": "projectCode", "in": "query", "required": True, "schema": {"type": "string", "enum": ["red", "blue"]}}
    )
    path = tmp_path / "openapi.json"
    path.write_bytes(dialect.as_bytes(document))
    async with house(tmp_path, {"BARRACK_OPENAPI": str(path)}) as there:
        (tool,) = (tool for tool in (await there.client.list_tools()).tools if tool.name == "list_volumes")
        (name,) = (name for name in tool.input_schema["properties"] if "project" in name)
        assert tool.input_schema["properties"][name]["enum"] == ["red", "blue"]
        assert name in tool.input_schema["required"]
        refused = await there.client.call_tool("list_volumes", {})
        assert (refused.structured_content or {})["outcome"] == "refused"
        assert not there.barrack.requests
        assert not (await there.client.call_tool("list_volumes", {name: "red"})).is_error
        assert [each["query"]["projectCode"] for each in there.barrack.requests if "projectCode" in each["query"]] == [
            "red"
        ]


@pytest.mark.parametrize(
    ("setting", "text", "words"),
    [
        ("BARRACK_CONTRACT", "[operations.get_instanc]\npath = 7\n", "line 1: operations.get_instanc is not a tool"),
        ("BARRACK_CONTRACT", None, "can't be read"),
        ("BARRACK_OPENAPI", "<html>", "is a web page"),
        ("BARRACK_OPENAPI", None, "can't be read"),
    ],
)
async def test_a_broken_file_stops_the_start_with_a_sentence(
    setting: str, text: str | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=words) as raised:
        async with open_server(read_settings({setting: str(path), "BARRACK_STATE": str(tmp_path / "s.db")})):
            pass
    assert setting in str(raised.value)


async def test_the_apis_words_about_a_field_bear_our_name_for_it(tmp_path: Path) -> None:
    async with house(tmp_path, await by_hand(tmp_path), unlike=True) as there:
        there.renewed()
        result = await there.client.call_tool("list_volumes", {"page": 999_999_999})
        assert not result.is_error
        there.other.simulator = Misfit()
        result = await there.client.call_tool("list_volumes", {"page": 2})
        assert "«page: Too far.» (HTTP 400)." in (result.structured_content or {})["message"]


class Misfit:
    """Says of the page, by the other Barrack's name for it, that it does not fit."""

    async def __call__(self, _: Any, __: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"page_number": ["Too far."]}'})
