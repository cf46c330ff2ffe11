"""How the tests call the doctor, and what holds of every report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio

from barrack_mcp.cli.doctor import Check, Read, Report, examine
from barrack_mcp.cli.doctor.show import as_markdown, as_text
from barrack_mcp.config import Settings, read_settings

CANARY = "canary-3f9c21d7aa"
MOST_S = 15


def settings(folder: Path, url: str = "", **more: str) -> Settings:
    """Settings as an operator has them; a state of the test's own."""
    environment = {"BARRACK_STATE": str(folder / "state" / "state.db")}
    environment |= {"BARRACK_API_URL": f"{url}/api", "BARRACK_API_KEY": CANARY} if url else {}
    environment |= {f"BARRACK_{name.upper()}": value for name, value in more.items()}
    return read_settings(environment)


async def examined(chosen: Settings, **more: Any) -> Report:
    """Examine, within the time that every diagnosis has; no report holds the key."""
    with anyio.fail_after(60):
        report = await examine(chosen, **more)
    assert report.seconds <= MOST_S
    for text in (repr(report), as_text(report), as_markdown(report)):
        assert CANARY not in text
    return report


def check(report: Report, name: str) -> Check:
    return next(each for each in report.checks if each.name == name)


def read(report: Report, tool: str) -> Read:
    return next(each for each in report.reads if each.tool == tool)
