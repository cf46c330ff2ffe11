"""Every family of clients finds our tools in a form that it takes; each rule can be broken."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from barrack_mcp.cli import tools as listing
from barrack_mcp.cli.manifests.portable import RULES, Rule, as_markdown, broken, nodes
from barrack_mcp.config import Settings

LISTED: Final[list[dict[str, Any]]] = json.loads(listing.as_json(Settings()))
SURFACES: Final = {
    "all": LISTED,
    "core": json.loads(listing.as_json(Settings(toolsets=("core",)))),
}


def named(rule: Rule) -> str:
    return f"{rule.client}: {rule.says}"


@pytest.mark.promise("P8")
@pytest.mark.parametrize("rule", RULES, ids=named)
def test_all_tools_keep_the_rule(rule: Rule) -> None:
    assert broken(rule, SURFACES[rule.surface]) == []


def tool(name: str = "deploy_instance") -> dict[str, Any]:
    return copy.deepcopy(next(tool for tool in LISTED if tool["name"] == name))


def given(**said: Any) -> Callable[[], list[dict[str, Any]]]:
    """A list with one tool, about which something else is said."""
    return lambda: [tool() | said]


def argument(**schema: Any) -> Callable[[], list[dict[str, Any]]]:
    """A list with one tool that has one more argument."""

    def make() -> list[dict[str, Any]]:
        made = tool()
        made["inputSchema"]["properties"]["extra"] = schema
        return [made]

    return make


def answer(schema: Any) -> Callable[[], list[dict[str, Any]]]:
    """A list with one tool that answers one more thing."""

    def make() -> list[dict[str, Any]]:
        made = tool()
        made["outputSchema"]["properties"]["extra"] = schema
        return [made]

    return make


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"inner": schema}, "additionalProperties": False}
    return schema


def many(count: int) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [tool() for _ in range(count)]


BAD: Final[list[tuple[str, Callable[[], list[dict[str, Any]]]]]] = [
    ("all: no references", answer({"$ref": "#/$defs/thing"})),
    ("all: no references", argument(type="object", **{"$defs": {}})),
    ("all: no unions", answer({"anyOf": [{"type": "string"}, {"type": "null"}]})),
    ("Inspector: one type", answer({"type": ["string", "number"]})),
    ("Inspector: one type", answer({"type": "object", "additionalProperties": {"type": ["number", "string"]}})),
    ("all: arrays", answer({"type": "array"})),
    ("all: what is required", argument(type="object", properties={}, required=["gone"])),
    ("Claude: names", given(name="deploy instance")),
    ("Claude: names", given(name="d" * 65)),
    ("Claude: at most 64", given(name="d" * 50)),
    ("Claude: arguments", argument(type="object", properties={"filter[name]": {"type": "string"}})),
    ("Claude: the root", given(inputSchema={"type": "object", "properties": {}, "anyOf": []})),
    ("Claude: each tool", given(title="")),
    ("Claude: each tool", given(annotations={"readOnlyHint": True})),
    ("OpenAI: names", given(name="deploy.instance")),
    ("OpenAI: descriptions", given(description="d" * 1_025)),
    ("OpenAI: descriptions", given(description="")),
    ("OpenAI: at most 128", many(129)),
    ("OpenAI: the root", given(inputSchema={"type": "object"})),
    ("OpenAI: the root", given(inputSchema={"type": "array", "properties": {}})),
    ("OpenAI: objects", argument(type="object", properties={})),
    ("OpenAI: objects", argument(type="object", additionalProperties=False)),
    ("OpenAI: 5 levels", argument(**deep(6))),
    ("OpenAI: 5 levels", argument(type="string", enum=[f"{n}" for n in range(501)])),
    ("OpenAI: 5 levels", argument(type="string", enum=["e" * 15_001])),
    ("OpenAI: 5 levels", argument(type="object", properties={f"p{n}": {"type": "string"} for n in range(101)})),
    ("Gemini: names", given(name="2_instances")),
    ("Gemini: at most 63", given(name="d" * 48)),
    ("Gemini: no keywords", argument(type="string", const="a")),
    ("Gemini: `items`", argument(items={"type": "string"})),
    ("Gemini: `items`", argument(type="array")),
    ("Gemini: closed values", argument(type="string", enum=["a", ""])),
    ("Gemini: closed values", argument(type="integer", enum=[1])),
    ("Gemini: closed values", argument(type="string", enum=[])),
    ("VS Code: at most 128", many(129)),
    ("VS Code: at most 64", given(name="d" * 49)),
    ("VS Code: one type", argument(type=["string", "null"])),
    ("Cursor: fewer", given(name="d" * 49)),
    ("Cursor: at most 40", many(41)),
    ("Windsurf: at most 100", many(101)),
    ("Copilot CLI: at most 64", given(name="d" * 53)),
    ("Inspector: one type", argument(type=["array", "null"], items={"type": "string"})),
    ("Inspector: one type", answer({"type": ["string", "null"]})),
    ("Inspector: no schema", answer({"description": "Anything at all."})),
    ("Inspector: no bare", answer(schema=True)),
    ("Inspector: no bare", answer({"type": "array", "items": True})),
]


@pytest.mark.parametrize(("beginning", "make"), BAD, ids=[f"{n}: {beginning}" for n, (beginning, _) in enumerate(BAD)])
def test_a_tool_that_breaks_a_rule_is_named(beginning: str, make: Callable[[], list[dict[str, Any]]]) -> None:
    (rule,) = (rule for rule in RULES if named(rule).startswith(beginning))
    (first, *_) = broken(rule, make())
    assert first.split(":")[0] in {made["name"] for made in make()} | {f"{len(make())} tools"}


def test_every_rule_is_shown_to_be_breakable() -> None:
    shown = {beginning for beginning, _ in BAD}
    assert [named(rule) for rule in RULES if not any(named(rule).startswith(each) for each in shown)] == []


def test_a_schema_is_walked_to_its_last_corner() -> None:
    schema = {
        "properties": {"a": {"items": {"anyOf": [{"not": {"type": "string"}}]}}},
        "additionalProperties": {"$defs": {"b": {}}},
        "items": True,
    }
    assert [path for path, _ in nodes(schema)] == [
        "",
        ".properties.a",
        ".properties.a.items",
        ".properties.a.items.anyOf[0]",
        ".properties.a.items.anyOf[0].not",
        ".additionalProperties",
        ".additionalProperties.$defs.b",
    ]


def test_the_table_has_a_row_for_each_rule_and_says_no_more_than_that_it_is_checked() -> None:
    heading, _, *rows = as_markdown().splitlines()
    assert heading == "| client family | checked rule | source |"
    assert len(rows) == len(RULES)
    for rule, row in zip(RULES, rows, strict=True):
        assert row.startswith(f"| {rule.client} | {rule.says}")
        assert rule.source in row
        assert ("(`core`)" in row) == (rule.surface == "core")
    assert "work" not in as_markdown()
