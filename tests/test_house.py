"""The architecture itself: who may import whom, and what no room may hold."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "barrack_mcp"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted({PACKAGE, *(module.parent for module in MODULES)})

LAYERS = ("cli", "transports", "server", "dispatch", "guard", "account", "config", "api", "catalogue")
"""The corridor, left to right: each may import what stands to its right, never back."""
BESIDE = {"state": {"catalogue"}, "simulator": set[str](), "__main__": {"cli"}, "__init__": set[str]()}
"""What stands beside the corridor, and the layers that it may import."""
MAY_IMPORT = {layer: set(LAYERS[at + 1 :]) for at, layer in enumerate(LAYERS)} | BESIDE
for above_the_api in LAYERS[: LAYERS.index("api")]:
    MAY_IMPORT[above_the_api].add("state")
for starts_it in ("cli", "server"):
    MAY_IMPORT[starts_it].add("simulator")

MOST_ENTRIES = 14
MOST_LINES = 500
MADE = {"api/wire/learned.py"}
"""Modules that are data, written by a program: nobody reads them in one sitting."""
BELONGS = {".py", ".json", ".md", ".html", ".css", ".js", ".typed"}
"""Endings of the package's files."""
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "handler", "base"}
NO_IO = {"httpx2", "httpx", "socket", "subprocess", "os", "pathlib", "time", "random", "mcp", "mcp_types", "anyio"}
PURE = ("catalogue/", "account/money.py", "guard/decide.py", "guard/asking/telling.py")


def room(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def text(module: Path) -> str:
    return module.read_text(encoding="utf-8")


@functools.cache
def nodes(module: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(text(module))))


@functools.cache
def imports(module: Path) -> frozenset[str]:
    return frozenset(_imports(module))


def _imports(module: Path) -> Iterator[str]:
    for node in nodes(module):
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


def named(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_imports_follow_the_corridor() -> None:
    back = {named(module): ours(module) - {room(module)} - MAY_IMPORT[room(module)] for module in MODULES}
    assert {name: rooms for name, rooms in back.items() if rooms} == {}


def entries_needed(folder: Path) -> dict[str, set[str]]:
    """Which other entries of a room each of them imports from; what only names a room's parts needs none."""
    needed: dict[str, set[str]] = {}
    for module in MODULES:
        if folder not in module.parents or module.parent / "__init__.py" == folder / module.name:
            continue
        entry = module.relative_to(folder).parts[0].removesuffix(".py")
        within = ".".join(("barrack_mcp", *folder.relative_to(PACKAGE).parts, ""))
        found = {name.removeprefix(within).split(".")[0] for name in modules(module) if name.startswith(within)}
        needed.setdefault(entry, set()).update(found - {entry})
    return needed


def modules(module: Path) -> Iterator[str]:
    """All that a module may import, each name with what it is imported from."""
    yield from imports(module)
    for node in nodes(module):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_in_no_room_do_two_need_each_other() -> None:
    """So that each can be read without the other, and what a room is for is read from below."""
    for folder in ROOMS:
        try:
            graphlib.TopologicalSorter(entries_needed(folder)).prepare()
        except graphlib.CycleError as error:
            raise AssertionError(named(folder), error.args[1]) from None


def test_every_layer_is_there_and_every_room_is_one_that_the_corridor_knows() -> None:
    found = {room(module) for module in MODULES}
    assert found == set(MAY_IMPORT)


def test_one_look_takes_in_a_room() -> None:
    entries = {folder: [entry for entry in folder.iterdir() if entry.name != "__pycache__"] for folder in ROOMS}
    assert [named(folder) for folder, found in entries.items() if len(found) > MOST_ENTRIES] == []


def test_every_file_of_the_package_is_one_that_belongs_there() -> None:
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert not [named(path) for path in files if path.suffix not in BELONGS or path.name.startswith(".")]


def test_a_module_fits_one_sitting() -> None:
    read = [module for module in MODULES if named(module) not in MADE]
    assert [named(module) for module in read if len(text(module).splitlines()) > MOST_LINES] == []


def test_a_module_says_what_it_is_for_and_has_a_name_of_the_field() -> None:
    trees = {module: nodes(module)[0] for module in MODULES}
    silent = [module for module, tree in trees.items() if isinstance(tree, ast.Module) and not ast.get_docstring(tree)]
    assert [named(module) for module in silent] == []
    assert [named(module) for module in MODULES if module.stem in FORBIDDEN_NAMES] == []


def test_nobody_writes_a_quotation_mark_around_a_value_by_hand() -> None:
    """`cite` in api/text.py alone does, so that no name can end its own quotation; around words of ours both stand."""
    texts = [
        (named(module), node.value)
        for module in MODULES
        for node in nodes(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and named(module) != "api/text.py"
    ]
    balanced = re.compile("[^«»]*(?:«[^«»]+»[^«»]*)*")
    assert [(name, text) for name, text in texts if not balanced.fullmatch(text.replace("« and »", ""))] == []


def test_one_word_names_one_thing() -> None:
    """The simulator has words of its own: it knows nothing of us."""
    defined = [
        node.name
        for module in MODULES
        for node in nodes(module)
        if room(module) != "simulator" and isinstance(node, ast.ClassDef | ast.FunctionDef)
    ]
    words = ("Answer", "Approval", "Reader", "Account", "Verdict", "View", "Thing", "quote")
    assert {word: defined.count(word) for word in words} == dict.fromkeys(words, 1)


def test_nothing_prints() -> None:
    calls = [(named(module), node.func) for module in MODULES for node in nodes(module) if isinstance(node, ast.Call)]
    assert [name for name, called in calls if isinstance(called, ast.Name) and called.id == "print"] == []


def test_pure_rooms_hold_no_clock_no_network_and_no_protocol() -> None:
    pure = [module for module in MODULES if named(module).startswith(PURE)]
    assert pure
    assert [named(module) for module in pure if {name.split(".")[0] for name in imports(module)} & NO_IO] == []


def test_config_alone_reads_the_environment() -> None:
    readers = {
        named(module)
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    # the front door hands the environment on; the demo passes the import path to its server
    assert readers == {"cli/__init__.py", "cli/process.py", "cli/install/command.py", "cli/demo.py"}


def test_one_module_says_what_is_its_owners_alone() -> None:
    modes = {0o600, 0o700, 0o077}
    makers = {
        named(module)
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value in modes
        if "0o" in (ast.get_source_segment(module.read_text(encoding="utf-8"), node) or "")
    }
    assert makers == {"state/files.py"}


def test_one_module_knows_the_web_server() -> None:
    """The simulator is a server by itself."""
    knowing = {named(module) for module in MODULES if "uvicorn" in {name.split(".")[0] for name in imports(module)}}
    assert knowing == {"api/http/listener.py", "simulator/server.py"}


def test_the_api_room_alone_sends() -> None:
    """The demo sends, too: it plays the person whose browser opens the approval page."""
    senders = {
        named(module)
        for module in MODULES
        if "httpx2" in {name.split(".")[0] for name in imports(module)} and room(module) != "api"
    }
    assert senders == {"cli/demo.py"}


def test_a_public_signature_names_its_types() -> None:
    bare = [
        f"{named(module)}:{node.name}"
        for module in MODULES
        if named(module) != "cli/app.py"
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and isinstance(node.returns, ast.Name)
        and node.returns.id == "Any"
        and named(module) not in JSON_ROOMS
    ]
    assert not bare


JSON_ROOMS = {
    "state/audit/record.py",
    "api/body.py",
    "api/client.py",
    "api/redact.py",
    "catalogue/models.py",
    "dispatch/answers/bounds.py",
}
"""Where a result of type Any is the API's JSON, or a field's declaration."""


def test_what_declares_models_says_their_types_as_they_are() -> None:
    """As text, which that import makes of them, pydantic compiles each anew: a start would take 20 ms more."""
    declare = ("catalogue/operations/", "catalogue/answers/", "catalogue/envelope.py", "catalogue/outcome.py")
    declaring = [module for module in MODULES if named(module).startswith(declare) and module.stem != "__init__"]
    assert declaring
    assert [named(module) for module in declaring if "__future__" in imports(module)] == []


def test_what_serves_asks_for_modules_of_the_sdk_since_its_packages_load_a_client_and_a_second_server() -> None:
    whole = {"mcp", "mcp.server"}
    asking = [named(module) for module in MODULES if imports(module) & whole and room(module) != "cli"]
    assert asking == []
