"""What sources might say, made by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from barrack_mcp.api.learning.found import Found, Source
from barrack_mcp.api.openapi.document import Document, read
from barrack_mcp.catalogue import BY_TOOL

BASE = "https://barrack.ai/api"
DAY = date(2026, 11, 27)
PLACES = {
    Source.SITE: "https://docs.barrack.ai",
    Source.DOCUMENT: f"{BASE}/schema/",
    Source.ROOT: f"{BASE}/",
    Source.ADDRESS: BASE,
}


def said(tool: str, method: str | None = None, path: str | None = None, **more: Any) -> tuple[str, str, dict[str, Any]]:
    """An operation that bears a tool's signs, at its own place unless another is given."""
    operation = BY_TOOL[tool]
    signs = {"operationId": tool, "summary": operation.title, "tags": [operation.group]}
    return method or operation.method, path or operation.path, {**signs, **more}


def takes(*required: str, **properties: Any) -> dict[str, Any]:
    """A request's body; each property by its type, or by its schema."""
    schema = {
        "type": "object",
        "required": list(required),
        "properties": {name: {"type": each} if isinstance(each, str) else each for name, each in properties.items()},
    }
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def answers(**properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    return {"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}


def found(
    source: Source,
    *operations: tuple[str, str, dict[str, Any]],
    url: str | None = None,
    header: str | None = None,
    **more: Any,
) -> Found:
    """What one source says."""
    paths: dict[str, Any] = {}
    for method, path, described in operations:
        names = re.findall(r"\{(.*?)\}", path)
        parameters = [{"name": name, "in": "path", "schema": {"type": "string"}} for name in dict.fromkeys(names)]
        parameters += described.get("parameters", [])
        paths.setdefault(path, {})[method.lower()] = {**described, "parameters": parameters}
    raw: dict[str, Any] = {"openapi": "3.1.0", "paths": paths}
    if url is not None:
        raw["servers"] = [{"url": url}]
    if header is not None:
        raw["components"] = {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": header}}}
    document = read(json.dumps(raw).encode(), PLACES[source]) if paths else Document(PLACES[source])
    return Found(source, PLACES[source], DAY, document, **more)


def from_pages(found: Found, pages: Mapping[str, str]) -> Found:
    """The same, each operation from a page of its own, by operation id."""
    document = found.document
    operations = tuple(replace(each, origin=pages.get(each.operation_id, "")) for each in document.operations)
    return replace(found, document=replace(document, operations=operations))
