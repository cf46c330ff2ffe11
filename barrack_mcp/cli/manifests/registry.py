"""`server.json`: what the MCP registry lists."""

from __future__ import annotations

import json
from typing import Any, Final

from barrack_mcp.cli.install.clients import PUBLISHED, SERVE
from barrack_mcp.cli.manifests.package import SUMMARY, TITLE, Package, Question, questions

SCHEMA: Final = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
NAME: Final = "io.github.barrack-mcp/barrack-mcp"
"""README must hold `mcp-name: ` and this: so the registry knows that the package on PyPI is meant."""


def server_json(package: Package) -> str:
    """Write `server.json`."""
    made = {
        "$schema": SCHEMA,
        "name": NAME,
        "title": TITLE,
        "description": SUMMARY,
        "version": package.version,
        "packages": [
            {
                "registryType": "pypi",
                "identifier": package.name,
                "version": package.version,
                "runtimeHint": PUBLISHED[0],
                "transport": {"type": "stdio"},
                "packageArguments": [{"type": "positional", "value": SERVE}],
                "environmentVariables": [_variable(question) for question in questions()],
            }
        ],
    }
    return json.dumps(made, ensure_ascii=False, indent=2) + "\n"


def _variable(question: Question) -> dict[str, Any]:
    made: dict[str, Any] = {"name": question.variable, "description": question.description}
    if question.kind is bool:
        made["format"] = "boolean"
    if question.default is None:
        made["isRequired"] = True
    else:
        made["default"] = json.dumps(question.default) if question.kind is bool else question.default
    if question.secret:
        made["isSecret"] = True
    return made
