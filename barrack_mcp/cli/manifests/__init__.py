"""The generated files of a checkout: what each must hold, and whether it does."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from barrack_mcp.api.openapi import export
from barrack_mcp.cli import tools
from barrack_mcp.cli.install.clients import CLIENTS, Client, Json
from barrack_mcp.cli.install.entries import deeplink, document, entry, takes_reference
from barrack_mcp.cli.install.file import rendered
from barrack_mcp.cli.install.launching import COMMAND_HERE, PUBLISHED, Published
from barrack_mcp.cli.manifests import bundle, greetings, readme, registry
from barrack_mcp.cli.manifests.package import Package
from barrack_mcp.config import Settings
from barrack_mcp.transports.stdio.greeting import RECORD

KEY_FILE_HERE: Final = "/path/to/the/file/that/holds/your/key"
"""What a person replaces, in the file of a client that can't pass the key on."""


def stale(checkout: Path, *, write: bool) -> list[str]:
    """Answer which generated files are not as the catalogue says, and write them if asked to.

    Args:
        checkout: The folder that holds pyproject.toml, the pages and `manifests/`.
        write: Whether to bring them up to date.
    """
    package = package_of(checkout)
    found: list[str] = []
    for name, make in files(package).items():
        path = checkout / name
        now = path.read_bytes().decode("utf-8") if path.exists() else ""
        wanted = make(now)
        if now != wanted:
            found.append(name)
            if write:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(wanted.encode("utf-8"))
    return found


def package_of(checkout: Path) -> Package:
    """Read what the package says of itself."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return Package(
        name=project["name"],
        description=project["description"],
        license=project["license"],
        author=project["authors"][0]["name"],
        keywords=tuple(project["keywords"]),
        requires_python=project["requires-python"],
        dependencies=tuple(project["dependencies"]),
    )


def files(package: Package, published: Published = PUBLISHED) -> dict[str, Callable[[str], str]]:
    """Answer each generated file and what makes it from its present content.

    Args:
        package: What the package says of itself.
        published: What starts the published package. While there is none, nothing names it for a registry, and what
            a click would install from there is not made.
    """
    link = deeplink(started_by(CLIENTS["cursor"], published)) + "\n"
    return {
        **dict.fromkeys(readme.PAGES, readme.renewed),
        f"barrack_mcp/transports/stdio/{RECORD}": lambda _: greetings.record(),
        "manifests/tools.json": lambda _: tools.as_json(Settings()) + "\n",
        "manifests/openapi.json": lambda _: export.as_text(export.export()),
        "manifests/server.json": lambda _: registry.server_json(package, published),
        "manifests/mcpb/manifest.json": lambda _: bundle.manifest(package),
        "manifests/mcpb/pyproject.toml": lambda _: bundle.project(package),
        "manifests/mcpb/server.py": lambda _: bundle.START,
        **{f"manifests/{client.name}/{client.shared_name}": _client(client, published) for client in CLIENTS.values()},
        **({} if published is None else {"manifests/cursor/deeplink.txt": lambda _: link}),
    }


def started_by(client: Client, published: Published) -> dict[str, Json]:
    """Answer a client's entry that starts the published package, or what a person has installed."""
    flags = ("--toolsets", client.toolsets) if client.toolsets else ()
    key_file = None if takes_reference(client) else KEY_FILE_HERE
    return entry(client, published or (COMMAND_HERE,), simulator=False, key_file=key_file, flags=flags)


def _client(client: Client, published: Published) -> Callable[[str], str]:
    return lambda _: rendered(client, document(client, started_by(client, published)))
