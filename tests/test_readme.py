"""README and the generated files say what the product does."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from barrack_mcp import manifests
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Risk
from barrack_mcp.config import NAMES
from barrack_mcp.contract.loading import load
from barrack_mcp.contract.wire import Contract

CHECKOUT = Path(__file__).parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


@pytest.mark.promise("P4")
def test_generated_files_are_up_to_date() -> None:
    assert manifests.stale(CHECKOUT, write=False) == []


def test_a_stale_file_is_found_and_written_anew(tmp_path: Path) -> None:
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    every = list(manifests.files(manifests.package_of(CHECKOUT)))
    (tmp_path / "README.md").write_text(re.sub(r"\| `list_volumes`.*\n", "", README), encoding="utf-8")
    assert manifests.stale(tmp_path, write=False) == every
    assert manifests.stale(tmp_path, write=True) == every
    assert manifests.stale(tmp_path, write=False) == []
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == README


@pytest.mark.parametrize("risk", Risk)
def test_the_table_of_risks_counts_right(risk: Risk) -> None:
    count = sum(operation.risk is risk for operation in OPERATIONS)
    assert f"| {risk} | {count} |" in README


def test_every_tool_and_every_setting_is_told() -> None:
    assert all(f"`{operation.tool}`" in README for operation in OPERATIONS)
    assert all(f"`{name}`" in README for name in NAMES)


@pytest.mark.parametrize("block", re.findall(r"```json\n(.*?)```", README, re.DOTALL))
def test_each_json_example_is_json_and_starts_the_product(block: str) -> None:
    (server,) = next(iter(value for name, value in json.loads(block).items() if name != "inputs")).values()
    assert (server["command"], server["args"]) == ("barrack-mcp", ["serve"])
    assert set(server["env"]) <= set(NAMES)


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", README, re.DOTALL))
def test_each_toml_example_is_toml_and_starts_the_product(block: str) -> None:
    table = tomllib.loads(block)
    if "mcp_servers" not in table:
        assert Contract(load(block.encode(), "README.md")).for_(BY_TOOL["list_instances"]).path == "/v2/machines"
        return
    server = table["mcp_servers"]["barrack"]
    assert (server["command"], server["args"]) == ("barrack-mcp", ["serve"])
    assert set(server["env"]) <= set(NAMES)


def test_the_two_commands_stand_there_word_for_word() -> None:
    demo = "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/barrack-mcp demo"
    tests = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest"
    assert f"<!-- command: demo -->\n```\n{demo}\n```\n<!-- end -->" in README
    assert f"<!-- command: tests -->\n```\n{tests}\n```\n<!-- end -->" in README
