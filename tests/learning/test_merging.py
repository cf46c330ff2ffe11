"""What several sources say becomes one contract: the surest first, fact by fact, and never what only we may decide."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.api.learning.contract.file import after, is_news, write
from barrack_mcp.api.learning.contract.merging import Learned, merge, same_site
from barrack_mcp.api.learning.found import Found, Source
from barrack_mcp.api.openapi.document import read
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.loading import load
from barrack_mcp.api.wire.overrides import ApiOverride, Extra, OperationOverride, Overrides
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS
from barrack_mcp.catalogue.marks import marks_of, masked
from tests.contracts import dialect
from tests.contracts.test_bounds import SEGMENTS, kept_within_bounds
from tests.learning.made import BASE, DAY, PLACES, answers, found, from_pages, said, takes

SITE, DOCUMENT, ROOT, ADDRESS = Source


def extra(where: str, **more: Any) -> Extra:
    said: Any = {"in": where, **more}
    return Extra(**said)


def learned(*founds: Any, base: str = BASE) -> Learned:
    return merge(founds, base=base)


def asked(one: Learned, tool: str) -> str:
    return Contract(one.overrides).for_(BY_TOOL[tool]).asked


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0)], ids=["surest first", "surest last"])
def test_the_surest_source_counts_in_whatever_order_they_come(order: tuple[int, ...]) -> None:
    sources = [found(source, said("list_volumes", path=f"/{source}/")) for source in Source]
    one = learned(*(sources[index] for index in order))
    assert asked(one, "list_volumes") == "GET /documentation/"
    told = [(each.fact, each.taken, each.other) for each in one.disagreements]
    assert told == [("path", "/documentation/", f"/{source}/") for source in (DOCUMENT, ROOT, ADDRESS)]
    assert {each.taken_from for each in one.disagreements} == {PLACES[SITE]}
    assert [each.other_from for each in one.disagreements] == [PLACES[source] for source in (DOCUMENT, ROOT, ADDRESS)]


def test_what_the_surest_confirms_as_shipped_is_not_overruled_by_a_less_sure_one() -> None:
    one = learned(found(SITE, said("get_volume")), found(DOCUMENT, said("get_volume", path="/disks/{id}/")))
    assert asked(one, "get_volume") == "GET /volumes/{volume_id}/"
    assert [each.fact for each in one.disagreements] == ["path"]


def test_each_fact_comes_from_the_surest_that_says_it() -> None:
    one = learned(
        found(SITE, said("create_volume", path="/disks/", **takes("label", label="string"))),
        found(
            DOCUMENT,
            said("create_volume", **answers(disk={"type": "object", "properties": {"id": {"type": "string"}}})),
        ),
        found(
            ADDRESS,
            said("create_volume", **takes("label", "capacity_gb", label="integer", capacity_gb="integer")),
            said("get_volume", path="/disks/{id}/"),
        ),
    )
    override = one.overrides.operations["create_volume"]
    assert (override.path, override.fields["size_gb"]) == ("/disks/", "capacity_gb")
    origins = one.origins["create_volume"]
    assert origins.where.found.source is origins.takes.found.source is SITE  # type: ignore[union-attr]  # both are there
    assert origins.answers is not None
    assert origins.answers.found.source is DOCUMENT
    assert {name: claim.found.source for name, claim in origins.added.items()} == {"capacity_gb": ADDRESS}
    assert asked(one, "get_volume") == "GET /disks/{volume_id}/"
    told = {(each.fact, each.taken, each.other) for each in one.disagreements if each.tool == "create_volume"}
    assert ("label (type)", "string", "integer") in told
    text = write(one, Overrides())
    assert f"# documentation, {PLACES[SITE]}, 2026-11-27" in text
    assert f'size_gb = "capacity_gb" # options, {PLACES[ADDRESS]}, 2026-11-27' in text


def test_an_argument_that_only_a_less_sure_source_wants_is_told_and_not_asked_for() -> None:
    body = takes("name", name="string", size_gb="integer")
    one = learned(
        found(SITE, said("create_volume", **body)),
        found(ADDRESS, said("create_volume", **takes("name", "project", name="string", project="string"))),
    )
    assert not one.overrides.operations["create_volume"].arguments
    told = [(each.fact, each.taken, each.other) for each in one.disagreements]
    assert ("project", "not an argument", "a required argument") in told


def test_each_operation_bears_the_page_it_is_from() -> None:
    pages = {"get_volume": "https://docs.barrack.ai/get-volume-1e0"}
    source = from_pages(found(SITE, said("get_volume"), said("list_volumes", path="/disks/")), pages)
    text = write(learned(source), Overrides())
    assert "# documentation, https://docs.barrack.ai/get-volume-1e0, 2026-11-27" in text
    assert "# documentation, https://docs.barrack.ai, 2026-11-27" in text


def test_a_slash_at_the_end_is_a_fact_of_its_operation() -> None:
    one = learned(
        found(SITE, said("list_volumes", path="/disks"), said("get_volume", path="/disks/{id}")),
        found(ROOT, said("list_snapshots", path="/backups/")),
    )
    wires = [asked(one, tool) for tool in ("list_volumes", "get_volume", "list_snapshots", "list_regions")]
    assert wires == ["GET /disks", "GET /disks/{volume_id}", "GET /backups/", "GET /regions/"]


def test_what_leads_out_of_bounds_is_refused_named_and_the_rest_is_learned() -> None:
    one = learned(
        found(SITE, said("list_volumes", path="/disks/"), said("get_volume", "DELETE", "/disks/{id}/")),
        found(DOCUMENT, said("get_instance", "POST", "/instances/{id}/stop/"), said("get_firewall", path="/fw/{id}/")),
        found(ADDRESS, said("stop_instance", path="/instances/{id}/start/")),
    )
    assert asked(one, "list_volumes") == "GET /disks/"
    assert asked(one, "get_firewall") == "GET /fw/{firewall_id}/"
    for tool in ("get_volume", "get_instance", "stop_instance"):
        operation = BY_TOOL[tool]
        assert asked(one, tool) == f"{operation.method} {operation.path}"
        assert [each.said for each in one.refused if each.tool == tool]
    kept_within_bounds(Contract(one.overrides))


def test_of_two_sources_that_collide_the_less_sure_one_gives_way() -> None:
    one = learned(
        found(SITE, said("list_os_images", path="/templates/")),
        found(DOCUMENT, said("list_custom_images", path="/templates")),
    )
    assert asked(one, "list_os_images") == "GET /templates/"
    assert asked(one, "list_custom_images") == "GET /images/"
    (refusal,) = [each for each in one.refused if each.tool == "list_custom_images"]
    assert "would go where list_os_images goes" in refusal.why
    assert refusal.place == PLACES[DOCUMENT]


def test_where_all_sources_contradict_each_other_nothing_dangerous_is_learned_and_each_is_told() -> None:
    tools = list(BY_TOOL)
    founds = []
    for turn, source in enumerate(Source):
        # each source gives every operation another one's place, or another method
        rows = [
            said(tool, BY_TOOL[other].method if turn % 2 else None, BY_TOOL[other].path.replace("{", "{x_"))
            for tool, other in zip(tools, tools[turn + 1 :] + tools[: turn + 1], strict=True)
        ]
        founds.append(found(source, *rows, header=("Host", "X-A", "X-B", "Cookie")[turn]))
    one = learned(*founds)
    kept_within_bounds(Contract(one.overrides))
    assert not Contract(one.overrides).refused
    assert one.overrides.api.auth_header == "X-A"
    assert {(each.said, each.tool) for each in one.refused if each.tool is None} == {("the key in Host", None)}
    unlearned = {each.tool for each in one.refused}
    assert {tool for tool in tools if tool not in one.origins} <= unlearned
    assert load(write(one, Overrides()).encode(), "learned") == after(one, Overrides())


@pytest.mark.parametrize(
    ("base", "url", "followed"),
    [
        (BASE, "https://barrack.ai/v2", True),
        (BASE, "https://api.barrack.ai/v2", True),
        (BASE, "https://API.Barrack.AI:443/v2", True),
        (BASE, "http://api.barrack.ai/v2", False),
        (BASE, "https://barrack.ai:8443/api", False),
        (BASE, "https://evil.example/api", False),
        (BASE, "https://evilbarrack.ai/api", False),
        (BASE, "https://barrack.ai.evil.example/api", False),
        (BASE, "https://barrack.ai@evil.example/api", False),
        (BASE, "https://ai/api", False),
        (BASE, "https://127.0.0.1/api", False),
        ("https://customer.hosting.example/api", "https://hosting.example/api", False),
        ("https://customer.hosting.example/api", "https://other.hosting.example/api", False),
        ("https://10.0.0.1/api", "https://9.10.0.0.1/api", False),
        ("http://127.0.0.1:8900/api", "http://127.0.0.1:9/api", False),
        ("https://[2001:db8::1]/api", "https://[2001:db8::2]/api", False),
    ],
)
def test_the_key_goes_to_no_site_but_the_one_in_force(base: str, url: str, *, followed: bool) -> None:
    assert same_site(base, url) is followed
    one = learned(found(SITE, said("list_volumes", path="/disks/"), url=url), base=base)
    assert (one.overrides.api.url is not None) is followed
    written = write(one, Overrides())
    assert (load(written.encode(), "learned").api.url is not None) is followed
    if not followed:
        (refusal,) = [each for each in one.refused if each.tool is None]
        assert "BARRACK_API_URL" in refusal.why
        assert url.partition("//")[2].partition("/")[0] in written


def test_two_addresses_of_one_site_are_a_disagreement_and_the_surer_one_counts() -> None:
    one = learned(
        found(SITE, said("list_volumes"), url="https://api.barrack.ai/v1"),
        found(DOCUMENT, said("list_volumes"), url="https://api.barrack.ai/v2"),
    )
    assert one.overrides.api.url == "https://api.barrack.ai/v1"
    (told,) = one.disagreements
    assert (told.fact, told.taken, told.other) == ("address", "https://api.barrack.ai/v1", "https://api.barrack.ai/v2")
    text = write(one, Overrides())
    assert f'url = "https://api.barrack.ai/v1" # documentation, {PLACES[SITE]}, 2026-11-27' in text
    assert f"(https://docs.barrack.ai), not https://api.barrack.ai/v2 ({PLACES[DOCUMENT]})" in text


def test_a_document_from_the_hosts_root_is_read_below_the_address_in_force() -> None:
    rows = [said("list_volumes", path="/api/disks/"), said("get_volume", path="/api/disks/{id}/")]
    one = learned(found(DOCUMENT, *rows, ("GET", "/health", {}), url="https://barrack.ai"))
    assert asked(one, "list_volumes") == "GET /disks/"
    assert one.overrides.api.url is None
    assert not one.refused


@pytest.mark.parametrize(
    "header", ["Host", "cookie", "Content-Length", "Transfer-Encoding", "User-Agent", "X-Key\u00e9"]
)
def test_the_key_is_put_into_no_header_that_says_something_else(header: str) -> None:
    one = learned(found(SITE, said("list_volumes"), header=header), found(DOCUMENT, said("list_volumes")))
    assert one.overrides.api.auth_header is None
    assert [each.tool for each in one.refused] == [None]


@pytest.mark.parametrize(
    ("tool", "override"),
    [
        ("create_startup_script", OperationOverride(send="query")),
        ("create_startup_script", OperationOverride(path="/scripts/{script}/create/")),
        ("create_startup_script", OperationOverride(fields={"name": "script", "request.script": "body"})),
        ("create_startup_script", OperationOverride(fields={"script": "name", "request.name": "title"})),
        ("create_ssh_key", OperationOverride(fields={"ssh_key.name": "private_key"})),
        ("create_ssh_key", OperationOverride(result="private_key")),
        ("deploy_instance", OperationOverride(send="query")),
        ("get_volume", OperationOverride(arguments={"access_token": extra("query")})),
        ("create_volume", OperationOverride(arguments={"pin": extra("query", name="rootPassword")})),
        ("create_volume", OperationOverride(path="/v/{token}/", arguments={"token": extra("path")})),
    ],
)
def test_what_is_secret_stays_so_whoever_says_how_it_travels(tool: str, override: OperationOverride) -> None:
    contract = Contract(Overrides(operations={tool: override}))
    assert "secret" in contract.refused[tool]


def test_nothing_is_sent_with_every_write_because_a_source_says_so() -> None:
    body = takes("name", "quantity", "force", name="string", quantity={"enum": [100]}, force={"enum": [True]})
    one = learned(
        found(SITE, said("create_volume", path="/disks/", **body), said("quote_price", **takes("v", v={"enum": [2]})))
    )
    assert one.overrides.operations["create_volume"].constants == {}
    assert one.overrides.operations["create_volume"].path == "/disks/"
    assert one.overrides.operations["quote_price"].constants == {"v": 2}
    told = {each.said for each in one.refused if each.tool == "create_volume"}
    assert told == {"quantity = 100 with every call", "force = True with every call"}
    by_hand = Overrides(operations={"create_volume": OperationOverride(constants={"force": True})})
    assert after(one, by_hand).operations["create_volume"].constants == {"force": True}


def test_what_a_source_wants_beyond_what_we_know_is_secret_where_its_name_says_so() -> None:
    body = takes("name", "root_password", "team", name="string", root_password="string", team="string")
    contract = Contract(learned(found(SITE, said("create_volume", **body))).overrides)
    operation = contract.operation(BY_TOOL["create_volume"])
    assert {"root_password", "team"} <= set(operation.request.model_fields)
    assert marks_of(operation.arguments) == {"root_password": "secret"}
    values = {"name": "x", "root_password": "hunter2-canary", "team": "y"}
    assert "hunter2-canary" not in str(masked(operation, values))


def test_what_is_in_force_and_no_source_says_stays_and_is_marked() -> None:
    in_force = Overrides(
        api=ApiOverride(page="p"),
        operations={
            "get_volume": OperationOverride(path="/mine/{volume_id}/", fields={"volume.volume_name": "label"}),
            "list_regions": OperationOverride(path="/places/"),
        },
        status={"volume": {"ready": "available"}},
    )
    one = learned(found(SITE, said("get_volume", path="/disks/{id}/")))
    whole = after(one, in_force)
    assert whole.operations["get_volume"].path == "/disks/{volume_id}/"
    assert whole.operations["get_volume"].fields == {"volume.volume_name": "label"}
    assert whole.operations["list_regions"].path == "/places/"
    assert (whole.status, whole.api.page) == (in_force.status, "p")
    text = write(one, in_force)
    assert load(text.encode(), "learned") == whole
    assert 'label" # kept from the contract in force' in text
    assert "# kept from the contract in force" in text.partition("[operations.list_regions]")[0].splitlines()[-1]


def test_what_is_shipped_counts_again_where_the_surest_source_says_so() -> None:
    in_force = Overrides(
        operations={"create_volume": OperationOverride(path="/wrong/", fields={"request.name": "label"})}
    )
    one = learned(found(SITE, said("create_volume", **takes("name", name="string"))))
    override = after(one, in_force).operations["create_volume"]
    assert override.path is None
    assert "request.name" not in override.fields
    assert is_news(one, in_force)


def test_what_was_learned_once_is_no_news_the_second_time() -> None:
    raw = dialect.written()
    raw["servers"] = [{"url": BASE}]
    one = learned(Found(SITE, PLACES[SITE], DAY, read(json.dumps(raw).encode(), PLACES[SITE])))
    assert len(one.origins) == len(OPERATIONS)
    assert is_news(one, Overrides())
    text = write(one, Overrides())
    assert not is_news(one, load(text.encode(), "learned"))
    assert load(text.encode(), "learned") == after(one, Overrides())


def test_what_may_be_ours_waits_as_a_comment_for_a_person() -> None:
    careless = ("GET", "/disks/", {"summary": "All volumes of the account"})
    one = learned(found(SITE, careless, said("list_regions", path="/places/")))
    assert "list_volumes" not in one.overrides.operations
    assert set(one.unsure) == {"list_volumes"}
    text = write(one, Overrides())
    assert "# [operations.list_volumes]" in text
    assert "Not sure" in text


HOSTILE = "x\n[api]\nurl = 'https://evil.example'\n#\u202e\x1b[31m"


def test_nothing_that_a_source_says_becomes_a_line_of_the_file() -> None:
    source = found(
        SITE,
        said("list_volumes", path="/disks/", summary=HOSTILE),
        ("GET", f"/{HOSTILE}/", {"operationId": "list_regions", "summary": HOSTILE}),
        said(
            "create_volume", **takes(HOSTILE, **{HOSTILE: {"type": "string", "description": HOSTILE}, "name": "string"})
        ),
        notes=(HOSTILE,),
    )
    one = learned(from_pages(source, {"list_volumes": HOSTILE}))
    text = write(one, Overrides())
    assert load(text.encode(), "learned").api.url is None
    assert not [char for char in text if char != "\n" and not char.isprintable()]


TOOLS = st.sampled_from(sorted(BY_TOOL))
NAMES = st.sampled_from(
    [
        "name",
        "script",
        "private_key",
        "cloud_init",
        "instance_id",
        "volume_id",
        "action",
        "label",
        "size_gb",
        "id",
        "{x}",
    ]
)
KINDS: Any = st.sampled_from([{"type": "string"}, {"type": "integer"}, {"enum": ["stop"]}, {"type": "array"}])
PROPERTIES = st.dictionaries(NAMES, KINDS, max_size=4)
ROW = st.builds(
    lambda tool, titled, way, method, body, inside, as_query: (
        method,
        way if isinstance(way, str) else "/" + "/".join(way),
        {
            **said(tool)[2],
            "summary": BY_TOOL[titled].title,
            **(
                {"parameters": [{"name": name, "in": "query", "required": True, "schema": body[name]} for name in body]}
                if as_query
                else takes(*body, **body)
            ),
            **answers(**inside),
        },
    ),
    TOOLS,
    TOOLS,
    st.sampled_from([operation.path for operation in OPERATIONS]) | st.lists(SEGMENTS, min_size=1, max_size=4),
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    PROPERTIES,
    PROPERTIES,
    st.booleans(),
)
FOUND = st.builds(
    lambda source, rows, url, header: found(source, *rows, url=url, header=header),
    st.sampled_from(Source),
    st.lists(ROW, max_size=8),
    st.sampled_from(
        [None, BASE, "https://api.barrack.ai", "https://evil.example", "http://127.0.0.1", "//evil.example"]
    ),
    st.sampled_from([None, "X-Key", "Host", "Authorization", "X Y"]),
)


@pytest.mark.promise("L1")
@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(FOUND, min_size=1, max_size=4))
def test_nothing_that_sources_say_makes_a_read_write_sends_the_key_elsewhere_or_shows_a_secret(founds: Any) -> None:
    one = merge(founds, base=BASE)
    for overrides in (one.overrides, after(one, Overrides())):
        contract = Contract(overrides)
        assert not contract.refused
        kept_within_bounds(contract)
        assert overrides.api.url is None or same_site(BASE, overrides.api.url)
        assert (overrides.api.auth_header or "").casefold() not in ("host", "x y")
        for operation in OPERATIONS:
            as_learned = contract.operation(operation)
            assert (as_learned.risk, as_learned.plans, as_learned.reads) == (
                operation.risk,
                operation.plans,
                operation.reads,
            )
            marks = marks_of(operation.arguments)
            assert {name: marks_of(as_learned.arguments).get(name) for name in marks} == dict(marks)
            wire = contract.for_(operation)
            assert operation.reads or not wire.constants
            assert not (wire.in_query and "secret" in marks.values())
    assert load(write(one, Overrides()).encode(), "learned") == after(one, Overrides())
