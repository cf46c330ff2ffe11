"""A client's file: what is in it, the same text with the server in it, and how that takes the old one's place."""

from __future__ import annotations

import json
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from barrack_mcp.cli.install import jsonc
from barrack_mcp.cli.install.clients import SERVER, Client, Format, Json
from barrack_mcp.cli.install.entries import inputs, shelf
from barrack_mcp.state.files import OWNER_FILE, draft, replace

_UNUSUAL: Final = "the file is built in an unusual way"
_MARK: Final = "\ufeff"
"""Some editors on Windows begin a file with it; it stays."""

Edit = tuple[tuple[str, ...], Json]
"""A path from the root, and what shall stand there."""


def content(client: Client, text: str) -> dict[str, Json]:
    """Answer what a client's file holds; an empty file holds nothing.

    Raises:
        BrokenError: It can't be read; says where.
        ShapeError: Its root is no object.
    """
    text = text.removeprefix(_MARK)
    if not text.strip():
        return {}
    if client.format is Format.TOML:
        return _toml(text)
    value = jsonc.read(text, comments=client.format is Format.JSONC).value
    if not isinstance(value, dict):
        raise jsonc.ShapeError("the file is not an object")
    return value


def edited(client: Client, text: str, edits: Sequence[Edit], asked: Sequence[Json] = ()) -> str:
    """Answer the text with values set and questions added; everything else stays as it is.

    Args:
        client: Whose file.
        text: What it holds now.
        edits: Values to set.
        asked: Questions to append to those that the client asks.

    Raises:
        ShapeError: The file is built in a way that can't be edited safely.
    """
    wanted = content(client, text)
    for path, value in edits:
        _set(wanted, path, value)
    if asked:
        wanted["inputs"] = [*wanted.get("inputs", []), *asked]
    mark, bare = (_MARK, text.removeprefix(_MARK)) if text.startswith(_MARK) else ("", text)
    made = _edited_toml(bare, edits) if client.format is Format.TOML else _edited_json(client, bare, edits, asked)
    if content(client, made) != wanted:
        raise jsonc.ShapeError(_UNUSUAL)
    return mark + made


def taken_out(client: Client, text: str) -> str:
    """Answer the text without the server, and without the questions asked for it; everything else stays as it is.

    Raises:
        ShapeError: The file is built in a way that can't be edited safely.
    """
    wanted = content(client, text)
    where = shelf(client, wanted)
    servers: Json = wanted
    for name in where:
        servers = servers.get(name) if isinstance(servers, dict) else None
    if not isinstance(servers, dict) or SERVER not in servers:
        return text
    asked = inputs(servers.pop(SERVER))
    mark, bare = (_MARK, text.removeprefix(_MARK)) if text.startswith(_MARK) else ("", text)
    if client.format is Format.TOML:
        made = _toml_without(client, bare)
        if not servers:
            # a table of tables is there by them alone
            wanted.pop(client.servers)
    else:
        comments = client.format is Format.JSONC
        made = jsonc.take_out(bare, (*where, SERVER), comments=comments)
        for question in asked:
            ids = [each.get("id") for each in wanted.get("inputs", [])]
            if question["id"] in ids:
                at = ids.index(question["id"])
                del wanted["inputs"][at]
                made = jsonc.take_item_out(made, ("inputs",), at, comments=comments)
                if not wanted["inputs"]:
                    del wanted["inputs"]
                    made = jsonc.take_out(made, ("inputs",), comments=comments)
    if content(client, made) != wanted:
        raise jsonc.ShapeError(_UNUSUAL)
    return mark + made


def _toml_without(client: Client, text: str) -> str:
    try:
        made = tomlkit.parse(text)
        table: Any = made[client.servers]
        del table[SERVER]
        if not table:
            del made[client.servers]
    except (TOMLKitError, TypeError, ValueError) as error:
        raise jsonc.ShapeError(_UNUSUAL) from error
    left = tomlkit.dumps(made)
    for line in ("\r\n", "\n"):
        # the blank line that stood before the table goes with it
        if left.endswith(line * 2) and not text.endswith(line * 2):
            return left.removesuffix(line)
    return left


def rendered(client: Client, document: Mapping[str, Json]) -> str:
    """Write a file that holds nothing else."""
    if client.format is not Format.TOML:
        return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    return _edited_toml("", [((client.servers, SERVER), document[client.servers][SERVER])])


def _edited_json(client: Client, text: str, edits: Sequence[Edit], asked: Sequence[Json]) -> str:
    comments = client.format is Format.JSONC
    made = text if text.strip() else "{}\n"
    for question in asked:
        made = jsonc.append(made, ("inputs",), question, comments=comments)
    for path, value in edits:
        made = jsonc.put(made, path, value, comments=comments)
    return made


def _toml(text: str) -> dict[str, Json]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        why, _, where = str(error).partition(" (at ")
        found = re.fullmatch(r"line (\d+), column (\d+)\)", where)
        ended = (text.count("\n") + 1, len(text) - text.rfind("\n"))
        line, column = (int(found[1]), int(found[2])) if found else ended
        raise jsonc.BrokenError(why, line, column) from None


def _edited_toml(text: str, edits: Sequence[Edit]) -> str:
    try:
        made = tomlkit.parse(text)
        for path, value in edits:
            table: Any = made
            for name in path[:-1]:
                if name not in table:
                    table[name] = tomlkit.table(is_super_table=True)
                table = table[name]
            table[path[-1]] = _item(value)
    except (TOMLKitError, TypeError, ValueError) as error:  # such as a table within an inline table
        raise jsonc.ShapeError(_UNUSUAL) from error
    dumped = tomlkit.dumps(made)
    if dumped.endswith("\n\n") and not text.endswith("\n\n"):
        dumped = dumped[:-1]
    lines = text.count("\n")
    return dumped.replace("\r\n", "\n").replace("\n", "\r\n") if lines and lines == text.count("\r\n") else dumped


def _item(value: Json) -> Json:
    if not isinstance(value, Mapping):
        return value
    table = tomlkit.table()
    for name, below in value.items():
        table[name] = below
    if "env" in value:
        inline = tomlkit.inline_table()
        inline.update(value["env"])
        table["env"] = inline
    table.add(tomlkit.nl())
    return table


def _set(document: Json, path: Sequence[str], value: Json) -> None:
    for name in path[:-1]:
        document = document.setdefault(name, {})
    document[path[-1]] = value


class ChangedError(Exception):
    """Somebody else wrote the file meanwhile; nothing was changed."""


def current(path: Path) -> bytes | None:
    """Answer what a file holds; None if there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def put_in_place(path: Path, old: bytes | None, new: bytes, *, stamp: str) -> Path | None:
    """Put new content in a file's place, with its mode; answer where the old content is.

    Args:
        path: The file; if it is a link, what it leads to is replaced and the link stays.
        old: What it held when it was read; None if there was none.
        new: What it shall hold.
        stamp: Part of the backup's name.

    Raises:
        ChangedError: It holds something else by now.
        OSError: It can't be written.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = OWNER_FILE if old is None else stat.S_IMODE(target.stat().st_mode)
    backup = None
    with draft(target, new, mode=mode) as made:
        if current(target) != old:
            raise ChangedError
        if old is not None:
            backup = _free(target, stamp)
            replace(backup, old, mode=mode)
        made.replace(target)
    return backup


def _free(target: Path, stamp: str) -> Path:
    names = (f"{target.name}.{stamp}{'' if number == 1 else f'-{number}'}.bak" for number in count(1))
    return next(path for path in map(target.with_name, names) if not path.exists())
