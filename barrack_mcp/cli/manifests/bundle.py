"""The MCPB bundle: one file that Claude Desktop and other hosts install by a click.

It is of the kind `uv`: the host brings Python and what the package needs, so a person has neither to install. A bundle
that runs `uvx` itself needs uv on the PATH of a program with windows, and one of the kind `python` a Python of the
system's. It carries the package's own source: `.ci/bundle` puts that beside these files, so nothing is fetched by our
name.
"""

from __future__ import annotations

import json
from typing import Any, Final

from barrack_mcp.catalogue import OFFERS
from barrack_mcp.cli.manifests.package import SUMMARY, TITLE, Package, Question, questions

VERSION: Final = "0.4"
"""The first manifest version that knows `uv`."""

_ENTRY: Final = "server.py"

START: Final = '''"""Start the server that lies beside this script."""  # noqa: INP001 - a script in a bundle

import sys

from barrack_mcp.cli import main

sys.argv = ["barrack-mcp", "serve"]
main()
'''
"""What the host runs."""


def manifest(package: Package) -> str:
    """Write the bundle's `manifest.json`."""
    asked = questions()
    made = {
        "manifest_version": VERSION,
        "name": package.name,
        "display_name": TITLE,
        "version": package.version,
        "description": SUMMARY,
        "long_description": package.description,
        "author": {"name": package.author},
        "license": package.license,
        "keywords": list(package.keywords),
        "server": {
            "type": "uv",
            "entry_point": _ENTRY,
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", _ENTRY],
                "env": {question.variable: f"${{user_config.{question.field}}}" for question in asked},
            },
        },
        "user_config": {question.field: _option(question) for question in asked},
        "tools": [{"name": offer.tool, "description": offer.description} for offer in OFFERS.values()],
        "compatibility": {
            "platforms": ["darwin", "win32", "linux"],
            "runtimes": {"python": package.requires_python},
        },
    }
    return json.dumps(made, ensure_ascii=False, indent=2) + "\n"


def project(package: Package) -> str:
    """Write the bundle's `pyproject.toml`: what the package that lies beside it needs."""
    needed = "".join(f'  "{dependency}",\n' for dependency in package.dependencies)
    return f"""[project]
name = "{package.name}-bundle"
version = "{package.version}"
requires-python = "{package.requires_python}"
dependencies = [
{needed}]

[tool.uv]
package = false
"""


def _option(question: Question) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "boolean" if question.kind is bool else "string",
        "title": question.title,
        "description": question.description,
        "required": question.default is None,
    }
    if question.secret:
        made["sensitive"] = True
    if question.default is not None:
        made["default"] = question.default
    return made
