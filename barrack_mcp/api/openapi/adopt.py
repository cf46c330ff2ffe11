"""From a document to overrides: as a file that a person can read and keep, or for this process alone."""

from __future__ import annotations

from typing import Final

import tomlkit

from barrack_mcp.api.openapi.comparison import Comparison, compare
from barrack_mcp.api.openapi.differences import Kind, printable
from barrack_mcp.api.openapi.document import Document
from barrack_mcp.api.openapi.matching import Match
from barrack_mcp.api.text import escape
from barrack_mcp.api.wire.loading import from_table
from barrack_mcp.api.wire.overrides import Overrides, as_table
from barrack_mcp.catalogue import OPERATIONS, JsonObject

_LONGEST: Final = 10_000


def adopt(document: Document) -> str:
    """Write the overrides that bring the catalogue to a document, as TOML with comments.

    What is only perhaps the same operation, what overrides can't say, and the document's server are comments: a key is
    never sent to another place because a document says so.
    """
    comparison = compare(document)
    return "\n".join([*_head(comparison), *_operations(comparison), *_left_out(comparison)]) + "\n"


def adopted(document: Document) -> Overrides:
    """The same overrides for this process alone."""
    return compare(document).overrides


def written(overrides: Overrides) -> str:
    """Write overrides as TOML that loads as the same again: a file, or a few lines to paste."""
    return tomlkit.dumps(as_table(overrides))


def _head(comparison: Comparison) -> list[str]:
    document, table = comparison.document, as_table(comparison.overrides)
    found = f"{len(comparison.matches)} of our {len(OPERATIONS)}"
    lines = [
        f"# Overrides made from {printable(document.name)}",
        f"# {found} operations are in it; what is silent here is as shipped.",
    ]
    if document.url is not None:
        (url,) = as_lines({"url": printable(document.url)})
        lines += [
            "# The document names a server. It is not taken over: set the URL yourself if it is the right one.",
            f"#   {url}",
        ]
    return lines + [
        line for name in ("api", "status") if name in table for line in ("", *as_lines({name: table[name]}))
    ]


def _operations(comparison: Comparison) -> list[str]:
    said = as_table(comparison.overrides).get("operations", {})
    by_tool = {match.operation.tool: match for match in comparison.matches}
    lines = []
    for tool, table in said.items():
        lines += ["", title_of(by_tool[tool]), *as_lines({"operations": {tool: table}})]
    for match in comparison.matches:
        if not match.sure:
            lines += ["", title_of(match), *unsure_lines(match, comparison.unsure.get(match.operation.tool, {}))]
    return lines


def unsure_lines(match: Match, table: JsonObject) -> list[str]:
    """A comment on what may be the same, with what would be taken over, if it can be."""
    whole = {"operations": {match.operation.tool: table}}
    _, mistakes = from_table(whole)
    if mistakes:
        lines = [f"It can't be taken over as it is: {'.'.join(way[2:])} {words}." for way, words in mistakes]
    else:
        lines = [f"Not sure: {match.doubt}. If it is the same, uncomment:"]
    shown = as_lines(whole) if table else ["  (nothing differs)"]
    return [
        *(f"# {printable(line)}" for line in lines),
        *(f"# {escape(line, limit=_LONGEST, code=True)}" if line else "#" for line in shown),
    ]


def _left_out(comparison: Comparison) -> list[str]:
    missing = [f"#   {each.tool}" for each in comparison.differences if each.kind is Kind.MISSING]
    return ["", "# Not found in the document, so left as shipped:", *missing] if missing else []


def title_of(match: Match) -> str:
    """A comment on what ours was found to be."""
    title = printable(match.theirs.summary or match.theirs.operation_id or "no title")
    return f"# {printable(match.theirs.name)}: {title} (by {match.how})"


def as_lines(table: JsonObject) -> list[str]:
    """A table as the lines of a file."""
    return tomlkit.dumps(table).strip().split("\n")
