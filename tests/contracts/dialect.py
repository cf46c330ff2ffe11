"""What is written about the other Barrack: its own OpenAPI document, and its handbook as overrides by hand."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

from barrack_mcp.api.openapi.export import export
from barrack_mcp.api.wire.shape import answer_places, request_places
from barrack_mcp.catalogue import OPERATIONS, Operation
from tests.contracts.other import (
    ALIKE,
    ALIKE_VALUES,
    BODY_OF_DELETE,
    HEADER,
    PATHS,
    POSITION,
    ROOTS,
    UNLIKE,
    UNLIKE_VALUES,
    Json,
)

STATES = ["running", "stopped", "hibernated", "ERROR", "REBOOTING"]
_STATEFUL = ("VMInstance", "VMResponse", "SnapshotVMResponse", "FirewallVM", "FirewallInstance", "DeploymentData")


def written(*, titles: bool = True, ids: bool = True) -> Json:
    """Write the document; without titles and tags, or without ids, it is one of a careless vendor."""
    document: Json = json.loads(_written(titles=titles, ids=ids))
    return document


@cache
def _written(*, titles: bool, ids: bool) -> bytes:
    """Write it once; each test has a copy of its own, which takes a tenth of the time."""
    ours = export()
    by_tool = {
        operation["operationId"]: (method, path, operation)
        for path, item in ours["paths"].items()
        for method, operation in item.items()
    }
    schemas = {name: _schema(name, schema) for name, schema in ours["components"]["schemas"].items()}
    paths: Json = {}
    for tool, (method, path) in PATHS.items():
        described = _operation(tool, *by_tool[tool], theirs=path, verb=method, schemas=schemas)
        if titles:
            described |= {"summary": by_tool[tool][2]["summary"], "tags": by_tool[tool][2]["tags"]}
        if ids:
            described["operationId"] = f"v1_{tool}_op"
        paths.setdefault(placed(path), {})[method.lower()] = described
    return as_bytes(
        {
            "openapi": "3.1.0",
            "info": {"title": "Other", "version": "9"},
            "servers": [{"url": "https://other.example/api"}],
            "security": [{"token": []}],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": HEADER}},
            },
        }
    )


def placed(path: str) -> str:
    for ours, theirs in ALIKE.items():
        path = path.replace(f"{{{ours}}}", f"{{{theirs}}}")
    return path


def _schema(name: str, schema: Json) -> Json:
    made: Json = _bare(schema)
    properties = made.get("properties", {})
    if "status" in properties and name in _STATEFUL:
        properties["status"]["enum"] = STATES
    for field, table in ALIKE_VALUES.items():
        if field in properties and field != "status":
            values = properties[field].get("enum", list(table))
            properties[field]["enum"] = [table.get(value, value) for value in values if value is not None]
    renamed = ALIKE | ({"size": ALIKE["size_gb"]} if name == "Image" else {})
    made["properties"] = {renamed.get(field, field): inner for field, inner in properties.items()}
    if "required" in made:
        made["required"] = [ALIKE.get(field, field) for field in made["required"]]
    return made


def _bare(value: Any) -> Any:
    """Leave out what only our own document says."""
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if isinstance(value, dict):
        return {name: _bare(inner) for name, inner in value.items() if not name.startswith("x-")}
    return copy.copy(value)


def _operation(tool: str, method: str, path: str, ours: Json, *, theirs: str, verb: str, schemas: Json) -> Json:
    described: Json = {"responses": {"200": _response(ours, schemas)}}
    parameters = []
    moved = {}
    for parameter in _bare(ours.get("parameters", [])):
        name = parameter["name"]
        if name in ALIKE_VALUES and "enum" in parameter["schema"]:
            parameter["schema"]["enum"] = [ALIKE_VALUES[name].get(each, each) for each in parameter["schema"]["enum"]]
        parameter["name"] = ALIKE.get(name, name)
        if parameter["in"] == "path" and f"{{{name}}}" not in theirs:
            moved[parameter["name"]] = parameter["schema"]
        else:
            parameters.append(parameter)
    if parameters:
        described["parameters"] = parameters
    if "requestBody" in ours or moved:
        schema: Json = ours.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if moved:
            schema = {"allOf": [schema, {"type": "object", "properties": moved, "required": list(moved)}]}
        described["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    assert (verb == "DELETE" and "requestBody" in described) == (tool in BODY_OF_DELETE), (tool, method, path)
    return described


def _response(ours: Json, schemas: Json) -> Json:
    root = ours.get("x-result")
    name = ours["responses"]["2XX"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    known = {**schemas[name]["properties"]}
    top = {each: known.pop(each) for each in ("success", "message", "request_id") if each in known}
    meta = {}
    for each, theirs in POSITION.items():
        if ALIKE.get(each, each) in known:
            meta[theirs] = known.pop(ALIKE.get(each, each))
    data = {ROOTS.get(each, each) if each == root else each: inner for each, inner in known.items()}
    top["data"] = {"type": "object", "properties": data}
    if meta:
        top["meta"] = {"type": "object", "properties": meta}
    return {"description": "ok", "content": {"application/json": {"schema": {"type": "object", "properties": top}}}}


def as_bytes(document: Json) -> bytes:
    return json.dumps(document).encode()


def handbook() -> str:
    """Write down how the other Barrack speaks with its least guessable names, as whoever has its handbook would."""
    api = {"slash": "never", "auth_header": HEADER, "auth_template": "{key}"}
    api |= {name: UNLIKE[name] for name in ("page", "limit")}
    api |= {name: f"meta.{POSITION[name]}" for name in ("total", "total_pages")}
    states = {theirs: ours for ours, theirs in UNLIKE_VALUES["status"].items()}
    lines = ["[api]", *_rows(api), "[status.instance]", *_rows(states)]
    for operation in OPERATIONS:
        method, path = PATHS[operation.tool]
        root = operation.result
        said = {"path": path, "result": "data" if root is None else f"data.{ROOTS.get(root, root)}"}
        if method != operation.method:
            said["method"] = method
        if operation.tool in BODY_OF_DELETE:
            said["send"] = "body"
        fields, values = _renamed(operation, path)
        lines += [f"[operations.{operation.tool}]", *_rows(said)]
        lines += [f"[operations.{operation.tool}.fields]", *_rows(fields)]
        for name, table in values.items():
            lines += [f"[operations.{operation.tool}.values.{json.dumps(name)}]", *_rows(table)]
    return "\n".join(lines)


def _renamed(operation: Operation, path: str) -> tuple[dict[str, str], dict[str, Json]]:
    """Their names and values, by ours; a name that both the request and the answer have says which it is of."""
    sides = {"request": request_places(operation), "answer": answer_places(operation)}
    both = sides["request"].keys() & sides["answer"].keys()
    fields: dict[str, str] = {}
    values: dict[str, Json] = {}
    for side, places in sides.items():
        for place in places:
            last = place.rpartition(".")[2]
            theirs = EXTENT if last == "size" and "image" in place else UNLIKE.get(last, last)
            if side == "request" and (f"{{{place}}}" in path or place in ("page", "limit", "detail")):
                continue
            if side == "answer" and "." not in place:
                if operation.paged and place in POSITION:
                    theirs = f"meta.{POSITION[place]}"
                elif place in ("message", "request_id", operation.result):
                    continue
                elif operation.result is not None:
                    theirs = f"data.{theirs}"
            name = f"{side}.{place}" if place in both else place
            if theirs != last and place not in ("total", "total_pages"):
                fields[name] = theirs
            if last in UNLIKE_VALUES and last != "status":
                values[name] = UNLIKE_VALUES[last]
    return fields, values


EXTENT = UNLIKE["size_gb"]
"""An image has one, too, though our field for it bears another name."""


def _rows(table: Json) -> list[str]:
    return [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in table.items()]
