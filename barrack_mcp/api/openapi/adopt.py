"""From a document to overrides: as a file that a person can read and keep, or for this process alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from barrack_mcp.api.openapi.comparison import Comparison, compare
from barrack_mcp.api.openapi.document import Document
from barrack_mcp.api.openapi.matching import Match
from barrack_mcp.api.openapi.requests import printable
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.loading import OverridesError, load
from barrack_mcp.api.wire.overrides import ApiOverride, Extra, OperationOverride, Overrides, merged
from barrack_mcp.catalogue import OPERATIONS


def adopt(document: Document) -> str:
    """Write the overrides that bring the catalogue to a document, as TOML with comments.

    What is only perhaps the same operation, what overrides can't say, and the document's server are comments: a key is
    never sent to another place because a document says so.
    """
    return _text(compare(document))


def adopted(document: Document) -> Overrides:
    """The same overrides for this process alone."""
    comparison = compare(document)
    return _sound(comparison.overrides)[0]


def contract_of(document: Document, over: Overrides | None = None) -> Contract:
    """The contract as a document has it.

    Args:
        document: The API's own document.
        over: Overrides by hand; they win, key by key.
    """
    return Contract(merged(adopted(document), over or Overrides()))


def written(overrides: Overrides) -> str:
    """Write overrides as TOML that loads as the same again: a file, or a few lines to paste."""
    lines = [*_api(overrides), *_status(overrides)]
    for tool, override in overrides.operations.items():
        lines += ["", *_operation(tool, override)]
    return "\n".join(lines).lstrip("\n") + "\n"


def _sound(overrides: Overrides) -> tuple[Overrides, dict[str, list[str]]]:
    """Leave out what would not load again, and say of which tool what was wrong."""
    wrong: dict[str, list[str]] = {}
    api = ApiOverride()
    for each in fields(ApiOverride):
        more = replace(api, **{each.name: getattr(overrides.api, each.name)})
        api = api if _mistakes("\n".join(_api(Overrides(api=more)))) else more
    for tool, override in overrides.operations.items():
        if mistakes := _mistakes("\n".join(_operation(tool, override))):
            wrong[tool] = mistakes
    kept = {tool: override for tool, override in overrides.operations.items() if tool not in wrong}
    return Overrides(api=api, operations=kept, status=overrides.status), wrong


def _mistakes(text: str) -> list[str]:
    try:
        load(text.encode(), "adopted")
    except OverridesError as error:
        return [mistake.partition(": ")[2] for mistake in error.mistakes]
    return []


def _text(comparison: Comparison) -> str:
    document, (sound, wrong) = comparison.document, _sound(comparison.overrides)
    by_tool = {match.operation.tool: match for match in comparison.matches}
    lines = [
        f"# Overrides made from {printable(document.name)}",
        f"# {len(by_tool)} of our {len(OPERATIONS)} operations are in it; what is silent here is as shipped.",
    ]
    if document.url is not None:
        lines += [
            "# The document names a server. It is not taken over: set the URL yourself if it is the right one.",
            f"#   url = {_string(printable(document.url))}",
        ]
    lines += [*_api(sound), *_status(sound)]
    for tool, override in sound.operations.items():
        lines += ["", *_about(by_tool[tool]), *_operation(tool, override)]
    for tool, mistakes in wrong.items():
        lines += ["", f"# {tool}: can't be taken over as it is:", *(f"#   {printable(words)}" for words in mistakes)]
        lines += _commented(_operation(tool, comparison.overrides.operations[tool]))
    for match in comparison.matches:
        if not match.sure:
            lines += ["", *_about(match), f"# Not sure: {printable(match.doubt)}. If it is the same, uncomment:"]
            unsure = comparison.unsure.operations.get(match.operation.tool)
            lines += _commented(_operation(match.operation.tool, unsure)) if unsure else ["#   (nothing differs)"]
    missing = [each.tool for each in comparison.differences if each.kind == "missing operation"]
    if missing:
        lines += ["", "# Not found in the document, so left as shipped:", *(f"#   {tool}" for tool in missing)]
    return "\n".join(lines) + "\n"


def _status(overrides: Overrides) -> list[str]:
    return [line for kind, table in overrides.status.items() for line in ("", *_section(f"status.{kind}", table))]


def _about(match: Match) -> list[str]:
    title = printable(match.theirs.summary or match.theirs.operation_id or "no title")
    return [f"# {printable(match.theirs.name)}: {title} (by {match.how})"]


def _commented(lines: list[str]) -> list[str]:
    return [f"# {line}" if line else "#" for line in lines]


def _api(overrides: Overrides) -> list[str]:
    said = {each.name: value for each in fields(overrides.api) if (value := getattr(overrides.api, each.name))}
    return ["", "[api]", *(f"{name} = {_string(str(value))}" for name, value in said.items())] if said else []


def _operation(tool: str, override: OperationOverride) -> list[str]:
    head = f"operations.{tool}"
    plain = {name: getattr(override, name) for name in ("method", "path", "result", "send")}
    lines = [f"[{head}]", *(f"{name} = {_string(value)}" for name, value in plain.items() if value is not None)]
    if override.requires:
        lines.append(f"requires = {_value(list(override.requires))}")
    if override.constants:
        lines.append(f"constants = {_value(dict(override.constants))}")
    lines += _section(f"{head}.fields", override.fields)
    for key, table in override.values.items():
        lines += _section(f"{head}.values.{_key(key)}", table)
    for name, extra in override.arguments.items():
        lines += _section(f"{head}.arguments.{name}", _extra(extra))
    return lines


def _extra(extra: Extra) -> dict[str, Any]:
    said: dict[str, Any] = {"in": extra.place}
    if extra.theirs != extra.name:
        said["name"] = extra.theirs
    if not extra.required:
        said["required"] = False
    return said | extra.schema


def _section(head: str, table: Mapping[str, Any]) -> list[str]:
    if not table:
        return []
    return [f"[{head}]", *(f"{_key(name)} = {_value(value)}" for name, value in table.items())]


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else _string(name)


def _string(text: str) -> str:
    return json.dumps(text.encode(errors="replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(str(name))} = {_value(inner)}" for name, inner in value.items() if inner is not None)
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_value(inner) for inner in value if inner is not None)}]"
    return _string(value) if isinstance(value, str) else json.dumps(value)
