"""Consoles that lack signs: what can't be encoded is replaced, so that no call ends in the middle of itself."""

from __future__ import annotations

import codecs
import io
import json
from pathlib import Path

import pytest

from barrack_mcp.cli.app import MODULES, escaped
from tests.support.forking import Product
from tests.support.running import environment

COMMANDS = {
    "approvals": [["approvals"]],
    "approve": [["approve", "nobody"]],
    "callers": [["callers", "--help"]],
    "deny": [["deny", "nobody"]],
    "audit": [["audit", "tail"], ["audit", "verify"]],
    "call": [
        ["call", "create_startup_script", "name=x", "script=echo 日本 \U0001f680", "--simulator"],
        ["call", "list_instances", "--simulator", "--json"],
    ],
    "contract": [["contract", "show"], ["contract", "export"]],
    "demo": [["demo"]],
    "doctor": [["doctor", "--simulator"], ["doctor", "--simulator", "--json"]],
    "install": [["install", "--help"]],
    "key": [["key", "--help"]],
    "manifests": [["manifests", "--help"]],
    "reap": [["reap", "--dry-run", "--simulator"]],
    "serve": [["serve", "--help"]],
    "simulate": [["simulate", "--help"]],
    "tools": [["tools"], ["tools", "--json"]],
}


NARROWEST = "ascii"
OTHERS = ["cp1252", "cp437"]


def test_each_command_is_tried() -> None:
    assert COMMANDS.keys() >= MODULES.keys()


@pytest.mark.slow
@pytest.mark.parametrize("encoding", [*OTHERS, NARROWEST])
def test_no_command_breaks_off_for_want_of_a_sign_a_home_or_a_terminal(encoding: str, tmp_path: Path) -> None:
    around = environment(PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    around.pop("HOME", None)
    product = Product(lambda: around)
    for number, command in enumerate(args for each in COMMANDS.values() for args in each):
        if encoding != NARROWEST and (command == ["demo"] or OTHERS[number % 2] != encoding):
            # what the narrowest of these can write, the others can: they take turns, and leave out the longest of all
            continue
        own = environment(BARRACK_AUDIT=str(tmp_path / f"audit-{number}.jsonl"))
        ended = product.run(command, around | own)
        said = ended.said.decode(encoding, "replace")
        assert "Traceback" not in said
        assert ended.code == (2 if {"nobody", "audit"} & {*command} else 0), (command, said)
        if "--json" in command:
            json.loads(ended.out.decode(encoding, "replace"))
    product.close()


def test_what_an_encoding_lacks_is_written_as_json_does() -> None:
    value = {"text": "žluť 日本 \U0001f680 ünïcode"}

    codecs.register_error("tests.escaped", escaped)
    for encoding in ("ascii", "cp437", "cp1252"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="tests.escaped")
        stream.write(json.dumps(value, ensure_ascii=False))
        stream.seek(0)
        assert json.loads(stream.read()) == value
