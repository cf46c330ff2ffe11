"""No index and no page whatever makes learning fail, ask more, ask otherwise, leave the site, or unsay a read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barrack_mcp.api.learning.asking import MOST, open_asker
from barrack_mcp.api.learning.site import LEFT_FOR_THE_API, read_site
from barrack_mcp.api.openapi.adopt import adopted
from barrack_mcp.api.wire.bounds import place
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Operation
from tests.learning.apidog import FIRST, SITE, Answer, Site
from tests.learning.test_site import TODAY, Key
from tests.support.running import KEY

pytestmark = pytest.mark.anyio

titles = st.one_of(
    st.sampled_from([f"{operation.group} [{operation.title}]" for operation in OPERATIONS]),
    st.text(max_size=12).map(lambda text: f"[{text}]"),
)
numbers = st.integers(FIRST, FIRST + 12)
links = st.one_of(
    numbers.map(lambda number: f"{SITE}/p-{number}e0.md"),
    st.sampled_from(
        [
            "https://evil.example/p-1e0.md",
            f"{SITE}.evil.example/p-1e0.md",
            f"{SITE}@evil.example/p-1e0.md",
            f"{SITE}:444/p-1e0.md",
            "//evil.example/p-1e0.md",
            "http://docs.barrack.test/p-1e0.md",
            "/%2e%2e/p-1e0.md",
            "\\\\evil.example\\p-1e0.md",
            f"{SITE}/llms.txt",
            f"{SITE}/x/llms.txt",
        ]
    ),
    st.text(max_size=12),
)
lines = st.one_of(
    st.tuples(titles, links).map(lambda pair: f"- {pair[0]}({pair[1]}): x"),
    st.sampled_from(["## API Docs", "## Docs", "", "```", "- ["]),
    st.text(max_size=20),
)
indexes = st.lists(lines, max_size=20).map(lambda rows: "## API Docs\n" + "\n".join(rows))

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from(["", "null", "apikey", "*a"]), st.text(max_size=5)
)


def _holding(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)


odd = st.recursive(leaves, _holding, max_leaves=4)


def either(*said: Any) -> st.SearchStrategy[Any]:
    return st.one_of(*(each if isinstance(each, st.SearchStrategy) else st.just(each) for each in said), odd)


operations = st.fixed_dictionaries(
    {"summary": either(*(operation.title for operation in OPERATIONS[:9]))},
    optional={
        "tags": either(["Volumes"], ["Instances"]),
        "parameters": either([{"name": "Authorization", "in": "header"}], st.lists(odd, max_size=2)),
        "requestBody": either({"content": {"application/json": {"schema": {"type": "null"}}}}),
        "responses": either({"200": {"content": {"application/json": {"schema": {"$ref": "#/components"}}}}}),
        "security": either([], [{"ApiKeyAuth": [], "x-apidog": {"use": {}}}]),
        "deprecated": either(st.just(value=True)),
        "x-apidog-status": either("testing"),
        "x-apidog-folder": either("Volumes", "A/B"),
    },
)
methods = st.sampled_from(["get", "post", "put", "patch", "delete", "trace", "x-apidog"])
paths = st.one_of(st.sampled_from([operation.path for operation in OPERATIONS]), st.text(max_size=8))
items = st.dictionaries(methods, either(operations), max_size=2)
documents = st.fixed_dictionaries(
    {
        "openapi": either("3.0.1", "3.1.0", 3.1),
        "paths": either(st.dictionaries(paths, either(items), max_size=2)),
    },
    optional={
        "servers": either([], [{"url": "https://evil.example"}], [{"url": "/api"}], [{"url": "https://[x"}]),
        "security": either([]),
        "components": either({"securitySchemes": {"a": {"type": "bearer"}}}, {"securitySchemes": {}}),
    },
)
fences = st.sampled_from(
    ["```yaml\n{}\n```", "~~~\n{}\n~~~", "  ````json\n{}\n  ````\n# more", "```\n{}", "{}", "```\n{}\n ``"]
)
pages = st.tuples(fences, documents.map(json.dumps) | st.text(max_size=30)).map(
    lambda pair: f"# A page\n\n## OpenAPI Specification\n\n{pair[0].replace('{}', pair[1])}"
)
answers = st.one_of(
    pages.map(lambda text: Answer(text.encode(errors="replace"))),
    st.binary(max_size=30).map(Answer),
    st.sampled_from(
        [
            Answer(b"", 304),
            Answer(b"", 429, {"Retry-After": "x"}),
            Answer(b"", 503, {"Retry-After": "-1"}),
            Answer(b"", 302, {"Location": "https://evil.example/"}),
            Answer(b"<html>", 200, {"Content-Type": "text/html"}),
            Answer(b"", 500),
        ]
    ),
)


moved = st.builds(
    lambda named, other, method, number, grouped: (named, other or named, method, number, grouped),
    st.sampled_from(OPERATIONS),
    st.none() | st.sampled_from(OPERATIONS),
    st.sampled_from([None, None, None, "GET", "POST", "DELETE"]),
    st.integers(FIRST + 100, FIRST + 130),
    st.booleans(),
)
"""A page of one operation that may give it the place of another, or another method, in one of several generations."""


def _moved(site: Site, number: int, other: Operation, method: str | None, named: Operation) -> None:
    said = {"summary": named.title, "responses": {"200": {"description": ""}}}
    paths = {f"{'/v2' if number % 2 else ''}{other.path}": {(method or other.method).lower(): said}}
    document = json.dumps({"openapi": "3.0.1", "paths": paths, "servers": [{"url": "https://evil.example/api"}]})
    site.answers[f"/p-{number}e0.md"] = Answer(f"# {named.title}\n\n```json\n{document}\n```\n".encode())


@pytest.mark.promise("L1")
@pytest.mark.promise("L2")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    first=indexes, second=indexes, served=st.lists(answers, min_size=1, max_size=13), swaps=st.lists(moved, max_size=12)
)
async def test_no_site_whatever_leads_learning_astray(
    first: str, second: str, served: list[Answer], swaps: list[tuple[Operation, Operation, str | None, int, bool]]
) -> None:
    site = Site([])
    site.answers = {f"/p-{FIRST + number}e0.md": answer for number, answer in enumerate(served)}
    for named, other, method, number, grouped in swaps:
        _moved(site, number, other, method, named)
        first += f"\n- {named.group if grouped else 'Old'} [{named.title}]({SITE}/p-{number}e0.md): "
    site.answers["/llms.txt"] = Answer(first.encode(errors="replace"))
    site.answers["/x/llms.txt"] = Answer(second.encode(errors="replace"))
    async with open_asker(SITE, Key(), app=site) as asker:
        found = await read_site(asker, SITE, cache=None, today=TODAY)
    assert site.hosts == {SITE}
    assert {method for method, _, _ in site.asked} == {"GET"}
    assert KEY not in str(site.asked)
    assert len(site.asked) == asker.requests <= MOST - LEFT_FOR_THE_API
    contract = Contract(adopted(found.document))
    assert contract.overrides.api.url is None
    sent = {operation.tool: contract.for_(operation) for operation in OPERATIONS}
    writes = {place(wire.method, wire.path) for tool, wire in sent.items() if not BY_TOOL[tool].reads}
    for tool, wire in sent.items():
        if BY_TOOL[tool].reads:
            assert wire.method in {"GET", BY_TOOL[tool].method}
            assert place(wire.method, wire.path) not in writes
    assert all("\n" not in note and len(note) < 2_000 for note in found.notes)
