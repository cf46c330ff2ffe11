"""What differs between a document and our catalogue is found, told so that a person can act, and adopted."""

from __future__ import annotations

import copy
import io
import json
from typing import Any

import pytest
from rich.console import Console

from barrack_mcp.account.pages import presented
from barrack_mcp.api.openapi.adopt import adopt, adopted
from barrack_mcp.api.openapi.comparison import Comparison, compare
from barrack_mcp.api.openapi.differences import Difference, Kind
from barrack_mcp.api.openapi.document import Document, read
from barrack_mcp.api.openapi.export import export
from barrack_mcp.api.wire.form import Contract, Sent
from barrack_mcp.api.wire.loading import load
from barrack_mcp.api.wire.overrides import Overrides, merged
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.cli.contract.command import comparison_as_json, comparison_as_page, sum_up
from barrack_mcp.dispatch.arguments.validation import BadArgumentsError, validate
from tests.contracts import dialect
from tests.contracts.other import PATHS

OURS = export()


def document(raw: Any, name: str = "api.json") -> Document:
    return read(json.dumps(raw).encode(), name)


def only(*tools: str) -> dict[str, Any]:
    """Our own document, with these operations alone, to be changed."""
    kept = copy.deepcopy(OURS)
    for path, item in list(kept["paths"].items()):
        for method, operation in list(item.items()):
            if operation["operationId"] not in tools:
                del item[method]
        if not item:
            del kept["paths"][path]
    return kept


def operation(raw: dict[str, Any]) -> Any:
    ((item,),) = (tuple(item.values()) for item in raw["paths"].values())
    return item


def moved(raw: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    raw["paths"] = {path: {method: operation(raw)}}
    return raw


def body_of(raw: dict[str, Any]) -> Any:
    """The request's schema, in place of the reference to it."""
    media = operation(raw)["requestBody"]["content"]["application/json"]
    media["schema"] = copy.deepcopy(raw["components"]["schemas"][media["schema"]["$ref"].rpartition("/")[2]])
    return media["schema"]


def answer_of(raw: dict[str, Any]) -> Any:
    media = operation(raw)["responses"]["2XX"]["content"]["application/json"]
    media["schema"] = copy.deepcopy(raw["components"]["schemas"][media["schema"]["$ref"].rpartition("/")[2]])
    return media["schema"]


def answer_of_again(raw: dict[str, Any]) -> Any:
    return operation(raw)["responses"]["2XX"]["content"]["application/json"]["schema"]


def found(raw: Any) -> list[Difference]:
    """The differences but for what was left out on purpose."""
    return [each for each in compare(document(raw)).differences if each.kind is not Kind.MISSING]


def kinds(raw: Any) -> list[tuple[Kind, bool]]:
    return [(each.kind, each.mended) for each in found(raw)]


def overrides(raw: Any) -> Overrides:
    """What is adopted, which is the same in use and in the file."""
    text = adopt(document(raw))
    loaded = load(text.encode(), "adopted")
    assert loaded == adopted(document(raw))
    return loaded


def test_a_document_of_another_api_matches_nothing_and_is_adopted_as_nothing() -> None:
    raw = {"openapi": "3.1.0", "paths": {"/pets": {"get": {"operationId": "find_pets", "summary": "Find pets"}}}}
    comparison = compare(document(raw))
    assert not comparison.matches
    assert len([each for each in comparison.differences if each.kind is Kind.MISSING]) == len(OPERATIONS)
    assert [each.theirs for each in comparison.differences if each.kind is Kind.EXTRA] == ["GET /pets (Find pets)"]
    assert overrides(raw) == Overrides(adopted(document(raw)).api)


def test_method_and_path_that_moved_are_adopted() -> None:
    raw = moved(only("update_startup_script"), "patch", "/v1/scripts/{script_id}/edit/")
    assert kinds(raw) == [(Kind.METHOD, True), (Kind.PATH, True)]
    sent = Contract(overrides(raw)).for_(BY_TOOL["update_startup_script"]).request({"script_id": "S", "name": "n"})
    assert sent == Sent("PATCH", "/v1/scripts/S/edit/", None, {"name": "n"})


@pytest.mark.parametrize(
    ("tool", "path", "written"),
    [
        ("get_volume", "/disks/{id}/", "/disks/{volume_id}/"),
        ("get_volume", "/disks/{pk}/", "/disks/{volume_id}/"),
        ("get_volume", "/disks/{x}/", "/disks/{volume_id}/"),
        ("remove_firewall_rule", "/groups/{id}/rules/{ruleId}/", "/groups/{firewall_id}/rules/{rule_id}/"),
        ("remove_firewall_rule", "/rules/{rule}/of/{firewall}/", "/rules/{rule_id}/of/{firewall_id}/"),
        ("get_instance_billing", "/vms/{vm_id}/costs/", "/vms/{instance_id}/costs/"),
    ],
)
def test_their_placeholders_are_recognised(tool: str, path: str, written: str) -> None:
    raw = moved(only(tool), BY_TOOL[tool].method.lower(), path)
    operation(raw)["parameters"] = [
        {"name": name, "in": "path", "schema": {"type": "string"}}
        for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]
    ]
    assert overrides(raw).operations[tool].path == written


def test_a_placeholder_that_is_nobodys_becomes_an_argument_in_the_path() -> None:
    raw = moved(only("get_volume"), "get", "/projects/{project-id}/volumes/{volume_id}/")
    operation(raw)["parameters"].append(
        {"name": "project-id", "in": "path", "required": True, "description": "Project.", "schema": {"type": "string"}}
    )
    contract = Contract(overrides(raw))
    derived = contract.operation(BY_TOOL["get_volume"])
    assert arguments_schema(derived.arguments)["required"] == ["volume_id", "project_id"]
    sent = contract.for_(derived).request({"volume_id": "V", "project_id": "p/1"})
    assert sent.path == "/projects/p%2F1/volumes/V/"


def test_an_unknown_required_field_becomes_an_argument_of_the_tool() -> None:
    raw = only("create_volume")
    body_of(raw)["properties"] |= {
        "projectId": {"type": "string", "description": "Project that\npays."},
        "replicas": {"type": "integer", "minimum": 1, "maximum": 3},
        "kind": {"enum": ["fast", "safe"]},
        "labels": {"type": "array", "items": {"type": "string"}},
        "extra": {"type": "object"},
        "copy": {"type": "boolean"},
        "stage": {"enum": [1, 2], "type": "integer"},
        "ratio": {"type": "number"},
        "version": {"const": 2},
        "note": {"type": "string"},
    }
    body = body_of_again(raw)
    body["required"] += ["projectId", "replicas", "kind", "labels", "extra", "copy", "stage", "ratio", "version"]
    contract = Contract(overrides(raw))
    derived = contract.operation(BY_TOOL["create_volume"])
    extras = contract.for_(derived).extras
    assert {extra.theirs for extra in extras.values()} == set(body["required"]) - set(
        arguments_schema(BY_TOOL["create_volume"].arguments)["required"]
    ) - {"version"}
    schema = arguments_schema(derived.arguments)
    assert set(extras) <= set(schema["required"])
    assert schema["properties"]["project_id"] == {"description": "Project that pays.", "type": "string"}
    assert schema["properties"]["kind"]["enum"] == ["fast", "safe"]
    assert schema["properties"]["replicas"] == {
        "description": "Wanted by the API; not described.",
        "type": "integer",
        "minimum": 1,
        "maximum": 3,
    }
    given: JsonObject = {
        "name": "n",
        "size_gb": 100,
        "region": "US-1",
        "tier": "legacy",
        "volume_type": "SSD",
        "project_id": "p",
        "replicas": 2,
        "kind": "fast",
        "labels": '["a"]',
        "extra": {"a": 1},
        "api_copy": True,
        "stage": 2,
        "ratio": 0.5,
    }
    values = validate(derived, given)
    sent = contract.for_(derived).request(values)
    assert sent.body is not None
    assert sent.body | {"name": "n"} == sent.body
    assert (sent.body["projectId"], sent.body["copy"], sent.body["labels"]) == ("p", True, ["a"])
    assert sent.body["version"] == 2
    for name, wrong in (("replicas", 4), ("kind", "slow"), ("stage", 3), ("project_id", None)):
        with pytest.raises(BadArgumentsError, match=name):
            validate(derived, given | {name: wrong})


def body_of_again(raw: dict[str, Any]) -> Any:
    return operation(raw)["requestBody"]["content"]["application/json"]["schema"]


def test_an_operation_with_nothing_to_add_stays_itself() -> None:
    assert Contract().operation(BY_TOOL["get_volume"]) is BY_TOOL["get_volume"]


def test_an_extra_argument_may_be_optional() -> None:
    text = b'[operations.list_volumes.arguments.zone]\nrequired = false\nname = "z"\n'
    contract = Contract(load(text, "x"))
    derived = contract.operation(BY_TOOL["list_volumes"])
    assert "required" not in arguments_schema(derived.arguments)
    assert contract.for_(derived).request(validate(derived, {"zone": None})).query is None
    assert contract.for_(derived).request(validate(derived, {"zone": "a"})).query == {"z": "a"}


def test_what_is_optional_for_us_and_not_for_them_is_asked_of_the_caller() -> None:
    raw = only("create_volume")
    body_of(raw)["required"].append("bootable")
    assert kinds(raw) == [(Kind.REQUIRED, True)]
    derived = Contract(overrides(raw)).operation(BY_TOOL["create_volume"])
    assert "bootable" in arguments_schema(derived.arguments)["required"]
    with pytest.raises(BadArgumentsError, match="bootable: is required"):
        validate(derived, {"name": "n", "size_gb": 100, "region": "U", "tier": "legacy", "volume_type": "SSD"})


def test_an_argument_that_clients_may_send_as_text_can_be_required_too() -> None:
    contract = Contract(load(b'[operations.deploy_instance]\nrequires = ["os_volume"]\n', "x"))
    derived = contract.operation(BY_TOOL["deploy_instance"])
    assert "os_volume" in arguments_schema(derived.arguments)["required"]
    given: JsonObject = {
        "name": "n",
        "tier": "legacy",
        "region": "US-1",
        "gpu_model": "L40",
        "gpu_count": 1,
        "boot_source": "os_image",
        "os_image": "Ubuntu",
        "ssh_key_ids": ["K"],
    }
    assert validate(derived, given | {"os_volume": '{"name": "r", "size_gb": 100}'})["os_volume"]["size_gb"] == 100
    with pytest.raises(BadArgumentsError, match="os_volume"):
        validate(derived, given)


def test_numbers_of_every_kind_are_one_type() -> None:
    raw = only("create_volume")
    body_of(raw)["properties"]["size_gb"]["type"] = "number"
    assert not found(raw)


def test_values_of_answers_that_differ_only_in_case_or_are_an_open_set_are_no_difference() -> None:
    raw = only("get_volume")
    properties = raw["components"]["schemas"]["VolumeResponse"]["properties"]
    properties["tier"]["enum"] = ["Legacy", "ADVANCED"]
    properties["region"]["enum"] = ["MARS-1"]
    assert not found(raw)


def test_an_id_where_the_thing_itself_is_expected_is_read_as_one() -> None:
    raw = only("create_volume")
    answer_of(raw)["properties"] = {"volume_id": {"type": "string"}, "message": {"type": "string"}}
    assert not [each for each in found(raw) if each.matters]


def test_pages_of_django_rest_framework_are_read() -> None:
    raw = only("list_volumes")
    properties = answer_of(raw)["properties"]
    rows = properties["volumes"]
    answer_of_again(raw)["properties"] = {"count": {"type": "integer"}, "next": {}, "previous": {}, "results": rows}
    wire = Contract(overrides(raw)).for_(BY_TOOL["list_volumes"])
    body = {"count": 41, "next": None, "results": [{"volume_id": "V"}]}
    assert wire.answer(body) == {"volumes": [{"volume_id": "V"}], "total": 41, "next": None}


def test_an_api_that_pages_by_offset_can_be_read_only_on_its_first_page() -> None:
    raw = only("list_volumes")
    for parameter in operation(raw)["parameters"]:
        if parameter["name"] == "page":
            parameter["name"] = "offset"
    assert (Kind.PAGING, False) in kinds(raw)


def test_a_value_that_only_the_api_knows_is_told() -> None:
    raw = only("create_volume")
    body_of(raw)["properties"]["tier"]["enum"].append("ultra")
    assert [(each.kind, each.theirs, each.mended) for each in found(raw)] == [(Kind.VALUES, "ultra", True)]
    assert overrides(raw).operations["create_volume"].about["tier"].enum == ("legacy", "advanced", "ultra")


def test_a_list_inside_a_row_is_found_in_what_wraps_it() -> None:
    raw = only("list_instances")
    machine = raw["components"]["schemas"]["VMInstance"]["properties"]
    rows = {"type": "array", "items": machine["volume_attachments"]["items"]}
    machine["volume_attachments"] = {
        "type": "object",
        "properties": {"count": {"type": "integer"}, "results": rows},
    }
    made = Contract(overrides(raw))
    body = {"instances": [{"volume_attachments": {"count": 1, "results": [{"volume_id": "V-1"}]}}]}
    (row,) = made.for_(BY_TOOL["list_instances"]).answer(body)["instances"]
    assert row["volume_attachments"] == [{"volume_id": "V-1"}]


def test_what_needs_a_person_says_what_to_do() -> None:
    raw = only("create_volume")
    properties = body_of(raw)["properties"]
    properties["size_gb"] = {"type": "object"}
    del properties["volume_type"]
    del properties["bootable"]
    properties["tier"]["enum"] = ["legacy", "zzz"]
    raw_operation = operation(raw)
    raw_operation["parameters"] = [
        {"name": "X-Tenant", "in": "header", "required": True, "schema": {"type": "string"}},
        {"name": "Content-Type", "in": "header", "required": True, "schema": {"type": "string"}},
        {"name": "Authorization", "in": "header", "required": True, "schema": {"type": "string"}},
        {"name": "x.y z", "in": "query", "required": True, "schema": {"type": "string"}},
    ]
    shown = [(each.kind, each.ours, each.theirs, each.matters) for each in found(raw)]
    assert set(shown) == {
        (Kind.TYPE, "size_gb: integer", "object", True),
        (Kind.VALUES, "tier: advanced", "", True),
        (Kind.VALUES, "tier", "zzz", False),
        (Kind.ARGUMENT, "volume_type", "", True),
        (Kind.ARGUMENT, "bootable", "", False),
        (Kind.NEW_ARGUMENT, "", "x.y z", True),
        (Kind.PLACE, "", "header X-Tenant", True),
    }
    assert not any(each.mended for each in found(raw))
    assert all(each.todo for each in found(raw))


def test_a_form_is_told_and_a_silent_body_is_no_difference_that_matters() -> None:
    raw = only("create_volume")
    content = operation(raw)["requestBody"]["content"]
    content["multipart/form-data"] = content.pop("application/json")
    assert [(each.kind, each.matters) for each in found(raw)] == [(Kind.FORM, True)]
    del operation(raw)["requestBody"]
    del operation(raw)["responses"]
    assert [(each.kind, each.matters) for each in found(raw)] == [(Kind.ARGUMENT, False), (Kind.ANSWER, False)]


def test_arguments_inside_one_object_and_inside_rows_are_found() -> None:
    raw = only("add_firewall_rule")
    inner = body_of(raw)
    inner["properties"]["cidr"] = inner["properties"].pop("remote_ip_prefix")
    inner["required"] = ["direction", "ethertype", "protocol", "cidr"]
    media = operation(raw)["requestBody"]["content"]["application/json"]
    media["schema"] = {"type": "object", "properties": {"rule": inner}}
    values = {"firewall_id": "F", "direction": "ingress", "protocol": "tcp", "remote_ip_prefix": "10.0.0.0/8"}
    sent = Contract(overrides(raw)).for_(BY_TOOL["add_firewall_rule"]).request(values)
    assert sent.body == {"rule": {"direction": "ingress", "protocol": "tcp", "cidr": "10.0.0.0/8"}}


def test_a_required_field_inside_a_row_that_is_nobodys_needs_a_person() -> None:
    raw = only("deploy_instance")
    rule = raw["components"]["schemas"]["SecurityRule"]
    rule["properties"]["tenant"] = {"type": "string"}
    rule["required"].append("tenant")
    assert [(each.kind, each.theirs, each.mended) for each in found(raw)] == [
        (Kind.NEW_ARGUMENT, "security_rules.tenant", False)
    ]


def test_arguments_in_the_query_of_a_post_are_sent_there() -> None:
    raw = only("quote_price")
    properties = body_of(raw)["properties"]
    operation(raw)["parameters"] = [
        {"name": name, "in": "query", "schema": inner} for name, inner in properties.items()
    ]
    del operation(raw)["requestBody"]
    sent = Contract(overrides(raw)).for_(BY_TOOL["quote_price"]).request({"tier": "legacy"})
    assert sent == Sent("POST", "/pricing/", {"tier": "legacy"}, None)
    raw = only("create_volume")
    operation(raw)["parameters"] = [{"name": "name", "in": "query", "schema": {"type": "string"}}]
    del body_of(raw)["properties"]["name"]
    body_of_again(raw)["required"].remove("name")
    assert (Kind.PLACE, False) in kinds(raw)


def test_an_answer_that_moved_is_adopted_and_its_new_fields_are_told() -> None:
    raw = only("get_volume")
    schema = answer_of(raw)
    row = copy.deepcopy(raw["components"]["schemas"]["VolumeResponse"])
    row["properties"]["nameLabel"] = row["properties"].pop("volume_name")
    row["properties"]["iops"] = {"type": "integer"}
    row["properties"]["bootable"] = {"type": "object", "properties": {"x": {}}}
    schema["properties"] = {"payload": {"type": "object", "properties": {"disk": row}}, "tier": {"type": "string"}}
    assert overrides(raw).operations["get_volume"].result == "payload.disk"
    shown = {(each.kind, each.ours, each.theirs, each.matters) for each in found(raw)}
    assert (Kind.ANSWER, "volume.volume_name", "nameLabel", True) in shown
    assert (Kind.NEW_ANSWER, "volume", "iops", False) in shown
    assert (Kind.TYPE, "volume.bootable: boolean", "object", False) in shown


def test_an_answer_without_a_root_is_the_result_itself() -> None:
    raw = only("get_volume")
    media = operation(raw)["responses"]["2XX"]["content"]["application/json"]
    media["schema"] = {"$ref": "#/components/schemas/VolumeResponse"}
    assert overrides(raw).operations["get_volume"].result == "."
    raw = only("list_volumes")
    media = operation(raw)["responses"]["2XX"]["content"]["application/json"]
    media["schema"] = {"type": "array", "items": {"$ref": "#/components/schemas/VolumeResponse"}}
    assert "list_volumes" not in overrides(raw).operations


def test_an_answer_in_which_the_result_is_not_found_needs_a_person() -> None:
    raw = only("get_volume")
    answer_of(raw)["properties"] = {"zzz": {"type": "object", "properties": {"qqq": {"type": "string"}}}}
    assert [(each.kind, each.mended) for each in found(raw)] == [(Kind.RESULT, False)]
    raw = only("get_volume")
    row = {"$ref": "#/components/schemas/VolumeResponse"}
    answer_of(raw)["properties"] = {"a.b": row}
    assert [(each.kind, each.mended) for each in found(raw)] == [(Kind.RESULT, False)]


def test_a_balance_that_is_a_plain_number_is_found() -> None:
    raw = only("get_credit_balance")
    answer_of(raw)["properties"] = {"credit": {"type": "number"}}
    operation_of = BY_TOOL["get_credit_balance"]
    read_back = Contract(overrides(raw)).for_(operation_of).answer({"success": True, "credit": 2.5})
    assert presented(operation_of, read_back, {})["balance"]["amount"] == 2.5


def test_states_that_we_know_by_another_name_are_read_and_strange_ones_told() -> None:
    raw = only("get_instance")
    raw["components"]["schemas"]["VMResponse"]["properties"]["status"]["enum"] = ["Running", "active", "LOST", "ERROR"]
    assert overrides(raw).status == {"instance": {"Running": "ACTIVE", "active": "ACTIVE"}}
    assert [(each.kind, each.theirs, each.matters) for each in found(raw)] == [
        (Kind.STATES, "Running = ACTIVE, active = ACTIVE", True),
        (Kind.STATES, "LOST", False),
    ]


def test_paging_that_one_operation_has_otherwise_is_said_of_it_alone() -> None:
    raw = dialect.written()
    listed = raw["paths"]["/disks"]["get"]
    for parameter in listed["parameters"]:
        if parameter["name"] == "page_number":
            parameter["name"] = "page"
    said = overrides(raw)
    assert said.api.page == "page_number"
    assert Contract(said).for_(BY_TOOL["list_volumes"]).request({"page": 2, "limit": 3}).query == {
        "page": 2,
        "per_page": 3,
    }
    assert Contract(said).for_(BY_TOOL["list_snapshots"]).request({"page": 2}).query == {"page_number": 2}


def test_a_key_is_never_sent_elsewhere_because_a_document_says_so() -> None:
    raw = only("get_volume") | {"servers": [{"url": "https://elsewhere.example/api"}]}
    text = adopt(document(raw))
    assert overrides(raw).api.url is None
    assert '#   url = "https://elsewhere.example/api"' in text
    assert [(each.kind, each.mended) for each in found(raw)] == [(Kind.SERVER, False)]


@pytest.mark.parametrize(
    ("servers", "prefix"),
    [(None, "/api"), ([{"url": "/api"}], ""), ([{"url": "https://barrack.ai"}], "/api"), ([{"url": "/"}], "/api")],
)
def test_paths_below_the_base_url_are_found_wherever_it_ends(servers: Any, prefix: str) -> None:
    raw = only("get_volume", "create_volume")
    raw["paths"] = {prefix + path: item for path, item in raw["paths"].items()}
    raw["servers"] = servers
    assert {each.kind for each in found(raw)} <= {Kind.SERVER}


def test_a_mix_of_slashes_is_taken_over_path_by_path() -> None:
    raw = only("get_volume", "create_volume")
    raw["paths"]["/volumes"] = raw["paths"].pop("/volumes/")
    assert {tool: each.path for tool, each in overrides(raw).operations.items()} == {"create_volume": "/volumes"}
    assert overrides(raw).api.slash is None


def test_a_document_of_django_rest_framework_is_matched_by_its_ids_and_paths() -> None:
    def described(operation_id: str, **more: Any) -> Any:
        return {"operationId": operation_id, "tags": ["x"], "responses": {"200": {"description": ""}}, **more}

    key = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    raw = {
        "openapi": "3.0.3",
        "info": {"title": "", "version": "0.0.0"},
        "paths": {
            "/api/instances/": {"get": described("instances_list")},
            "/api/instances/deploy/": {"post": described("instances_deploy_create")},
            "/api/instances/{id}/": {
                "get": described("instances_retrieve", parameters=[key]),
                "delete": described("instances_destroy", parameters=[key]),
            },
            "/api/instances/{id}/start/": {"post": described("instances_start_create", parameters=[key])},
            "/api/instances/{id}/stop/": {"post": described("instances_stop_create", parameters=[key])},
            "/api/volumes/": {"get": described("volumes_list"), "post": described("volumes_create")},
            "/api/volumes/{id}/": {"delete": described("volumes_destroy", parameters=[key])},
        },
        "components": {
            "securitySchemes": {
                "tokenAuth": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": 'Token-based authentication with required prefix "Token"',
                }
            }
        },
    }
    comparison = compare(document(raw))
    assert {match.operation.tool: match.theirs.name for match in comparison.matches} == {
        "list_instances": "GET /instances/",
        "deploy_instance": "POST /instances/deploy/",
        "get_instance": "GET /instances/{id}/",
        "delete_instance": "DELETE /instances/{id}/",
        "start_instance": "POST /instances/{id}/start/",
        "stop_instance": "POST /instances/{id}/stop/",
        "list_volumes": "GET /volumes/",
        "create_volume": "POST /volumes/",
        "delete_volume": "DELETE /volumes/{id}/",
    }
    assert adopted(document(raw)).api.auth_template == "Token {key}"
    assert adopted(document(raw)).operations["delete_instance"].path == "/instances/{instance_id}/"


@pytest.mark.parametrize(("titles", "ids"), [(True, False), (False, True), (False, False)])
def test_a_careless_document_is_never_adopted_wrongly(titles: bool, ids: bool) -> None:  # noqa: FBT001 - rows of the table
    comparison = compare(document(dialect.written(titles=titles, ids=ids)))
    right = {tool: (method, dialect.placed(path)) for tool, (method, path) in PATHS.items()}
    for match in comparison.matches:
        if match.sure:
            assert (match.theirs.method, match.theirs.path) == right[match.operation.tool]
    sure = [match for match in comparison.matches if match.sure]
    assert len(sure) == (len(OPERATIONS) if titles or ids else 0)
    assert titles or ids or len(comparison.matches) > 20
    text = adopt(comparison.document)
    assert set(load(text.encode(), "x").operations) <= {
        match.operation.tool for match in comparison.matches if match.sure
    }
    assert ("If it is the same, uncomment:" in text) is not (titles or ids)


@pytest.mark.parametrize(
    ("tool", "method", "operation_id"),
    [
        ("start_instance", "post", "stop_instance_now"),
        ("stop_instance", "post", "delete_instance_now"),
        ("get_instance", "delete", "get_instance"),
        ("list_volumes", "put", "list_volumes"),
        ("create_volume", "get", "create_volume"),
        ("clone_volume", "delete", "clone_volume"),
    ],
)
def test_what_does_something_else_is_never_taken_for_the_same(tool: str, method: str, operation_id: str) -> None:
    raw = moved(only(tool), method, BY_TOOL[tool].path)
    said = operation(raw)
    if operation_id != tool:
        del said["summary"]
    said["operationId"] = operation_id
    comparison = compare(document(raw))
    assert tool not in comparison.overrides.operations
    assert not [match for match in comparison.matches if match.operation.tool == tool and match.sure]


def rendered(comparison: Comparison, **more: bool) -> str:
    console = Console(width=180, file=(text := io.StringIO()))
    console.print(comparison_as_page(comparison, **more))
    return text.getvalue()


def test_the_table_says_what_to_do_and_json_says_the_same() -> None:
    comparison = compare(document(dialect.written()))
    text = rendered(comparison)
    assert "X-API-Key: {key}" in text
    assert "adopt: sent as the API has it" in text
    assert "more" in text
    assert len(rendered(comparison, everything=True)) > 1.5 * len(text)
    assert sum_up(comparison) in " ".join(text.split())
    told = json.loads(json.dumps(comparison_as_json(comparison)))
    assert len(told["matches"]) == len(OPERATIONS)
    assert {each["kind"] for each in told["differences"]} >= {"path", "method", "key", "paging", "result", "values"}
    assert told["same"] is False


def test_where_nothing_differs_the_table_is_one_sentence() -> None:
    comparison = compare(document(OURS))
    assert rendered(comparison).strip() == f"All {len(OPERATIONS)} operations are in api.json, and nothing differs."


def test_text_of_a_document_reaches_a_terminal_and_a_file_only_as_text() -> None:
    raw = only("get_volume") | {"servers": [{"url": "https://x.example/\u001b[2J"}]}
    evil = '\u001b[31m\n[api]\nurl = "https://evil.example"\n\u202e"""'
    raw["paths"][f"/evil{evil}"] = {"get": {"summary": evil, "operationId": evil}}
    operation_of = raw["paths"]["/volumes/{volume_id}/"]["get"]
    operation_of["summary"] = "Get volume details"
    answer = operation_of["responses"]["2XX"]["content"]["application/json"]
    answer["schema"] = {"properties": {"volume": {"properties": {"volume_id": {}, evil: {}, 'x"y': {}}}}}
    parsed = document(raw, f"name{evil}")
    comparison = compare(parsed)
    for text in (rendered(comparison, everything=True), adopt(parsed)):
        assert "\u001b" not in text
        assert "\u202e" not in text
    assert load(adopt(parsed).encode(), "x") == adopted(parsed)
    assert adopted(parsed).api.url is None


def test_what_would_not_load_again_is_a_comment_with_the_reason() -> None:
    raw = moved(only("get_volume"), "get", "/a b/{volume_id}/")
    text = adopt(document(raw))
    assert "It can't be taken over as it is: path must be a path below the base URL" in text
    assert "# path = " in text
    assert "get_volume" not in overrides(raw).operations
    raw = moved(only("get_volume"), "get", "/{id}/of/{id}/")
    assert "get_volume" not in overrides(raw).operations
    raw = only("get_volume")
    raw["components"]["securitySchemes"] = {"k": {"type": "apiKey", "in": "header", "name": "X Key"}}
    assert overrides(raw).api.auth_header is None


def test_a_documents_contract_takes_overrides_by_hand_over_it() -> None:
    raw = moved(only("get_volume"), "get", "/disks/{volume_id}/")
    over = load(b'[operations.get_volume]\nresult = "disk"\n', "x")
    wire = Contract(merged(adopted(document(raw)), over)).for_(BY_TOOL["get_volume"])
    assert (wire.path, wire.result) == ("/disks/{volume_id}/", "disk")
    assert Contract(adopted(document(raw))).for_(BY_TOOL["get_volume"]).result == "volume"
