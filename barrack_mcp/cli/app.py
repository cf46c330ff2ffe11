"""The front door: which module holds which command. A module is loaded when its command is called.

Each has an `app`, made of plain functions that parse, print and exit. None loads another: `serve` must start fast.
"""

from __future__ import annotations

import ast
import codecs
import gc
import logging
import sys
from importlib import import_module, resources
from importlib.util import find_spec, module_from_spec
from types import MappingProxyType, ModuleType
from typing import Annotated, Any, Final

import typer
import typer.core
import typer.main
from pydantic import BaseModel

from barrack_mcp import __version__

GROUPS: Final = MappingProxyType(
    {
        "Try it": {"demo": "demo", "tools": "tools.listing", "call": "tools.call", "simulate": "simulate"},
        "Serve": {"key": "key", "install": "install.command", "serve": "serve", "callers": "operator.callers"},
        "Say yes or no, look back, end what is overdue": {
            "approvals": "operator.approvals",
            "approve": "operator.approvals",
            "deny": "operator.approvals",
            "audit": "operator.audit",
            "reap": "operator.reap",
        },
        "When something is wrong": {"doctor": "doctor.command", "contract": "contract.command"},
        "For a checkout": {"manifests": "manifests.command"},
    }
)
"""The module of each command, in groups, in the order in which help lists them."""
MODULES: Final = MappingProxyType({name: module for group in GROUPS.values() for name, module in group.items()})
"""The module of each command."""


class Commands(typer.core.TyperGroup):
    """Finds each command in its module."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Typer's signature
        """Name the commands."""
        return [*MODULES]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load a command; a name that is none is held against those there are."""
        if cmd_name in MODULES and cmd_name not in self.commands:
            group = typer.main.get_group(import_module(f"barrack_mcp.cli.{MODULES[cmd_name]}").app)
            self.commands[cmd_name] = name_no_types(group.commands.get(cmd_name, group), ctx)
        elif cmd_name not in MODULES:
            self.commands = {**outlines(), **self.commands}
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Take `help NAME` for what many type for `NAME --help`; of what is no command, say what may be meant."""
        words = [*args[1:], "--help"] if args[0] == "help" and args[1:] else args
        if words[0].lower() in MODULES:
            words = [words[0].lower(), *words[1:]]
        elif not words[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command; {_meant(words[0])}")
        return super().resolve_command(ctx, words)

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Take `help` alone for `--help`."""
        return super().parse_args(ctx, ["--help"] if args == ["help"] else args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write what there is, without loading any of it."""
        self.commands = outlines()
        name_no_types(self, ctx)
        super().format_help(ctx, formatter)


def _meant(word: str) -> str:
    """What may be meant by a word that is no command: one in other letters, or a tool, which `call` calls."""
    from barrack_mcp.api.text import nearest  # noqa: PLC0415 - nobody else needs it so early
    from barrack_mcp.catalogue import OFFERS  # noqa: PLC0415 - likewise, and not small

    near = nearest(word, (*MODULES, *OFFERS))
    if near in OFFERS:
        return f"did you mean the tool {near}? `barrack-mcp call {near}` calls it."
    return "`barrack-mcp --help` lists them." if near is None else f"did you mean {near}?"


def name_no_types(command: Any, ctx: Any) -> Any:
    """Let help show flags without a type: they take no value, and `<bool>` reads as if one had to be given."""
    for parameter in command.get_params(ctx) if ctx is not None else ():
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    for each in getattr(command, "commands", {}).values():
        name_no_types(each, ctx)
    return command


def outlines() -> dict[str, Any]:
    """The commands by what their sources say of them: loading all of them would take a second."""
    return {
        name: typer.core.TyperCommand(name, help=_summary(name), rich_help_panel=title)
        for title, group in GROUPS.items()
        for name in group
    }


def _summary(command: str) -> str:
    """What a command does: the text of its function, or the help of the group that its module's `app` is."""
    source = resources.files("barrack_mcp.cli").joinpath(f"{MODULES[command].replace('.', '/')}.py")
    said = ""
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) if name == command:
                return ast.get_docstring(node) or ""
            case ast.Assign(targets=[ast.Name("app")], value=ast.Call(keywords=keywords)):
                said = next((ast.literal_eval(each.value) for each in keywords if each.arg == "help"), "")
    return said


_ESCAPES: Final = "barrack_mcp.escaped"

app = typer.Typer(
    name="barrack-mcp",
    cls=Commands,
    help="MCP server for the Barrack AI GPU cloud.",
    epilog="Start with `barrack-mcp demo`, which needs no account; then `barrack-mcp install claude-code`, or another.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # a command or an option in capitals can mean nothing else
    context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": str.lower},
)


def main() -> None:
    """Run the command line."""
    # what is loaded at the start stays: looking for garbage in it takes a sixth of the time to the first answer
    gc.disable()
    load_late()
    speak_safely()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="barrack-mcp: %(message)s")
    app()


_WHOLE: Final = ("mcp", "mcp.server")
"""Packages of the SDK that load all there is, a client and another server included, whichever module is asked for."""


def load_late() -> None:
    """Let nobody wait for what a command doesn't use of the SDK: parts are loaded, and models built, for their use."""
    BaseModel.model_config["defer_build"] = True
    for name in _WHOLE:
        if name not in sys.modules and (spec := find_spec(name)) is not None:
            sys.modules[name] = made = module_from_spec(spec)
            made.__class__ = _Package
            parent, _, own = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], own, made)


class _Package(ModuleType):
    """A package whose own module is loaded once somebody asks for more of it than for single modules."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__spec__ is None or self.__spec__.loader is None:
            raise AttributeError(name)
        self.__class__ = ModuleType  # type: ignore[assignment]  # what it is from now on
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def speak_safely() -> None:
    """Let stdout and stderr write what their encoding has no sign for, instead of ending in the middle of a call."""
    codecs.register_error(_ESCAPES, escaped)
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors=_ESCAPES)


def escaped(error: UnicodeError) -> tuple[str, int]:
    """Write as JSON does what an encoding has no sign for, so that what was JSON stays it.

    Raises:
        UnicodeError: It is not about encoding.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = zip(units[::2], units[1::2], strict=True)
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs), error.end


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(f"barrack-mcp {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None: ...
