"""What families of clients take for a tool, as rules that are checked against every tool we list.

A rule is what a client's maker documents, or what its users met as an error; its `source` says which. That a rule holds
is all this says: it isn't a test of the client.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from barrack_mcp.catalogue import JsonObject

Tools: TypeAlias = Sequence[JsonObject]
"""Tools as `tools/list` answers them."""
Check: TypeAlias = Callable[[Tools], Iterator[str]]
"""Answers what breaks a rule: a tool's name and where in it, or nothing."""

SERVER: Final = "barrack-mcp"
"""The longest name under which our own manifests enter the server into a client."""


@dataclass(frozen=True)
class Rule:
    """One thing that a family of clients wants.

    Args:
        client: The family.
        says: What it wants, as README tells it.
        source: Where that is written.
        check: Finds what breaks it.
        surface: Which of the surfaces that can be chosen it is checked against.
    """

    client: str
    says: str
    source: str
    check: Check
    surface: str = "all"


def broken(rule: Rule, tools: Tools) -> list[str]:
    """Answer every place where tools break a rule; empty if it holds."""
    return list(rule.check(tools))


def as_markdown() -> str:
    """Write the rules as README's table, in their order."""
    rows = [
        f"| {rule.client} | {rule.says}{'' if rule.surface == 'all' else f' (`{rule.surface}`)'} | {rule.source} |"
        for rule in RULES
    ]
    return "\n".join(["| client family | checked rule | source |", "|---|---|---|", *rows])


# Walking


def nodes(schema: JsonObject, path: str = "") -> Iterator[tuple[str, JsonObject]]:
    """Answer every schema within a schema, itself first, with its path."""
    yield path, schema
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            for name, part in value.items():
                yield from _inner(part, f"{path}.{key}.{name}")
        elif key in _LISTS and isinstance(value, list):
            for index, part in enumerate(value):
                yield from _inner(part, f"{path}.{key}[{index}]")
        elif key in _SINGLE:
            yield from _inner(value, f"{path}.{key}")


def _inner(value: Any, path: str) -> Iterator[tuple[str, JsonObject]]:
    if isinstance(value, dict):
        yield from nodes(value, path)


_MAPS: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
_LISTS: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SINGLE: Final = frozenset(
    {"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedProperties"}
)


def _inputs(tools: Tools) -> Iterator[tuple[str, JsonObject]]:
    for tool in tools:
        for path, node in nodes(tool["inputSchema"]):
            yield f"{tool['name']}: input{path}", node


def _all(tools: Tools) -> Iterator[tuple[str, JsonObject]]:
    yield from _inputs(tools)
    for tool in tools:
        for path, node in nodes(tool.get("outputSchema", {"type": "object"})):
            yield f"{tool['name']}: output{path}", node


# Checks


def _name(pattern: str, *, prefix: str = "") -> Check:
    def check(tools: Tools) -> Iterator[str]:
        yield from (tool["name"] for tool in tools if not re.fullmatch(pattern, prefix + tool["name"]))

    return check


def _count(most: int) -> Check:
    def check(tools: Tools) -> Iterator[str]:
        if len(tools) > most:
            yield f"{len(tools)} tools"

    return check


def _description(most: int) -> Check:
    def check(tools: Tools) -> Iterator[str]:
        yield from (tool["name"] for tool in tools if not 0 < len(tool.get("description", "")) <= most)

    return check


def _annotated(tools: Tools) -> Iterator[str]:
    for tool in tools:
        hints = tool.get("annotations", {})
        if not tool.get("title") or not {"readOnlyHint", "destructiveHint"} <= {*hints}:
            yield tool["name"]


def _root(tools: Tools) -> Iterator[str]:
    for tool in tools:
        root = tool["inputSchema"]
        if root.get("type") != "object" or not isinstance(root.get("properties"), dict) or {*_UNION, "enum"} & {*root}:
            yield tool["name"]


def _property_names(tools: Tools) -> Iterator[str]:
    for where, node in _inputs(tools):
        yield from (
            f"{where}.{name}" for name in node.get("properties", {}) if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name)
        )


def _without(*keywords: str, everywhere: bool = False) -> Check:
    def check(tools: Tools) -> Iterator[str]:
        for where, node in _all(tools) if everywhere else _inputs(tools):
            yield from (f"{where}: {keyword}" for keyword in keywords if keyword in node)

    return check


def _only(keywords: frozenset[str]) -> Check:
    def check(tools: Tools) -> Iterator[str]:
        for where, node in _inputs(tools):
            yield from (f"{where}: {keyword}" for keyword in sorted({*node} - keywords))

    return check


def _closed(tools: Tools) -> Iterator[str]:
    yield from (where for where, node in _inputs(tools) if _is(node, "object") and _open(node))


def _open(node: Mapping[str, Any]) -> bool:
    return node.get("additionalProperties") is not False or "properties" not in node


def _is(node: Mapping[str, Any], kind: str) -> bool:
    return node.get("type") == kind


def _arrays(tools: Tools) -> Iterator[str]:
    yield from (where for where, node in _all(tools) if _is(node, "array") and not isinstance(node.get("items"), dict))


def _typed_items(tools: Tools) -> Iterator[str]:
    yield from (where for where, node in _inputs(tools) if ("items" in node) != _is(node, "array"))


def _one_type(tools: Tools) -> Iterator[str]:
    yield from (where for where, node in _all(tools) if isinstance(node.get("type"), list))


def _says_something(tools: Tools) -> Iterator[str]:
    yield from (where for where, node in _all(tools) if not _CONSTRAINING & {*node})


def _no_bare_booleans(tools: Tools) -> Iterator[str]:
    """Only `additionalProperties` and its like may be a bare true or false."""
    for where, node in _all(tools):
        held = [*node.get("properties", {}).values(), node.get("items"), *node.get("anyOf", ()), node.get("not")]
        if any(isinstance(part, bool) for part in held):
            yield where


def _text_enums(tools: Tools) -> Iterator[str]:
    for where, node in _inputs(tools):
        values = node.get("enum", ["any"])
        if not values or not all(isinstance(value, str) and value for value in values):
            yield where


def _required_exist(tools: Tools) -> Iterator[str]:
    for where, node in _all(tools):
        yield from (f"{where}.{name}" for name in node.get("required", ()) if name not in node.get("properties", {}))


def _size(tools: Tools) -> Iterator[str]:
    """OpenAI's limits of one schema: nesting of objects, properties, values of enums, and the text of their names."""
    for tool in tools:
        within = list(nodes(tool["inputSchema"]))
        names = [name for _, node in within for name in node.get("properties", {})]
        values = [str(value) for _, node in within for value in node.get("enum", ())]
        deepest = max(path.count(".properties.") for path, _ in within)
        text = sum(map(len, (*names, *values)))
        if deepest > _DEEPEST or len(names) > _PROPERTIES or len(values) > _ENUM_VALUES or text > _TEXT:
            yield tool["name"]


_WORD: Final = r"[a-zA-Z0-9_-]{1,64}"
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef", "$defs", "definitions")
_DEEPEST: Final = 5
"""Ten are documented today; older models took five."""
_PROPERTIES: Final = 100
"""5,000 today; older models took a hundred."""
_ENUM_VALUES: Final = 500
"""1,000 today; older models took five hundred."""
_TEXT: Final = 15_000
"""120,000 today; older models took 15,000."""
_GEMINI: Final = frozenset(
    {
        *("type", "format", "title", "description", "nullable", "default", "example", "enum", "anyOf"),
        *("items", "minItems", "maxItems", "minimum", "maximum", "minLength", "maxLength", "pattern"),
        *("properties", "required", "minProperties", "maxProperties", "propertyOrdering"),
    }
)
"""The fields of `Schema` in Google's SDK."""
_CONSTRAINING: Final = frozenset(
    {
        *("type", "enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minLength", "maxLength", "pattern", "format", "items", "prefixItems", "contains", "minItems", "maxItems"),
        *("uniqueItems", "properties", "patternProperties", "additionalProperties", "propertyNames", "required"),
        *("minProperties", "maxProperties", "anyOf", "oneOf", "allOf", "not", "$ref"),
    }
)
"""A schema with none of these allows anything."""

_UNION: Final = ("anyOf", "oneOf", "allOf", "not")
_INSPECTOR: Final = "Inspector 2.12.0, `--cli --strict`"
_CLAUDE: Final = "platform.claude.com: managed agents, self-hosted sandboxes"
_OPENAI: Final = "platform.openai.com: Structured Outputs, supported schemas, and the lower limits before"

RULES: Final = (
    Rule("all", "no references and no definitions, so no recursion", _CLAUDE, _without(*_REFERENCES, everywhere=True)),
    Rule("all", "no unions: neither `anyOf` nor its like", _INSPECTOR, _without(*_UNION, everywhere=True)),
    Rule("all", "arrays say what they hold", "microsoft/vscode#246119", _arrays),
    Rule("all", "what is required is declared", "JSON Schema 2020-12", _required_exist),
    Rule("Claude", "names match `^[a-zA-Z0-9_-]{1,64}$`", "NetApp/netapp-dataops-toolkit#38", _name(_WORD)),
    Rule(
        "Claude",
        "at most 64 characters with Claude Code's prefix",
        "anthropics/claude-code#2680",
        _name(_WORD, prefix=f"mcp__{SERVER}__"),
    ),
    Rule("Claude", "arguments match `^[a-zA-Z0-9_.-]{1,64}$`", _CLAUDE, _property_names),
    Rule("Claude", "the root is an object without unions", _CLAUDE, _root),
    Rule(
        "Claude",
        "each tool has a title, a read-only and a destructive hint",
        "support.claude.com: local MCP server submission guide",
        _annotated,
    ),
    Rule("OpenAI", "names match `^[a-zA-Z0-9_-]{1,64}$`", "openai/codex#8174", _name(_WORD)),
    Rule("OpenAI", "descriptions of at most 1,024 characters", "getsentry/sentry-mcp#106", _description(1_024)),
    Rule("OpenAI", "at most 128 tools", "zed-industries/zed#32946", _count(128)),
    Rule("OpenAI", "the root is an object with properties, without unions", "langchain-ai/langchainjs#9804", _root),
    Rule("OpenAI", "objects say that nothing else may stand in them", _OPENAI, _closed),
    Rule("OpenAI", "5 levels, 100 arguments, 500 closed values, 15,000 characters a schema", _OPENAI, _size),
    Rule(
        "Gemini",
        "names of at most 64 letters, digits, `_`, `.`, `:` and `-`, no digit first",
        "ai.google.dev: FunctionDeclaration",
        _name(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}"),
    ),
    Rule(
        "Gemini",
        "at most 63 characters with Gemini CLI's prefix",
        "google-gemini/gemini-cli: docs/tools/mcp-server.md",
        _name(r".{1,63}", prefix=f"mcp_{SERVER}_"),
    ),
    Rule(
        "Gemini",
        "no keywords but the fields of `Schema`, and `additionalProperties`",
        "googleapis.github.io/js-genai: Schema, parametersJsonSchema",
        _only(_GEMINI | {"additionalProperties"}),
    ),
    Rule("Gemini", "`items` stands with arrays alone", "lobehub/lobehub#16153", _typed_items),
    Rule("Gemini", "closed values are texts, none of them empty", "ai.google.dev: Schema", _text_enums),
    Rule("VS Code", "at most 128 tools", "postmanlabs/postman-mcp-server#26", _count(128)),
    Rule(
        "VS Code",
        "at most 64 characters with its prefix",
        "microsoft/vscode#243602",
        _name(_WORD, prefix=f"mcp_{SERVER}_"),
    ),
    Rule("VS Code", "one type a value, in answers too", "RooCodeInc/Roo-Code#10221", _one_type),
    Rule(
        "Cursor",
        "fewer than 60 characters of server and tool together",
        "ComposioHQ/composio#2788",
        _name(r".{1,59}", prefix=SERVER),
    ),
    Rule("Cursor", "at most 40 tools", "mcptrove.com: the Cursor tool-limit trap", _count(40), surface="core"),
    Rule("Windsurf", "at most 100 tools", "docs.windsurf.com: Cascade, MCP", _count(100)),
    Rule(
        "Copilot CLI",
        "at most 64 characters with its prefix",
        "docs.github.com: Copilot CLI command reference",
        _name(_WORD, prefix=f"{SERVER}-"),
    ),
    Rule("Inspector", "one type a value, in answers too", _INSPECTOR, _one_type),
    Rule("Inspector", "no schema that allows anything, in answers too", _INSPECTOR, _says_something),
    Rule("Inspector", "no bare true or false for a schema", _INSPECTOR, _no_bare_booleans),
)
