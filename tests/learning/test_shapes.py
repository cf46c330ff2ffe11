"""What is documented of an operation counts everywhere: in its mark, in its tool, in what a caller may say."""

from __future__ import annotations

import json

import pytest

from barrack_mcp.api.openapi.adopt import written
from barrack_mcp.api.wire.form import Contract, Mark
from barrack_mcp.api.wire.loading import OverridesError, load
from barrack_mcp.api.wire.overrides import merged
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS
from barrack_mcp.cli import tools as listing
from barrack_mcp.cli.contract import command as contracting
from barrack_mcp.cli.tools.listing import as_page, as_table
from barrack_mcp.config import Settings
from barrack_mcp.server.tools import WIRE

SOURCE = "documentation, https://docs.example/create-volume-1e0.md, 2026-11-27"
SAID = f"""
[operations.list_volumes]
documented = "{SOURCE}"
[operations.create_volume]
documented = "{SOURCE}"
path = "/disks/"
[operations.create_volume.about.size_gb]
type = "integer"
minimum = 200
maximum = 500
[operations.deploy_instance.about.security_rules]
max_length = 5
[operations.deploy_instance.about.security_rules.protocol]
enum = ["tcp", "udp"]
[operations.deploy_instance.about."os_volume.name"]
description = "Of the root disk."
""".encode()


def contract(said: bytes = SAID) -> Contract:
    return Contract(load(said, "said.toml"))


def test_an_operation_that_is_documented_is_marked_so_and_is_no_guess_any_more() -> None:
    shipped, known = Contract(), contract()
    guessed = {tool for tool, each in BY_TOOL.items() if shipped.for_(each).guessed}
    assert (
        guessed - {tool for tool, each in BY_TOOL.items() if known.for_(each).guessed}
        == {
            "list_volumes",
            "create_volume",
            "deploy_instance",
        }
        & guessed
    )
    assert known.for_(BY_TOOL["list_volumes"]).marks == (Mark.DOCUMENTED,)
    assert known.for_(BY_TOOL["create_volume"]).marks == (Mark.DOCUMENTED, Mark.OVERRIDDEN)
    assert known.for_(BY_TOOL["get_volume"]).marks == (Mark.INFERRED,)
    assert known.for_(BY_TOOL["list_volumes"]).documented == SOURCE


def test_the_tool_list_and_the_shown_contract_say_what_is_documented() -> None:
    known = contract()
    shown = {row["tool"]: row for row in contracting.contract_as_json(known)["operations"]}
    tools = {tool["name"]: tool for tool in json.loads(listing.as_json(Settings(), known))}
    table = as_table(Settings(), known, width=400)
    for operation in OPERATIONS:
        mark = "documented" if operation.tool in ("list_volumes", "create_volume") else operation.provenance.value
        assert shown[operation.tool]["marks"][0] == mark
        assert tools[operation.tool]["_meta"] == {WIRE: mark}
        (line,) = [line for line in table.splitlines() if line.startswith(f"{operation.tool} ")]
        assert line.endswith(f"{mark})")
    assert "/disks/ (documented" in as_page(BY_TOOL["create_volume"], Settings(), known, width=80)


def test_fields_inside_others_are_told_of_in_either_way_of_writing() -> None:
    about = load(SAID, "f").operations["deploy_instance"].about
    assert {name: about[name].enum or about[name].max_length or about[name].description for name in about} == {
        "security_rules": 5,
        "security_rules.protocol": ("tcp", "udp"),
        "os_volume.name": "Of the root disk.",
    }
    assert load(written(load(SAID, "f")).encode(), "again") == load(SAID, "f")


def test_what_is_said_of_one_argument_by_two_is_kept_fact_by_fact() -> None:
    over = load(b'[operations.create_volume.about.size_gb]\nmaximum = 400\ndescription = "Of it."\n', "f")
    about = merged(load(SAID, "f"), over).operations["create_volume"].about["size_gb"]
    assert (about.type, about.minimum, about.maximum, about.description) == ("integer", 200, 400, "Of it.")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("[operations.create_volume.about.size]\n", "about.size is not an argument of create_volume; did you mean"),
        ("[operations.list_volumes.about.detail]\n", "about.detail is not an argument of list_volumes"),
        ("[operations.create_volume.about]\nsize_gb = 3\n", "about.size_gb must be a table"),
        ("[operations.create_volume.about.size_gb]\nmax = 3\n", "about.size_gb.max is not what can be documented"),
        ('[operations.create_volume.about.size_gb]\nmaximum = "3"\n', "maximum must be a number"),
        ("[operations.create_volume.about.size_gb]\nmaximum = inf\n", "maximum must be a number"),
        ("[operations.create_volume.about.name]\nmax_length = -1\n", "max_length must be a whole number, 0 or more"),
        ('[operations.create_volume.about.name]\nenum = ["a\\nb"]\n', "enum must hold values of one line"),
        ("[operations.create_volume.about.name]\nenum = [[]]\n", "enum.0 must be text, a number, true or false"),
        (f'[operations.create_volume]\ndocumented = "{"x" * 501}"\n', "documented must say in at most 500 characters"),
    ],
)
def test_a_mistake_in_what_is_documented_is_told(said: str, words: str) -> None:
    with pytest.raises(OverridesError) as error:
        load(said.encode(), "f")
    (sentence,) = error.value.mistakes
    assert words in sentence
