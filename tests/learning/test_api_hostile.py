"""Whatever an API answers while it is learned from: nothing is changed, the key stays with it, a read stays a read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barrack_mcp.api.learning.addresses import NOWHERE, ask_addresses
from barrack_mcp.api.learning.root import find_lists
from barrack_mcp.api.learning.schema import find_schema
from barrack_mcp.api.openapi.adopt import adopted
from barrack_mcp.api.openapi.document import Document
from barrack_mcp.api.wire.bounds import place
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.overrides import METHODS
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS
from barrack_mcp.cli.contract.learn import learn
from barrack_mcp.cli.process import ExitCode
from barrack_mcp.config import read_settings
from tests.learning.scripted_api import HOME, KEY, TODAY, Asked, Says, Scripted, asking
from tests.support.running import listening

MOSTLY = 0.9
PATHS = sorted({operation.path for operation in OPERATIONS})
ELSEWHERE = (
    "https://elsewhere.example.net/api/volumes/",
    "//elsewhere.example.net/volumes/",
    "http://api.example.com:8080/api/",
    "https://api.example.com.elsewhere.net/api/",
    "https://user:word@api.example.com/api/",
    "https://api.example.com\\@elsewhere.example.net/",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "/api/../admin/",
    "http://[::1",
)
addresses = st.one_of(
    st.sampled_from(ELSEWHERE),
    st.sampled_from([f"/api{path}" for path in PATHS]),
    st.sampled_from(["/api/things/", "things/", "0/stop/", "/api/%2e%2e/x/", "/api/a{b}c/"]),
    st.text(max_size=12),
)
names = st.one_of(
    st.sampled_from(sorted(BY_TOOL)), st.sampled_from(["volumes", "machines", "stop"]), st.text(max_size=8)
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-5, 10**9), st.text(max_size=6), addresses)
maps = st.dictionaries(names, st.one_of(addresses, scalars, st.dictionaries(names, addresses, max_size=2)), max_size=5)
fields = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "choice", "list", "nested object", "field", 7, None]),
        "required": st.sampled_from([True, False, "yes"]),
        "read_only": st.booleans(),
        "help_text": scalars,
        "min_value": scalars,
        "choices": st.one_of(
            scalars, st.lists(st.one_of(scalars, st.fixed_dictionaries({"value": scalars})), max_size=2)
        ),
        "child": st.one_of(scalars, st.fixed_dictionaries({"type": scalars})),
        "children": st.one_of(
            scalars, st.dictionaries(names, st.fixed_dictionaries({"required": scalars}), max_size=2)
        ),
    },
)
told: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"renders": st.just([]), "name": scalars},
    optional={
        "actions": st.one_of(
            scalars, st.dictionaries(st.sampled_from(METHODS), st.dictionaries(names, fields, max_size=3))
        )
    },
)
operations: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"responses": st.just({})},
    optional={"operationId": names, "summary": st.sampled_from([each.title for each in OPERATIONS]), "tags": scalars},
)
documents = st.fixed_dictionaries(
    {
        "openapi": st.just("3.0.3"),
        "paths": st.dictionaries(
            st.sampled_from([*PATHS, *(f"/api{path}" for path in PATHS), "/x/{y}/"]),
            st.dictionaries(st.sampled_from([method.lower() for method in METHODS]), operations, max_size=3),
            max_size=6,
        ),
    },
    optional={"servers": st.lists(st.fixed_dictionaries({"url": addresses}), max_size=1)},
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "allow": st.one_of(
            st.lists(st.sampled_from([*METHODS, "OPTIONS", "*", "TRACE"]), max_size=5).map(", ".join), st.just(",")
        ),
        "location": st.sampled_from([each for each in ELSEWHERE if each.isascii()])
        | st.just("/api/schema/?format=json"),
        "retry-after": st.sampled_from(["1", "-4", "soon"]),
        "content-type": st.sampled_from(["application/json", "text/html", "application/vnd.oai.openapi"]),
    },
)
statuses = st.sampled_from([200, 200, 200, 200, 204, 301, 308, 400, 403, 404, 405, 405, 500])
answers = st.builds(Says, st.one_of(maps, told, told, scalars, st.binary(max_size=20)), statuses, headers)


@pytest.mark.promise("L1")
@given(st.lists(answers, min_size=1, max_size=12), st.one_of(st.none(), documents), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_no_answer_whatever_makes_a_read_change_something_or_takes_the_key_elsewhere(
    said: list[Says], document: dict[str, Any] | None, chance: Any
) -> None:
    always: dict[tuple[str, str], Says] = {}

    def answer(asked: Asked) -> Says:
        if document is not None and "schema" in asked.address:
            return Says(document)
        # what answers alike for what can't be is not believed at all
        if NOWHERE in asked.address and chance.random() < MOSTLY:
            return Says({"detail": "Not found."}, 404)
        return always.setdefault((asked.method, asked.address), chance.choice(said))

    api = Scripted(answer)
    found = anyio.run(whole, api)
    assert {asked.method for asked in api.asked} <= {"GET", "HEAD", "OPTIONS"}
    assert {asked.host for asked in api.asked} == {"api.example.com"}
    assert len(api.asked) <= 200
    overrides = adopted(found)
    assert overrides.api.url is None
    contract = Contract(overrides)
    assert not contract.refused
    goes = {tool: contract.for_(operation) for tool, operation in BY_TOOL.items()}
    writes = {place(goes[tool].method, goes[tool].path) for tool, each in BY_TOOL.items() if not each.reads}
    for tool, operation in BY_TOOL.items():
        if operation.reads:
            there = place(goes[tool].method, goes[tool].path)
            assert there not in writes
            assert there.method in ("GET", operation.method)


async def whole(api: Scripted) -> Document:
    async with asking(api) as asker:
        some = [await find_schema(asker, HOME, today=TODAY), await find_lists(asker, HOME, today=TODAY)]
        known = {
            operation.operation_id: operation.path
            for found in some
            for operation in (found.document.operations if found is not None else ())
            if operation.operation_id in BY_TOOL
        }
        some.append(await ask_addresses(asker, HOME, known=known, today=TODAY))
    every = [operation for found in some if found is not None for operation in found.document.operations]
    return Document(name="learned", operations=tuple(every))


def echoing(kind: str) -> dict[str, Says]:
    """What an API answers that writes the key of whoever asks wherever it can."""
    wanted = {"type": "string", "required": True, "read_only": False, "help_text": f"Your key is {KEY}"}
    if kind == "document":
        asked = {"project": {"type": "string", "description": f"Ask with {KEY}", "enum": ["a", KEY]}, KEY: {}}
        content = {"content": {"application/json": {"schema": {"required": ["project"], "properties": asked}}}}
        operation = {"operationId": "create_volume", "summary": KEY, "requestBody": content, "responses": {}}
        paths = {"/volumes/": {"post": operation}, f"/{KEY}/volumes/": {"get": {"operationId": "list_volumes"}}}
        more = {"servers": [{"url": f"https://barrack.ai/{KEY}/"}]}
        return {"GET /api/schema/": Says({"openapi": "3.0.3", "paths": paths, **more})}
    actions = {"POST": {"project": wanted, KEY: wanted}}
    body = {"name": KEY, "renders": [], "actions": actions}
    return {
        "GET /api/": Says({"volumes": "/api/volumes/", "instances": f"/api/{KEY}/instances/", KEY: "/api/x/"}),
        "OPTIONS /api/volumes/": Says(body, headers={"allow": "GET, POST"}),
    }


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.promise("L1")
@pytest.mark.parametrize("kind", ["document", "addresses"])
async def test_a_key_that_an_api_writes_into_what_it_tells_is_in_no_file_and_on_no_page(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "learned.toml", tmp_path / "report.json"
    api: Any = Scripted(echoing(kind))
    async with listening(api) as address:
        said = {"BARRACK_API_URL": f"{address}/api", "BARRACK_API_KEY": KEY, "BARRACK_STATE": str(tmp_path / "s.db")}
        assert await learn(read_settings(said), docs=None, json_wanted=True, today=TODAY) == ExitCode.OK
        assert await learn(read_settings(said), docs=None, out=out, report=report, today=TODAY) == ExitCode.OK
    told = capsys.readouterr()
    assert "create_volume" in out.read_text(encoding="utf-8")
    assert all(asked.key for asked in api.asked[:1])
    for text in (out.read_text(encoding="utf-8"), report.read_text(encoding="utf-8"), told.out, told.err):
        assert KEY not in text.replace("\n", "")
