"""What a client's file says about the server: made in our words, written and read in the client's own."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from barrack_mcp.cli.install.clients import (
    KEY,
    KEY_FILE,
    SERVE,
    SERVER,
    SIMULATOR,
    VSCODE_INPUT,
    Client,
    Format,
    Json,
)

_REFERENCE: Final = re.compile(r"\$\w+|\$\{[^}]{0,200}}|\{(?:env|file):[^}]{0,200}}")
"""What a client puts something else in the place of."""
_NESTED: Final = "servers"
"""Where a file written for opencode 2 lists its servers, within what holds them for 1."""


def entry(
    client: Client,
    command: Sequence[str],
    *,
    simulator: bool,
    key_file: str | None = None,
    flags: Sequence[str] = (),
    settings: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Json]:
    """Answer what a client is told about the server, in our words. The key itself is never in it.

    Args:
        client: Whose file.
        command: What starts barrack-mcp, without `serve`.
        simulator: Whether it runs on the simulator, which needs no key.
        key_file: Path of the file that holds the key; None for the client's own way, where it has one.
        flags: Further flags of `serve`.
        settings: Further settings, by their names.
    """
    program, *arguments = command
    made: dict[str, Json] = {
        **{name: value for name, value in client.extra.items() if name == "type"},
        "command": program,
        "args": [*arguments, SERVE, *([SIMULATOR] if simulator else []), *flags],
        **{name: value for name, value in client.extra.items() if name != "type"},
    }
    env = dict(settings)
    if not simulator and key_file is not None:
        env[KEY_FILE] = key_file
    elif not simulator and client.reference is not None:
        env[KEY] = client.reference
    elif not simulator:
        made["env_vars"] = [KEY]
    return {**made, "env": env} if env else made


def takes_reference(client: Client) -> bool:
    """Whether the client can hand over the key without holding it; else the key must lie in a file."""
    return client.reference is not None or client.format is Format.TOML


def is_filled_in(value: str) -> bool:
    """Whether a client puts something into a value before it starts the server."""
    return _REFERENCE.search(value) is not None


def is_reference(value: str) -> bool:
    """Whether a value is nothing but what a client puts something else in the place of."""
    return _REFERENCE.fullmatch(value) is not None


def worded(client: Client, made: Mapping[str, Json]) -> dict[str, Json]:
    """Say an entry in the client's words."""
    said: dict[str, Json] = {}
    for name, value in made.items():
        if name == "env":
            said[client.environment] = value
        elif not client.command_holds_arguments:
            said[name] = value
        elif name == "command":
            said[name] = [value, *made.get("args", ())]
        elif name != "args":
            said[name] = value
    return said


def understood(client: Client, there: Mapping[str, Json]) -> dict[str, Json]:
    """Say a client's entry in our words; what is not of the client's form stays as it is."""
    known = {"env" if name == client.environment else name: value for name, value in there.items()}
    command = known.get("command")
    if client.command_holds_arguments and isinstance(command, list) and command:
        known |= {"command": command[0], "args": command[1:]}
    return known


def shelf(client: Client, holds: Mapping[str, Json]) -> tuple[str, ...]:
    """Answer where a client's file lists its servers, from its root on.

    A file written for opencode 2 lists them one level deeper; 2 reads the form of 1, too, but not both in one file.
    """
    within = holds.get(client.servers)
    deeper = within.get(_NESTED) if client.command_holds_arguments and isinstance(within, Mapping) else None
    is_a_server = isinstance(deeper, Mapping) and {"type", "command"} & {*deeper}
    return (client.servers, _NESTED) if isinstance(deeper, Mapping) and not is_a_server else (client.servers,)


def inputs(made: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Answer the questions that a client must ask for the entry to work: VS Code asks for the key and keeps it."""
    question = {"type": "promptString", "id": VSCODE_INPUT, "description": "Barrack API key", "password": True}
    return [question] if f"${{input:{VSCODE_INPUT}}}" in json.dumps(made) else []


def document(client: Client, made: Mapping[str, Json]) -> dict[str, Json]:
    """Answer the whole of a client's file that holds nothing but the server."""
    asked = inputs(made)
    return {**({"inputs": asked} if asked else {}), client.servers: {SERVER: worded(client, made)}}


def deeplink(made: Mapping[str, Json]) -> str:
    """Answer the link that installs the entry in Cursor."""
    packed = base64.b64encode(json.dumps(made, separators=(",", ":")).encode()).decode()
    return f"cursor://anysphere.cursor-deeplink/mcp/install?name={SERVER}&config={quote(packed, safe='')}"
