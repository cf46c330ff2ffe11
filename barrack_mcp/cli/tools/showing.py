"""An answer as a person at a terminal reads it: sentences, tables and records; scripts take `--json`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from barrack_mcp.account.rates import tell_sum
from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.cli.tools.layout import record, table, wrapped
from barrack_mcp.cli.tools.plan import plan_lines
from barrack_mcp.guard.asking.telling import read_plan

_FOR_PROGRAMS: Final = frozenset({"request_id", "page", "limit", "total", "total_pages", "message", "success"})
"""What only a program needs, or what a sentence says already."""
_OURS: Final = frozenset({"billing", "notes", "sum", "quotes"})


def shown(tool: str, answer: Mapping[str, Any], *, width: int, more: Sequence[str] = ()) -> str:
    """Lay out what a tool answered.

    Args:
        tool: Its name.
        answer: The structured answer.
        width: Columns of the terminal.
        more: What a further command needs as well, such as `--simulator`.
    """
    lines = _outcome(answer, width, more) if "outcome" in answer else _read(tool, answer, width)
    return "\n".join(lines)


def _outcome(answer: Mapping[str, Any], width: int, more: Sequence[str]) -> Iterator[str]:
    if answer["outcome"] == "approval_required":
        yield from _waiting(answer, width, more)
        return
    yield from wrapped(str(answer.get("message", "")), width=width)
    result = answer.get("result")
    if isinstance(result, Mapping) and (rest := {k: v for k, v in result.items() if k not in _FOR_PROGRAMS}):
        yield ""
        yield from record(rest, width=width)
    look = answer.get("look_with")
    if isinstance(look, Mapping):
        yield ""
        yield f"Look with: {as_command(str(look.get('tool')), look.get('arguments') or {}, more)}"


def _waiting(answer: Mapping[str, Any], width: int, more: Sequence[str]) -> Iterator[str]:
    """Tell who made the call, and is a person, what waits, and how to answer it."""
    plan = read_plan(answer.get("plan") or {})
    for line in plan_lines(plan) if plan is not None else ():
        yield from wrapped(line.plain, width=width, indent="    " if line.plain.startswith(" ") else "", first="")
    approval = answer.get("approval") or {}
    until = str(approval.get("expires_at")).replace("T", " ").replace("+00:00", " UTC")
    yield ""
    yield from wrapped(
        f"Nothing was sent yet: it waits for a person's yes until {until}. Approved with the line "
        "below, or on the page that `barrack-mcp approvals` names, the same call, made again, runs once.",
        width=width,
    )
    yield shlex.join(["barrack-mcp", "approve", str(approval.get("id")), *more])


def _read(tool: str, answer: Mapping[str, Any], width: int) -> Iterator[str]:
    rest = {name: value for name, value in answer.items() if name not in _FOR_PROGRAMS | _OURS}
    for index, (name, value) in enumerate(rest.items()):
        if index:
            yield ""
        if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
            yield from table(value, width=width)
        elif isinstance(value, list) and not value:
            yield f"No {name.replace('_', ' ')}."
        elif isinstance(value, Mapping):
            yield from record(value, width=width)
        else:
            yield from record({name: value}, width=width)
    if sentences := [*_pages(answer), *_said(tool, answer)]:
        yield ""
        for sentence in sentences:
            yield from wrapped(sentence, width=width)


def _pages(answer: Mapping[str, Any]) -> Iterator[str]:
    page, pages, total = (answer.get(name) for name in ("page", "total_pages", "total"))
    if isinstance(pages, int) and pages > 1:
        yield f"Page {page} of {pages}, {total} in all; the next one: page={int(page or 1) + 1}"


def _said(tool: str, answer: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(answer.get("sum"), dict):
        yield tell_sum(BY_TOOL[tool], answer["sum"], total=answer.get("total"))
    if isinstance(answer.get("billing"), str):
        yield answer["billing"]
    yield from (str(note) for note in answer.get("notes") or ())


def as_command(tool: str, arguments: Mapping[str, Any], more: Sequence[str] = ()) -> str:
    """Write a call as somebody types it in a shell."""
    words = [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in arguments.items()]
    return shlex.join(["barrack-mcp", "call", tool, *words, *more])
