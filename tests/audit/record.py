"""A record to test with, and what is in every line of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from barrack_mcp.state.audit import ELICITED, Audit, approved_by, digest

NOON = 1_750_000_000.5
MEANT: dict[str, Any] = {
    "caller": "local:1000",
    "tool": "delete_instance",
    "risk": "destroy",
    "arguments": {"instance_id": "i-1"},
    "plan": digest({"summary": "s"}),
    "confirmed": ELICITED,
    "api": "barrack.ai",
}
REFUSED: dict[str, Any] = {
    "caller": "local:1000",
    "tool": "delete_volume",
    "risk": "destroy",
    "arguments": {"volume_id": "v-1"},
    "decision": "refused",
    "message": "It is protected.",
}


async def small(path: Path) -> Audit:
    """Write a record of six lines: a call and what came of it, a refusal, an answer, another call and its outcome."""
    audit = Audit(path, now=lambda: NOON)
    first = await audit.intent(**MEANT)
    await audit.outcome(first, outcome="done", message="Deleted.", request_id="r-1", status=200, attempts=1, seconds=2)
    await audit.decision(**REFUSED)
    await audit.approval("ap-1", caller="local:1000", tool="delete_volume", answer="approved", by="ann")
    second = await audit.intent(**MEANT | {"tool": "delete_volume", "confirmed": approved_by("ann")})
    await audit.outcome(second, outcome="failed", message="Not found.", status=404, attempts=1, seconds=0.25)
    return audit


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def head(path: Path) -> Path:
    return path.with_name(f"{path.name}.head")
