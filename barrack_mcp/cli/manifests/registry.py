"""`server.json`: what the MCP registry lists."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final

from barrack_mcp.cli.install.clients import SERVE
from barrack_mcp.cli.install.launching import Published
from barrack_mcp.cli.manifests.package import SUMMARY, TITLE, Package, Question, questions

SCHEMA: Final = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
NAME: Final = "io.github.barrack-mcp/barrack-mcp"
"""README must hold `mcp-name: ` and this: so the registry knows that the package on PyPI is meant."""

_UNPUBLISHED: Final = MappingProxyType(
    {
        "_meta": {
            "io.modelcontextprotocol.registry/publisher-provided": {
                "note": "Not published: no registry holds a package of ours yet. Install it from its source."
            }
        }
    }
)
"""What stands in the place of a package: a package of this name in a registry is a stranger's."""


def server_json(package: Package, published: Published) -> str:
    """Write `server.json`, with a package to install if there is one."""
    made = {
        "$schema": SCHEMA,
        "name": NAME,
        "title": TITLE,
        "description": SUMMARY,
        "version": package.version,
        **(_UNPUBLISHED if published is None else {"packages": [_package(package, published)]}),
    }
    return json.dumps(made, ensure_ascii=False, indent=2) + "\n"


def _package(package: Package, published: Sequence[str]) -> dict[str, Any]:
    return {
        "registryType": "pypi",
        "identifier": package.name,
        "version": package.version,
        "runtimeHint": published[0],
        "transport": {"type": "stdio"},
        "packageArguments": [{"type": "positional", "value": SERVE}],
        "environmentVariables": [_variable(question) for question in questions()],
    }


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
