"""The catalogue says what the contract says, in schemas that every client accepts."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp.types import ListToolsResult
from pydantic import BaseModel

from barrack_mcp import catalogue
from barrack_mcp.catalogue import (
    BY_TOOL,
    DOCUMENTED,
    INFERRED,
    INSIGHTS,
    OFFERS,
    OPERATIONS,
    RESERVED_IDS,
    Confidence,
    Insight,
    JsonObject,
    Look,
    Method,
    Offer,
    Operation,
    Risk,
    Toolset,
    answer_schema,
    arguments_schema,
    index,
    together,
)
from barrack_mcp.catalogue.kinds import VOLUME
from barrack_mcp.catalogue.models import Request, Response, required
from barrack_mcp.catalogue.operation import Endpoint
from barrack_mcp.catalogue.signs import Made, Shows
from barrack_mcp.catalogue.values import Id, Name
from barrack_mcp.cli.tools import BYTES_PER_TOKEN
from barrack_mcp.server.tools import tool_of

COPY = Path(__file__).parent / "contract"
ORIGINAL = Path(__file__).parents[2] / "shared" / "contract"
CONTRACT: dict[str, JsonObject] = {op["tool"]: op for op in json.loads((COPY / "operations.json").read_text("utf-8"))}
SCHEMAS: dict[str, JsonObject] = json.loads((COPY / "schemas.json").read_text("utf-8"))

MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(catalogue.__path__, f"{catalogue.__name__}.")
]
NAME = {"name": {"type": "string"}}
PLACE = {"page": {"type": "integer", "minimum": 1}, "limit": {"type": "integer", "minimum": 1, "maximum": 100}}
WAITS = {"wait_seconds": {"type": "integer"}}
OURS: dict[str, JsonObject] = {
    **dict.fromkeys(
        (
            "deploy_instance",
            "start_instance",
            "stop_instance",
            "reboot_instance",
            "hibernate_instance",
            "restore_instance",
            "create_volume",
            "attach_volumes",
            "detach_volumes",
            "clone_volume",
            "create_snapshot",
            "restore_snapshot",
            "create_custom_image",
            "create_firewall",
        ),
        WAITS,
    ),
    **{
        tool: {"detail": {"type": "string", "enum": ["concise", "full"]}} | NAME
        for tool in ("list_instances", "list_volumes", "list_snapshots", "list_firewalls")
    },
    **dict.fromkeys(("list_ssh_keys", "list_startup_scripts", "list_custom_images"), NAME),
    "list_os_images": NAME | PLACE,
    "list_gpu_stock": PLACE
    | {"gpu_count": {"type": "integer", "minimum": 1, "maximum": 8}, "min_vram_gb": {"type": "integer", "minimum": 1}},
    "attach_firewall": {n: {"type": "array", "items": {"type": "string"}, "minItems": 1} for n in ("add", "remove")}
    | WAITS,
    **{
        tool: {"lease_hours": {"type": "integer", "minimum": 1, "maximum": 8_760}} | WAITS
        for tool in ("deploy_instance", "restore_instance", "restore_snapshot")
    },
    **{
        tool: {"since": {"type": "string"}, "until": {"type": "string"}}
        for tool in ("get_instance_billing", "get_volume_billing", "get_snapshot_billing")
    },
    "deploy_instance": {
        "lease_hours": {"type": "integer", "minimum": 1, "maximum": 8_760},
        "like": {"type": "string"},
    }
    | WAITS,
    "toggle_instance_public_ip": {"want": {"type": "string", "enum": ["on", "off"]}},
}
"""Arguments that the contract leaves to us; the API never sees them."""
INPUTS = {tool: arguments_schema(offer.arguments) for tool, offer in OFFERS.items()}
ANSWERS = {tool: answer_schema(offer.response) for tool, offer in OFFERS.items()}
OUR_TOOLS = {
    "get_spending_overview": Risk.READ,
    "wait_for_status": Risk.READ,
    "list_leases": Risk.READ,
    "set_lease": Risk.CHANGE,
}
"""The tools that no operation answers, in their order, each with its risk."""

CLOSED = {
    "TierEnum": ["legacy", "advanced"],
    "CurrencyEnum": ["USD", "EUR", "INR"],
    "ResourceTypeEnum": ["volumes", "snapshots", "gpus"],
    "VolumeTypeEnum": ["SSD", "HDD", "NVMe"],
    "BootSourceEnum": ["os_image", "volume", "custom_image"],
    "DirectionEnum": ["ingress", "egress"],
    "EthertypeEnum": ["IPv4", "IPv6"],
}
VOLUME_GB = {"type": "integer", "minimum": 100, "maximum": 1_048_576}
CORE = {
    "deploy_instance",
    "list_instances",
    "get_instance",
    "start_instance",
    "hibernate_instance",
    "restore_instance",
    "delete_instance",
    "list_gpu_stock",
    "quote_price",
    "list_ssh_keys",
    "create_ssh_key",
    "list_custom_images",
    "list_os_images",
    "get_credit_balance",
    "get_spending_overview",
    "wait_for_status",
}
REPEATABLE_WRITES = {
    "update_startup_script",
    "stop_instance",
    "hibernate_instance",
    "start_instance",
    "attach_firewall",
    "attach_volumes",
    "detach_volumes",
    "remove_instance_security_rule",
    "remove_firewall_rule",
}

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.tool))
each_offer = pytest.mark.parametrize("offer", OFFERS.values(), ids=lambda offer: str(offer.tool))


# The contract


def split(text: str) -> list[str]:
    """Split at the commas that stand in no bracket."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def parsed(arguments: str) -> JsonObject:
    """Read the contract's little language of arguments as the schema that it stands for."""
    properties, needed = {}, []
    for part in split(arguments):
        name, kind = (side.strip() for side in part.split(":", 1))
        if not name.endswith("?"):
            needed.append(name)
        properties[name.removesuffix("?")] = kind_schema(re.sub(r"\([^)]*\)", "", kind).strip())
    schema: JsonObject = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": needed} if needed else {})


def kind_schema(kind: str) -> JsonObject:
    if kind in CLOSED:
        return {"type": "string", "enum": CLOSED[kind]}
    if kind == "SecurityRule":
        rule = parsed(CONTRACT["add_firewall_rule"]["arguments"])
        del rule["properties"]["firewall_id"]
        return rule | {"required": [name for name in rule["required"] if name != "firewall_id"]}
    if whole := re.fullmatch(r"OsVolume\{(.*)\}", kind):
        volume = parsed(whole[1])
        volume["properties"]["size_gb"] = VOLUME_GB
        return volume
    if items := re.fullmatch(r"\[(\w+)\](?: min (\d+))?", kind):
        return {"type": "array", "items": kind_schema(items[1])} | ({"minItems": int(items[2])} if items[2] else {})
    if whole := re.fullmatch(r"int (?:>=)?(\d+)(?:\.\.(\d+))?", kind):
        return {"type": "integer", "minimum": int(whole[1])} | ({"maximum": int(whole[2])} if whole[2] else {})
    return {"type": "string"} | KINDS[kind]


KINDS: dict[str, JsonObject] = {
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    **{kind: {} for kind in ("id", "str", "cidr", "openssh public key", "str max 16384 bytes")},
    **{kind: {} for kind in ("GpuModelEnum", "RegionEnum", "ProtocolEnum", "VMStatus")},
    "name50": {"maxLength": 50},
    "keyname50": {"maxLength": 50},
    "imagename 3..30 [A-Za-z0-9 ._-]": {"minLength": 3, "maxLength": 30},
    "str max 255": {"maxLength": 255},
    "secret str min 8": {"minLength": 8},
}


def without_descriptions(node: Any) -> Any:
    if isinstance(node, list):
        return [without_descriptions(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: without_descriptions(value)
        for key, value in node.items()
        if not (key == "description" and isinstance(value, str))
    }


def root_of(result: str) -> str | None:
    """The name of a body's root, where the contract gives it one."""
    first = re.split(r"[^a-z_]", result)[0]
    flat = first in {"message", "success"} or first.endswith(("_id", "_count"))
    return None if flat else first


def test_the_copy_of_the_contract_is_the_contract() -> None:
    if ORIGINAL.exists():
        original = json.loads((ORIGINAL / "operations.json").read_text("utf-8"))
        for operation in original:
            operation.pop("analogues", None)
        assert {operation["tool"]: operation for operation in original} == CONTRACT
        assert json.loads((ORIGINAL / "schemas.json").read_text("utf-8")) == SCHEMAS


def test_every_operation_of_the_contract_is_declared_once_and_in_its_order() -> None:
    assert (len(OPERATIONS), sum(operation.reads for operation in OPERATIONS)) == (63, 31)
    assert [operation.tool for operation in OPERATIONS] == list(CONTRACT)


def test_the_tools_of_our_own_stand_behind_those_of_the_contract() -> None:
    assert {insight.tool: insight.risk for insight in INSIGHTS} == OUR_TOOLS
    assert [*OFFERS] == [*CONTRACT, *OUR_TOOLS]
    assert {insight.toolset for insight in INSIGHTS} == {Toolset.INSIGHTS}


def insight(**otherwise: Any) -> Insight:
    """A tool of our own that is whole but for what a test puts in its place."""
    whole: dict[str, Any] = {
        "tool": "get_weather",
        "title": "Get weather",
        "risk": Risk.READ,
        "description": "Say what the weather is like.",
        "response": BY_TOOL["get_volume"].response,
    }
    return Insight(**whole | otherwise)


@pytest.mark.parametrize(
    ("otherwise", "sentence"),
    [
        ({"tool": "set_weather"}, "set_weather: the names of reads, and no others, begin with list_, get_"),
        ({"risk": Risk.CHANGE}, "get_weather: the names of reads, and no others, begin with list_, get_"),
        (
            {"tool": "buy_weather", "risk": Risk.SPEND},
            "what needs a person's yes is an operation, and its risk is spend",
        ),
        ({"sets_state": True}, "`sets_state` follows from its risk, read"),
        ({"result": "sky"}, "`result` is sky, which is no field of GetVolumeDetailsResponse"),
    ],
)
def test_a_tool_of_our_own_that_lacks_something_can_not_be_made(otherwise: dict[str, Any], sentence: str) -> None:
    assert insight().idempotent
    with pytest.raises(TypeError, match=re.escape(sentence)):
        insight(**otherwise)


def test_a_tool_of_our_own_takes_no_operations_name() -> None:
    with pytest.raises(TypeError, match="get_volume is declared twice"):
        together(BY_TOOL, [insight(tool="get_volume")])


@each_operation
def test_an_operation_is_what_the_contract_says(operation: Operation) -> None:
    contract = CONTRACT[operation.tool]
    assert {
        "tool": operation.tool,
        "toolset": operation.toolset,
        "risk": operation.risk,
        "group": operation.group,
        "title": operation.title,
        "method": operation.method,
        "path": operation.path,
        "confidence": {"method": operation.confidence.method, "path": operation.confidence.path},
        "alternate_paths": [{"method": other.method, "path": other.path} for other in operation.alternates],
    } == {
        key: [{"method": other["method"], "path": other["path"]} for other in value]
        if key == "alternate_paths"
        else value
        for key, value in contract.items()
        if key not in {"arguments", "result", "schemas", "request", "response", "rules"}
    }


@each_operation
def test_the_arguments_are_exactly_those_of_the_contract_and_in_its_order(operation: Operation) -> None:
    expected = parsed(CONTRACT[operation.tool]["arguments"])
    if operation.tool in OURS:
        expected["properties"] |= OURS[operation.tool]
    if operation.filled:
        # what a machine that is named tells need not be said
        expected["required"] = [name for name in expected["required"] if name not in operation.filled]
    assert without_descriptions(INPUTS[operation.tool]) == expected
    assert list(INPUTS[operation.tool]["properties"]) == list(expected["properties"])


@each_operation
def test_the_root_of_the_body_is_the_contracts_and_the_response_has_it(operation: Operation) -> None:
    result = CONTRACT[operation.tool]["result"]
    assert operation.result == root_of(result)
    if operation.result:
        fields = ANSWERS[operation.tool]["properties"]
        assert operation.result in fields
        assert (fields[operation.result]["type"] == "array") == (f"{operation.result}[]" in result)


@each_operation
def test_an_operation_is_paged_if_the_contract_gives_it_a_page(operation: Operation) -> None:
    assert operation.paged == ("page?" in CONTRACT[operation.tool]["arguments"])


@each_operation
def test_an_operation_uses_the_schemas_that_the_contract_names(operation: Operation) -> None:
    reached = {cls.__name__ for model in (operation.request, operation.response) for cls in reachable(model)}
    assert {*CONTRACT[operation.tool]["schemas"]} - {"PricingRequest"} <= reached
    if "PricingRequest" in CONTRACT[operation.tool]["schemas"]:
        assert operation.request.__name__ == "PricingRequest"


def reachable(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The models that a model is made of: those it inherits from, and those of its fields."""
    yield from (cls for cls in model.__mro__ if issubclass(cls, BaseModel))
    for info in model.model_fields.values():
        yield from nested(info.annotation)


def nested(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from reachable(annotation)
    for parameter in getattr(annotation, "__args__", ()):
        yield from nested(parameter)


def test_a_schema_of_a_listed_operation_has_a_model_of_its_exact_name_and_no_other_has_one() -> None:
    for name, schema in SCHEMAS.items():
        found = [value for module in MODULES if (value := vars(module).get(name)) is not None]
        if "no_listed_operation" in schema:
            assert not found, name
        elif name.endswith("Enum") or name == "VMStatus":
            assert found, name
        else:
            assert {(cls.__name__, issubclass(cls, Request | Response)) for cls in found} == {(name, True)}


def test_a_schema_is_declared_in_one_place_only() -> None:
    homes: dict[str, set[str]] = {}
    for module in MODULES:
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == module.__name__:
                homes.setdefault(name, set()).add(module.__name__)
    assert {name: home for name, home in homes.items() if len(home) > 1} == {}


@pytest.mark.parametrize(("name", "values"), CLOSED.items())
def test_a_closed_set_is_a_literal_of_the_contracts_values(name: str, values: list[str]) -> None:
    (alias,) = {value for module in MODULES if (value := vars(module).get(name)) is not None}
    assert list(alias.__args__) == values


# The vocabulary


@each_offer
def test_every_field_is_described_and_marked(offer: Offer) -> None:
    marks = {DOCUMENTED.value, INFERRED.value}
    for model in {*reachable(offer.arguments), *reachable(offer.response)}:
        for info in model.model_fields.values():
            assert info.description
            assert isinstance(info.json_schema_extra, dict)
            assert str(info.json_schema_extra["x-provenance"]) in marks


@each_operation
def test_what_may_be_called_twice_with_no_more_effect_than_once_says_so(operation: Operation) -> None:
    assert operation.idempotent == (
        operation.reads or operation.risk is Risk.DESTROY or operation.tool in REPEATABLE_WRITES
    )


def declared(**otherwise: Any) -> Operation:
    """A write that is whole but for what a test takes away or puts in its place."""

    class VolumePath(Request):
        volume_id: Id = required("Which.")

    class LabelVolumeRequest(Request):
        name: Name = required("New name.")

    whole: dict[str, Any] = {
        "tool": "label_volume",
        "title": "Label volume",
        "group": "Volumes",
        "toolset": Toolset.VOLUMES,
        "risk": Risk.CHANGE,
        "description": "Give a volume another name.",
        "endpoint": Endpoint("PUT", "/volumes/{volume_id}/label/", Confidence(80, 60)),
        "place": VolumePath,
        "request": LabelVolumeRequest,
        "response": BY_TOOL["get_volume"].response,
        "result": "volume",
        "look": Look("get_volume", ("volume_id",)),
        "sign": Shows({"name": "volume_name"}),
    }
    return Operation(**whole | otherwise)


def at(method: Method, path: str) -> Endpoint:
    return Endpoint(method, path, Confidence(50, 50))


class AnotherName(Request):
    volume_id: Id = required("Which.")


@pytest.mark.parametrize(
    ("otherwise", "sentence"),
    [
        ({"look": None}, "label_volume: a write needs `look`, the read that shows whether it took place"),
        ({"sign": None}, "label_volume: a write needs `sign`, what its look shows once it took place"),
        ({"place": None, "look": Look("list_volumes")}, "the path's {volume_id} is no argument of `place`"),
        ({"endpoint": at("PUT", "/volumes/label/")}, "`place` has volume_id, and the path has not"),
        ({"endpoint": at("PUT", "/volumes/{volume_id}/label")}, "the path must begin and end with a slash"),
        ({"endpoint": at("GET", "/volumes/{volume_id}/label/")}, "a write is never sent by GET"),
        ({"request": AnotherName}, "volume_id is an argument of `place` and of `request`"),
        ({"result": "disk"}, "`result` is disk, which is no field of GetVolumeDetailsResponse"),
        ({"result": None}, "`sign` shows the thing itself, and `result` does not name its root"),
        ({"result": None, "paged": True}, "a paged answer needs `result`, the name of its rows"),
        ({"look": Look("get_volume", ("disk_id",))}, "`look` names disk_id, which is no argument"),
        ({"sign": Shows({"size_gb": "size_gb"})}, "`sign` names size_gb, which is no argument"),
        ({"risk": Risk.READ}, "a read has neither `look` nor `sign`"),
        ({"risk": Risk.READ, "look": None, "sign": None}, "the names of reads, and no others, begin with list_, get_"),
        ({"tool": "get_name"}, "the names of reads, and no others, begin with list_, get_"),
        ({"tool": "delete_name"}, "the names of what destroys, and no others, begin with delete_"),
        ({"risk": Risk.DESTROY}, "the names of what destroys, and no others, begin with delete_"),
        ({"risk": Risk.DESTROY, "sets_state": True}, "`sets_state` follows from its risk, destroy"),
        ({"risk": Risk.SPEND, "planned": True}, "whether it is `planned` follows from its risk, spend"),
    ],
)
def test_a_declaration_that_lacks_something_can_not_be_made(otherwise: dict[str, Any], sentence: str) -> None:
    assert declared().idempotent is False
    with pytest.raises(TypeError, match=re.escape(sentence)):
        declared(**otherwise)


@pytest.mark.parametrize(
    ("otherwise", "sentence"),
    [
        ({"tool": "resize_volume"}, "resize_volume is declared twice"),
        ({"look": Look("get_disk", ("volume_id",))}, "label_volume: `look` is get_disk, which is no read of ours"),
        ({"look": Look("delete_volume", ("volume_id",))}, "`look` is delete_volume, which is no read of ours"),
        ({"look": Look("get_volume", ())}, "get_volume needs volume_id, which `look` does not hand on"),
        ({"look": Look("get_volume", ("volume_id", "name"))}, "get_volume takes no name, which `look` hands on"),
        ({"look": Look("list_volumes")}, "`sign` is not one that a list can show"),
        ({"sign": Made(VOLUME)}, "`sign` is not one that a single thing can show"),
        ({"sign": Shows({"name": "title"})}, "`sign` is seen in title, which get_volume has not"),
    ],
)
def test_a_look_that_can_not_show_the_sign_is_named_when_the_catalogue_is_read(
    otherwise: dict[str, Any], sentence: str
) -> None:
    assert "label_volume" in index((*OPERATIONS, declared()))
    with pytest.raises(TypeError, match=re.escape(sentence)):
        index((*OPERATIONS, declared(**otherwise)))


def test_a_deployment_is_looked_for_in_its_own_region_and_tier() -> None:
    assert BY_TOOL["deploy_instance"].look == Look("list_instances", ("region", "tier"))


def test_the_core_is_a_days_work() -> None:
    assert {tool for tool, offer in OFFERS.items() if offer.core} == CORE


@each_operation
def test_a_wire_form_counts_as_documented_only_where_a_page_shows_it(operation: Operation) -> None:
    assert (operation.provenance is DOCUMENTED) == (operation.path == "/pricing/")


@each_operation
def test_an_operation_is_declared_in_the_module_of_its_group(operation: Operation) -> None:
    (home,) = (module for module in MODULES if operation in getattr(module, "OPERATIONS", ()))
    assert operation.group == home.GROUP


@pytest.mark.parametrize(
    "tool", ["list_instances", "get_instance", "deploy_instance", "start_instance", "stop_instance"]
)
def test_whoever_could_think_that_stopping_saves_money_is_told_otherwise(tool: str) -> None:
    operation = BY_TOOL[tool]
    assert re.search(r"full rate|does not end the bill", operation.description)
    assert re.search(r"full rate|stopping it does not end", operation.billing or "")


@each_operation
def test_buying_and_ending_a_purchase_say_what_happens_to_the_bill(operation: Operation) -> None:
    ends = operation.tool in {"delete_instance", "delete_volume", "delete_snapshot"}
    if operation.risk is Risk.SPEND or ends:
        assert operation.billing
    if operation.billing:
        assert operation.billing.endswith(".")
        assert not re.search(r"\d", operation.billing), "prices are asked for, never written down"


def test_the_words_of_the_paths_are_no_ids() -> None:
    assert {"billing", "types", "instances", "protocols", "for-snapshot", "bulk-delete", "balance"} <= RESERVED_IDS
    assert not any("{" in word or not word for word in RESERVED_IDS)


@each_operation
def test_only_methods_with_a_body_send_one(operation: Operation) -> None:
    assert operation.in_query == (operation.method in {"GET", "DELETE"})


# The schemas


def nodes(schema: Any) -> Iterator[JsonObject]:
    """Every schema within a schema."""
    if isinstance(schema, dict):
        yield schema
        for key in ("items", "additionalProperties"):
            yield from nodes(schema.get(key))
        for part in schema.get("properties", {}).values():
            yield from nodes(part)


@each_offer
def test_an_input_schema_is_plain_and_closed(offer: Offer) -> None:
    schema = INPUTS[offer.tool]
    Draft202012Validator.check_schema(schema)
    for node in nodes(schema):
        assert not {"$ref", "anyOf", "oneOf", "allOf", "pattern", "title", "default", "format"} & {*node}
        assert isinstance(node["type"], str)
        assert (node["type"] == "array") == ("items" in node)
        if node["type"] == "object":
            assert node["additionalProperties"] is False
            assert all(part["description"] for part in node["properties"].values())


@each_offer
def test_an_answers_schema_requires_nothing_and_names_one_type_a_value(offer: Offer) -> None:
    schema = ANSWERS[offer.tool]
    Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    for node in nodes(schema):
        assert not {"$ref", "anyOf", "oneOf", "required", "pattern", "title", "default"} & {*node}
        for part in node.get("properties", {}).values():
            assert part["description"]
            assert isinstance(part["type"], str)


def reference(node: Any, defs: JsonObject) -> Any:
    """What pydantic derives from the same model, with its references and unions resolved."""
    if isinstance(node, list):
        return [reference(item, defs) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = defs[node["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in node:
        (one,) = (option for option in node["anyOf"] if option != {"type": "null"})
        node = one | {key: value for key, value in node.items() if key != "anyOf"}
        return reference(node, defs)
    dropped = {"title", "description", "default", "x-provenance", "x-blank-counts", "writeOnly", "$defs"}
    return {
        key: {name: reference(part, defs) for name, part in value.items()}
        if key == "properties"
        else reference(value, defs)
        for key, value in node.items()
        if key not in dropped
    }


@each_offer
def test_the_input_schema_is_the_one_that_pydantic_checks_by(offer: Offer) -> None:
    raw = offer.arguments.model_json_schema(by_alias=False)
    assert without_descriptions(INPUTS[offer.tool]) == {"properties": {}, **reference(raw, raw.get("$defs", {}))}


@pytest.mark.slow
def test_describing_all_tools_builds_no_validator() -> None:
    program = """
from barrack_mcp.catalogue import OFFERS, answer_schema, arguments_schema
for offer in OFFERS.values():
    arguments_schema(offer.arguments), answer_schema(offer.response)
built = [o.tool for o in OFFERS.values() if o.arguments.__pydantic_complete__ or o.response.__pydantic_complete__]
raise SystemExit(", ".join(built) or 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, cwd=COPY.parents[1]
    )
    assert (done.returncode, done.stderr) == (0, "")


def size(offers: Iterable[Offer]) -> int:
    tools = [
        {"name": offer.tool, "description": offer.description, "inputSchema": INPUTS[offer.tool]} for offer in offers
    ]
    return len(json.dumps(tools, ensure_ascii=False, separators=(",", ":")).encode())


def test_a_client_is_sent_a_hundred_kilobytes_for_all_operations() -> None:
    sent = ListToolsResult(tools=[tool_of(operation) for operation in OPERATIONS])
    assert len(sent.model_dump_json(by_alias=True, exclude_none=True).encode()) <= 100_000


def test_all_tools_cost_a_model_little_to_know() -> None:
    assert size(OFFERS.values()) <= 7_400 * BYTES_PER_TOKEN
    assert size(offer for offer in OFFERS.values() if offer.core) <= 2_400 * BYTES_PER_TOKEN


@each_offer
def test_a_description_is_short_and_ends_as_a_sentence(offer: Offer) -> None:
    longest = 280 if offer.tool in {"deploy_instance", "stop_instance", "attach_firewall"} else 200
    assert 60 <= len(offer.description) <= longest
    assert offer.description.endswith(".")
    assert offer.description.isascii()


@each_offer
def test_the_tools_that_a_description_names_exist(offer: Offer) -> None:
    words = f"{offer.description} {json.dumps(INPUTS[offer.tool])}"
    named = set(
        re.findall(r"\b(?:list|get|quote|create|delete|deploy|attach|detach|restore|add|remove)_[a-z_]+", words)
    )
    assert named - {"get_instance."} <= {*OFFERS}
