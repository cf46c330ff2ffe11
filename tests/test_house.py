"""The architecture itself: who may import whom, and what no room may hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "barrack_mcp"
MODULES = sorted(PACKAGE.rglob("*.py"))

CORRIDOR = {
    "cli": {
        "approving",
        "call",
        "config",
        "contracting",
        "demo",
        "doctor",
        "install",
        "listing",
        "manifests",
        "recorded",
        "redact",
        "simulator",
        "transports",
    },
    "__main__": {"cli"},
    "demo": {"catalogue", "guard"},
    "approving": {"audit", "config", "guard", "writing"},
    "recorded": {"audit", "config"},
    "call": {"server", "config", "api", "catalogue"},
    "manifests": {"catalogue", "config", "contract", "install", "listing"},
    "install": set(),
    "address": set(),
    "filters": {"api", "catalogue", "quote"},
    "naming": {"api", "catalogue", "guard", "validate"},
    "guides": set(),
    "prompts": {"catalogue", "quote"},
    "resources": {"api", "catalogue", "dispatch", "guard", "guides", "money", "present", "prompts"},
    "doctor": {
        "api",
        "audit",
        "catalogue",
        "config",
        "contract",
        "dialect",
        "ledger",
        "present",
        "quote",
        "simulator",
        "store",
    },
    "contract": {"address", "catalogue"},
    "vendor": {"api", "contract"},
    "dialect": {"config", "contract", "vendor"},
    "contracting": {"config", "contract", "dialect", "vendor"},
    "listing": {"server", "config", "catalogue"},
    "transports": {"address", "config", "listener", "looking", "server", "stdio"},
    "listener": set(),
    "stdio": set(),
    "server": {
        "api",
        "audit",
        "catalogue",
        "config",
        "dialect",
        "dispatch",
        "drift",
        "guard",
        "keyfile",
        "ledger",
        "outcome",
        "resources",
        "simulator",
        "store",
        "writing",
    },
    "dispatch": {
        "advice",
        "api",
        "brief",
        "catalogue",
        "drift",
        "filters",
        "guard",
        "keyfile",
        "naming",
        "outcome",
        "present",
        "rating",
        "store",
        "validate",
        "writing",
    },
    "drift": {"catalogue", "contract"},
    "writing": {
        "api",
        "audit",
        "catalogue",
        "guard",
        "ledger",
        "looking",
        "mask",
        "outcome",
        "present",
        "redact",
        "store",
    },
    "advice": {"api", "catalogue", "naming", "present"},
    "guard": {"api", "catalogue", "mask", "money", "outcome", "quote", "store"},
    "brief": {"catalogue", "present", "rating"},
    "rating": {"catalogue", "money", "quote"},
    "mask": {"catalogue"},
    "store": {"catalogue"},
    "api": {"address", "catalogue", "contract", "quote", "redact"},
    "config": {"address", "catalogue"},
    "present": {"catalogue", "ink"},
    "validate": {"catalogue"},
    "outcome": {"catalogue"},
    "ink": {"catalogue", "quote"},
    "redact": set(),
    "quote": set(),
    "money": set(),
    "audit": set(),
    "looking": {"api", "catalogue", "outcome"},
    "ledger": {"catalogue", "store"},
    "keyfile": set(),
    "catalogue": set(),
    "simulator": set(),
}
"""Each room and the rooms it may import: left to right along the corridor, never back."""

FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "handler", "base"}
NO_IO = {"httpx2", "httpx", "socket", "subprocess", "os", "pathlib", "time", "random", "mcp", "mcp_types", "anyio"}
PURE = ("catalogue/", "money.py", "guard/decide.py", "guard/question.py", "address.py")


def room(module: Path) -> str:
    parts = module.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py") if parts else ""


def imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "barrack_mcp":
                yield from (f"barrack_mcp.{alias.name}" for alias in node.names)
            else:
                yield node.module


def ours(module: Path) -> set[str]:
    names = (name.split(".")[1] for name in imports(module) if name.startswith("barrack_mcp."))
    return {name for name in names if name != "__version__"}


def named(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_imports_follow_the_corridor(module: Path) -> None:
    if room(module) == "__init__":
        assert not ours(module)
        return
    assert ours(module) <= CORRIDOR[room(module)] | {room(module)}


def test_the_corridor_has_no_way_back() -> None:
    def reach(start: str, seen: frozenset[str]) -> None:
        assert start not in seen, f"{start} imports itself by way of {sorted(seen)}"
        for following in CORRIDOR[start]:
            reach(following, seen | {start})

    for start in CORRIDOR:
        reach(start, frozenset())


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_a_room_fits_one_sitting(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 500


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_a_module_says_what_it_is_for_and_has_a_name_of_the_field(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert module.stem not in FORBIDDEN_NAMES


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_nothing_prints(module: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    assert not [node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "print"]


@pytest.mark.parametrize("module", [module for module in MODULES if named(module).startswith(PURE)], ids=named)
def test_pure_rooms_hold_no_clock_no_network_and_no_protocol(module: Path) -> None:
    assert not {name.split(".")[0] for name in imports(module)} & NO_IO


def test_config_alone_reads_the_environment() -> None:
    readers = {
        named(module)
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    # the front door hands the environment to config; the demo passes the import path on to its server
    assert readers <= {"cli.py", "demo.py"}


def test_the_client_alone_sends() -> None:
    """The demo sends, too: it plays the person whose browser opens the approval page."""
    senders = {room(module) for module in MODULES if "httpx2" in {name.split(".")[0] for name in imports(module)}}
    assert senders == {"api", "demo"}


def test_a_public_signature_names_its_types() -> None:
    bare = [
        f"{named(module)}:{node.name}"
        for module in MODULES
        if room(module) != "cli"
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and isinstance(node.returns, ast.Name)
        and node.returns.id == "Any"
        and named(module) not in JSON_ROOMS
    ]
    assert not bare


JSON_ROOMS = {"audit/record.py", "api/client.py", "catalogue/models.py", "ink.py", "redact.py"}
"""Where a result of type Any is the API's JSON, or a field's declaration."""
