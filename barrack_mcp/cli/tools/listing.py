"""The tools at a terminal: what each does, what one takes, what a surface costs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer

from barrack_mcp.api.text import guess
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.catalogue import OFFERS, Offer, Operation, Risk
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.cli.process import ExitCode, configure, leave, run
from barrack_mcp.cli.tools import as_json, offered, sizes, wire_form
from barrack_mcp.cli.tools.completion import tools_beginning
from barrack_mcp.cli.tools.layout import in_words, record, table, wrapped
from barrack_mcp.config import Settings
from barrack_mcp.server.contract import open_contract

_ASKS: Final = {
    Risk.READ: "reads; changes nothing and asks nobody",
    Risk.CHANGE: "changes something; asks nobody, unless it would overwrite",
    Risk.SPEND: "spends; a person is shown the price and has to agree",
    Risk.INTERRUPT: "interrupts; a person is shown what stops and has to agree",
    Risk.EXPOSE: "may open something to the internet; a person has to agree if it is wide",
    Risk.DESTROY: "destroys; a person has to type the name of what goes",
}
"""What each risk means to the person at the terminal."""

app = typer.Typer()


@app.command()
def tools(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="One tool, with its arguments.", autocompletion=tools_beginning),
    ] = None,
    json_wanted: Annotated[bool, typer.Option("--json", help="The tools as an MCP client sees them.")] = False,
    stats: Annotated[bool, typer.Option("--stats", help="What each surface costs of a model's context.")] = False,
    toolsets: Annotated[str | None, typer.Option(help="all, core, or toolsets, separated by commas.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Only what a read-only server offers.")] = False,
) -> None:
    """List the tools that the settings offer and what each does; with a NAME, what that one takes."""
    width = shutil.get_terminal_size().columns
    if stats:
        typer.echo(as_stats())
        return
    settings = configure(toolsets=toolsets, read_only=read_only or None)
    if name is not None and name not in OFFERS:
        leave(f"No such tool; {guess(name, OFFERS, otherwise='`barrack-mcp tools` lists them.')}", ExitCode.USAGE)
    contract = run(open_contract, settings)
    if json_wanted:
        typer.echo(as_json(settings, contract))
    elif name is not None:
        typer.echo(as_page(OFFERS[name], settings, contract, width=width))
    else:
        typer.echo(as_table(settings, contract, width=width))


def as_table(settings: Settings, contract: Contract, *, width: int) -> str:
    """Write the offered tools: name, risk, what is known of the wire, and what each does."""
    chosen = offered(settings)
    names = max((len(offer.tool) for offer in chosen), default=0) + 2
    lines = []
    for offer in chosen:
        head = offer.tool.ljust(names)
        said = f"{_first(offer.description)} ({offer.risk}, {wire_form(offer, contract)})"
        lines += wrapped(head + said, width=width, indent=" " * names, first="")
    return "\n".join([*lines, "", *wrapped("`barrack-mcp tools NAME` shows what one of them takes.", width=width)])


def as_page(offer: Offer, settings: Settings, contract: Contract, *, width: int) -> str:
    """Write what one tool does, takes and is on the wire."""
    known = contract.operation(offer) if isinstance(offer, Operation) else offer
    facts = {
        "risk": f"{offer.risk}: {_ASKS[offer.risk]}",
        "toolset": f"{offer.toolset}{', core' if offer.core else ''}",
    }
    if isinstance(offer, Operation):
        facts["request"] = f"{contract.for_(offer).asked} ({wire_form(offer, contract)})"
    if not settings.offers(offer):
        facts["offered"] = "no; the settings leave it out (read-only, toolsets or tools)"
    lines = [offer.tool, offer.title, "", *wrapped(offer.description, width=width), ""]
    lines += record(facts, width=width)
    schema = arguments_schema(known.arguments)
    lines += ["", *_arguments(schema, width)]
    needed = " ".join(f"{name}={_placeholder(schema['properties'][name])}" for name in schema.get("required", ()))
    return "\n".join([*lines, "", f"barrack-mcp call {offer.tool} {needed}".rstrip()])


def _arguments(schema: dict[str, Any], width: int) -> Iterator[str]:
    properties = schema["properties"]
    if not properties:
        yield "It takes no arguments."
        return
    needed = schema.get("required", ())
    yield "Arguments:"
    for name, said in properties.items():
        kind = " | ".join(map(str, said["enum"])) if "enum" in said else said.get("type", "")
        yield from wrapped(f"{name}  {'required, ' if name in needed else ''}{kind}", width=width, indent="  ")
        limits = _limits(said)
        words = f"{said.get('description', '')}{f' ({limits})' if limits else ''}".strip()
        if words:
            yield from wrapped(words, width=width, indent="      ")


def _limits(said: dict[str, Any]) -> str:
    """The limits of a value, in words."""
    ends = [
        (said.get("minimum", said.get("minLength", said.get("minItems"))), "at least"),
        (said.get("maximum", said.get("maxLength", said.get("maxItems"))), "at most"),
    ]
    unit = " characters" if {"minLength", "maxLength"} & said.keys() else " entries" if "maxItems" in said else ""
    found = [f"{words} {in_words(end)}" for end, words in ends if end is not None]
    return f"{', '.join(found)}{unit}" if found else ""


def _placeholder(said: dict[str, Any]) -> str:
    """What stands for a value in an example."""
    return str(said["enum"][0]) if said.get("enum") else {"integer": "1", "boolean": "true"}.get(said["type"], "…")


def _first(description: str) -> str:
    """The first sentence, without its stop."""
    return description.partition(". ")[0].rstrip(".")


def as_stats() -> str:
    """Write what each surface costs as a table for a terminal."""
    rows = [
        {
            "surface": size.surface,
            "tools": f"{size.tools:,}",
            "bytes": f"{size.size:,}",
            "tokens, about": f"{size.tokens:,}",
            "with output schemas": f"{size.tokens_with_output:,}",
        }
        for size in sizes()
    ]
    return "\n".join(table(rows, width=max(80, shutil.get_terminal_size().columns)))
