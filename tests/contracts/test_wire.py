"""The wire form: byte for byte what is sent today, unless data says otherwise."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from barrack_mcp import __version__
from barrack_mcp.account.pages import presented
from barrack_mcp.api.client import HEADERS
from barrack_mcp.api.http.request import Requests
from barrack_mcp.api.wire.form import Contract, Mark, Sent, WireError
from barrack_mcp.api.wire.loading import load
from barrack_mcp.api.wire.overrides import Overrides, merged
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Operation
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.cli.contract.command import contract_as_json, contract_as_page

SHIPPED = Contract()
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.tool)


def contract(text: str) -> Contract:
    return Contract(load(text.encode(), "test.toml"))


def wire(text: str, tool: str) -> Any:
    return contract(text).for_(BY_TOOL[tool])


def everything(operation: Operation) -> JsonObject:
    """Every argument, with a value that needs quoting where text is taken."""

    def value(schema: JsonObject) -> Any:
        match schema["type"]:
            case "array":
                return [value(schema["items"])]
            case "object":
                return {name: value(inner) for name, inner in schema["properties"].items()}
            case "string":
                return schema.get("enum", ["a b/ä?&"])[0]
            case kind:
                return {"integer": 7, "boolean": True}[kind]

    return {name: value(schema) for name, schema in arguments_schema(operation.arguments)["properties"].items()}


def as_bytes(method: str, path: str, query: Any, body: Any) -> tuple[str, bytes, bytes]:
    request = httpx2.Request(method, f"https://barrack.example/api{path}", params=query, json=body)
    return request.method, request.url.raw_path, request.content


@each_operation
def test_as_shipped_every_operation_is_sent_byte_for_byte_as_the_catalogue_says(operation: Operation) -> None:
    given = everything(operation)
    for values in (given, {name: given[name] for name in operation.placeholders}):
        sent = SHIPPED.for_(operation).request(values)
        path = operation.path.format_map({name: quote(values[name], safe="") for name in operation.placeholders})
        rest = {name: value for name, value in values.items() if name not in operation.placeholders} or None
        expected = (rest, None) if operation.method in ("GET", "DELETE") else (None, rest)
        assert as_bytes(*sent) == as_bytes(operation.method, path, *expected)


@each_operation
def test_as_shipped_an_answer_stays_as_it_came(operation: Operation) -> None:
    for body in ({"success": True, "data": {"page": 1}}, [{"id": 1}], "text", None, {operation.result or "x": [1]}):
        assert SHIPPED.for_(operation).answer(body) is body or SHIPPED.for_(operation).answer(body) == body


def test_method_path_names_values_and_constants_go_out_as_overridden() -> None:
    sent = wire(
        """
        [operations.create_volume]
        method = "PUT"
        path = "/disks"
        constants = { project = "p-1", "meta.source" = "mcp" }
        [operations.create_volume.fields]
        size_gb = "capacity"
        region = "place.name"
        [operations.create_volume.values.tier]
        legacy = 1
        """,
        "create_volume",
    ).request({"name": "n", "size_gb": 100, "region": "US-1", "tier": "legacy", "volume_type": "SSD"})
    assert sent == Sent(
        "PUT",
        "/disks",
        None,
        {
            "name": "n",
            "capacity": 100,
            "place": {"name": "US-1"},
            "tier": 1,
            "volume_type": "SSD",
            "project": "p-1",
            "meta": {"source": "mcp"},
        },
    )


def test_nested_rows_of_a_request_are_renamed_and_their_values_mapped() -> None:
    sent = wire(
        """
        [operations.deploy_instance.fields]
        security_rules = "rules"
        "security_rules.direction" = "way"
        os_volume.size_gb = "gb"
        [operations.deploy_instance.values."security_rules.direction"]
        ingress = "in"
        """,
        "deploy_instance",
    ).request({"os_volume": {"name": "r", "size_gb": 100}, "security_rules": [{"direction": "ingress"}]})
    assert sent.body == {"os_volume": {"name": "r", "gb": 100}, "rules": [{"way": "in"}]}


def test_an_answer_comes_back_in_our_names_whatever_its_shape() -> None:
    translated = wire(
        """
        [api]
        total = "meta.count"
        page = "p"
        [status.instance]
        RUNNING = "ACTIVE"
        [operations.list_instances]
        result = "payload.servers"
        [operations.list_instances.fields]
        "instances.vm_name" = "label"
        "instances.public_ip" = "net.v4"
        "instances.volume_attachments.volume_id" = "disk"
        """,
        "list_instances",
    ).answer(
        {
            "payload": {
                "servers": [
                    {"label": "a", "net": {"v4": "1.2.3.4"}, "status": "running", "volume_attachments": [{"disk": "V"}]}
                ]
            },
            "meta": {"count": 1, "more": 2},
            "p": 1,
        }
    )
    assert translated == {
        "instances": [
            {"vm_name": "a", "public_ip": "1.2.3.4", "status": "ACTIVE", "volume_attachments": [{"volume_id": "V"}]}
        ],
        "meta": {"more": 2},
        "total": 1,
        "page": 1,
    }


def test_a_name_of_theirs_that_is_ours_for_something_else_is_kept_beside() -> None:
    read = wire('[operations.get_volume.fields]\n"volume.volume_name" = "label"\n', "get_volume").answer(
        {"volume": {"label": "shown", "volume_name": "internal"}}
    )
    assert read == {"volume": {"volume_name": "shown", "api_volume_name": "internal"}}


def test_a_name_inside_another_that_is_taken_is_read_as_well() -> None:
    text = '[operations.get_volume.fields]\n"volume.region" = "place"\n"volume.tier" = "place.tier"\n'
    assert wire(text, "get_volume").answer({"volume": {"place": {"tier": "t", "zone": 1}}}) == {
        "volume": {"region": {"tier": "t", "zone": 1}, "tier": "t"}
    }


def test_two_names_can_be_swapped() -> None:
    swapped = '[operations.get_ssh_key.fields]\n"ssh_key.name" = "fingerprint"\n"ssh_key.fingerprint" = "name"\n'
    assert wire(swapped, "get_ssh_key").answer({"ssh_key": {"name": "F", "fingerprint": "N"}}) == {
        "ssh_key": {"name": "N", "fingerprint": "F"}
    }


@pytest.mark.parametrize(
    ("tool", "result", "body"),
    [
        ("get_volume", ".", {"volume_id": "V1", "size_gb": 5}),
        ("get_volume", "a.b", {"a": {"b": {"volume_id": "V1", "size_gb": 5}, "c": 1}}),
        ("list_volumes", ".", [{"volume_id": "V1", "size_gb": 5}]),
        ("start_instance", "payload", {"payload": {"instance_id": "I1"}, "message": "m"}),
    ],
)
def test_the_result_is_found_wherever_it_sits(tool: str, result: str, body: Any) -> None:
    operation = BY_TOOL[tool]
    read = wire(f'[operations.{tool}]\nresult = "{result}"\n', tool).answer(body)
    shown = presented(operation, read, {})
    row = shown.get(operation.result or "", shown)
    row = row[0] if isinstance(row, list) else row
    assert row.get("volume_id", row.get("instance_id")) in ("V1", "I1")


def test_a_result_that_is_not_there_leaves_the_answer_as_it_came() -> None:
    body = {"detail": "x"}
    assert wire('[operations.start_instance]\nresult = "payload"\n', "start_instance").answer(body) == body
    assert wire('[operations.get_volume]\nresult = "a.b"\n', "get_volume").answer({"a": 1}) == {"a": 1}


def test_a_bare_list_of_renamed_rows_is_read() -> None:
    read = wire('[operations.list_volumes.fields]\n"volumes.volume_id" = "ref"\n', "list_volumes").answer([{"ref": 1}])
    assert read == {"volumes": [{"volume_id": 1}]}


def test_values_come_back_in_any_case_and_false_is_a_value() -> None:
    text = """
        [operations.get_volume.values."volume.tier"]
        legacy = "Basic"
        advanced = false
        """
    read = wire(text, "get_volume").answer({"volume": {"tier": "BASIC"}})
    assert read == {"volume": {"tier": "legacy"}}
    assert wire(text, "get_volume").answer({"volume": {"tier": False}}) == {"volume": {"tier": "advanced"}}
    assert wire(text, "get_volume").answer({"volume": {"tier": None}}) == {"volume": {"tier": None}}


def test_the_states_of_the_api_also_filter_its_list() -> None:
    listed = wire('[status.instance]\nRUNNING = "ACTIVE"\nUP = "ACTIVE"\n', "list_instances")
    assert listed.request({"status": "ACTIVE"}).query == {"status": "RUNNING"}


@pytest.mark.parametrize(
    ("slash", "path"), [("always", "/disks/V1/"), ("never", "/disks/V1"), ("keep", "/disks/V1"), (None, "/disks/V1")]
)
def test_the_slash_at_the_end_follows_the_policy(slash: str | None, path: str) -> None:
    policy = f'[api]\nslash = "{slash}"\n' if slash else ""
    text = f'{policy}[operations.get_volume]\npath = "/disks/{{volume_id}}"\n'
    assert wire(text, "get_volume").request({"volume_id": "V1"}).path == path


def test_arguments_go_where_the_api_wants_them() -> None:
    bulk = wire(
        '[operations.bulk_delete_startup_scripts]\nmethod = "DELETE"\nsend = "body"\n', *["bulk_delete_startup_scripts"]
    )
    assert bulk.request({"script_ids": ["S"]}) == Sent("DELETE", "/scripts/bulk-delete/", None, {"script_ids": ["S"]})
    searched = wire('[operations.list_volumes]\nsend = "body"\n', "list_volumes")
    assert searched.request({"page": 2}).body == {"page": 2}
    moved = wire(
        '[operations.attach_volumes]\npath = "/volume/attach/"\n[operations.attach_volumes.fields]\n'
        '"request.instance_id" = "vm"\n',
        "attach_volumes",
    )
    assert moved.request({"instance_id": "I", "volume_ids": ["V"]}).body == {"vm": "I", "volume_ids": ["V"]}


def test_an_id_that_is_a_word_of_the_new_paths_is_refused() -> None:
    text = (
        '[operations.get_volume]\npath = "/disks/{volume_id}"\n[operations.list_volume_types]\npath = "/disks/kinds"\n'
    )
    for value in ("kinds", "Kinds", ".", "..", ""):
        with pytest.raises(WireError, match="volume_id") as error:
            wire(text, "get_volume").request({"volume_id": value})
        assert value in ("", ".", "..") or value not in str(error.value)


def test_a_place_in_the_path_that_was_optional_is_asked_for() -> None:
    text = '[operations.get_instance_billing]\npath = "/instances/{instance_id}/billing/"\n'
    with pytest.raises(WireError, match="instance_id"):
        wire(text, "get_instance_billing").request({})
    derived = contract(text).operation(BY_TOOL["get_instance_billing"])
    assert arguments_schema(derived.arguments)["required"] == ["instance_id"]
    fixed = text.replace(
        "[operations.get_instance_billing]", '[operations.get_instance_billing]\nconstants = { instance_id = "me" }'
    )
    assert wire(fixed, "get_instance_billing").request({}).path == "/instances/me/billing/"
    assert contract(fixed).operation(BY_TOOL["get_instance_billing"]) is BY_TOOL["get_instance_billing"]


def test_words_about_fields_come_back_under_our_names() -> None:
    text = """
        [operations.create_volume.fields]
        region = "dc"
        [operations.create_volume.arguments.project_id]
        name = "pid"
        """
    assert wire(text, "create_volume").errors({"dc": "no", "pid": "none", "name": "taken"}) == {
        "region": "no",
        "project_id": "none",
        "name": "taken",
    }


def test_marks_say_what_is_known() -> None:
    overrides = load(b'[operations.get_volume]\nresult = "disk"\n[api]\npage = "p"\n', "x")
    seen = Contract(overrides, seen=["quote_price"])
    marks = {operation.tool: seen.for_(operation).marks for operation in OPERATIONS}
    assert marks["quote_price"] == (Mark.DOCUMENTED, Mark.SEEN_WORKING)
    assert marks["get_volume"] == marks["list_volumes"] == (Mark.INFERRED, Mark.OVERRIDDEN)
    assert marks["delete_volume"] == (Mark.INFERRED,)


def test_the_contract_can_be_shown_whole() -> None:
    shown = contract(
        '[operations.get_volume]\npath = "/d/{volume_id}"\nresult = "disk"\nconstants = { v = 1 }\n'
        '[operations.get_volume.fields]\n"volume.region" = "dc"\n[operations.get_volume.arguments.tenant]\n'
    )
    rows = {row["tool"]: row for row in contract_as_json(shown)["operations"]}
    assert list(rows) == list(BY_TOOL)
    assert json.loads(json.dumps(rows["get_volume"])) == {
        "tool": "get_volume",
        "method": "GET",
        "path": "/d/{volume_id}",
        "marks": ["inferred", "overridden"],
        "guessed": False,
        "documented": "",
        "result": "disk",
        "fields": {"volume.region": "dc"},
        "constants": {"v": 1},
        "arguments": {"tenant": {"name": "tenant", "in": "query"}},
    }
    table: Any = contract_as_page(shown).renderables[0]
    assert table.row_count == len(OPERATIONS)


def test_overrides_by_hand_win_over_those_of_a_document_key_by_key() -> None:
    under = load(
        b'[api]\npage = "a"\nlimit = "b"\n[status.volume]\nnew = "creating"\n'
        b'[operations.get_volume]\npath = "/a/{volume_id}"\nresult = "a"\n'
        b'[operations.get_volume.fields]\n"volume.region" = "r"\n',
        "under",
    )
    over = load(
        b'[api]\npage = "c"\n[status.volume]\nused = "in-use"\n[operations.get_volume]\nresult = "b"\n'
        b'[operations.get_volume.fields]\n"volume.tier" = "t"\n[operations.list_volumes]\nresult = "v"\n',
        "over",
    )
    both = merged(under, over)
    assert (both.api.page, both.api.limit) == ("c", "b")
    assert both.status == {"volume": {"new": "creating", "used": "in-use"}}
    volume = both.operations["get_volume"]
    assert (volume.path, volume.result) == ("/a/{volume_id}", "b")
    assert volume.fields == {"volume.region": "r", "volume.tier": "t"}
    assert both.operations["list_volumes"].result == "v"
    assert merged(under, Overrides()) == under


@each_operation
def test_a_request_is_made_as_the_library_makes_it_every_time(operation: Operation) -> None:
    headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": f"barrack-mcp/{__version__}"}
    http = httpx2.AsyncClient(headers=headers)
    requests = Requests("https://barrack.example/api", HEADERS)
    given = everything(operation)
    for values in (given, {name: given[name] for name in operation.placeholders}) * 2:
        sent = SHIPPED.for_(operation).request(values)
        url = f"https://barrack.example/api{sent.path}"
        usual = http.build_request(sent.method, url, params=sent.query, json=sent.body)
        made = requests.make(*sent, extensions={"timeout": {}})
        assert (made.method, made.url, made.headers.raw) == (usual.method, usual.url, usual.headers.raw)
        assert (made.read(), made.extensions) == (usual.content, {"timeout": {}})
        # what is set on one, such as the key, is on no other
        made.headers["Authorization"] = "Bearer key"
