"""Reads whose answers a test writes down, and a write judged by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.dispatch.writes.looking.look import Looked, look, note

GONE = ApiError(Failure.REJECTED, "Not found", status=404)
DOWN = ApiError(Failure.BROKEN, "Down", status=503)
SENT_AT = 1_000.0


@dataclass
class Script:
    """Answers each tool's reads in turn; the last answer stays."""

    answers: Mapping[str, Any]
    reads: list[tuple[str, JsonObject]] = field(default_factory=list)

    async def __call__(self, tool: str, arguments: JsonObject) -> JsonObject:
        given = self.answers[tool]
        given = given if isinstance(given, list) else [given]
        turn = sum(name == tool for name, _ in self.reads)
        self.reads.append((tool, arguments))
        answer = given[min(turn, len(given) - 1)]
        if isinstance(answer, ApiError):
            raise answer
        return dict(answer(arguments) if callable(answer) else answer)


async def judged(
    tool: str, values: JsonObject, *, sleeps: list[float] | None = None, sent_at: float = SENT_AT, **answers: Any
) -> Looked:
    """Note, lose the answer, look; the tools answer in turn."""
    script = Script(answers)
    before = await note(BY_TOOL[tool], values, read=script)

    async def sleep(seconds: float) -> None:
        (sleeps if sleeps is not None else []).append(seconds)

    return await look(
        BY_TOOL[tool],
        values,
        before=before,
        sent_at=sent_at,
        read=script,
        now=lambda: SENT_AT + 2,
        sleep=sleep,
        seconds=30,
    )


ID = {"instance_id": "BRK-1D"}


def vm(**facts: Any) -> JsonObject:
    return {"instance": {"instance_id": "BRK-1D", "status": "ACTIVE", **facts}}
