"""The generated files of a checkout: what each must hold, and whether it does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final

from barrack_mcp import listing
from barrack_mcp.catalogue import OPERATIONS
from barrack_mcp.config import NAMES, Settings

_BLOCK: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def stale(checkout: Path, *, write: bool) -> list[str]:
    """Answer which generated files are not as the catalogue says, and write them if asked to.

    Args:
        checkout: The folder that holds README.md and `manifests/`.
        write: Whether to bring them up to date.
    """
    found: list[str] = []
    for name, make in _FILES.items():
        path = checkout / name
        now = path.read_text(encoding="utf-8") if path.exists() else ""
        wanted = make(now)
        if now != wanted:
            found.append(name)
            if write:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(wanted, encoding="utf-8")
    return found


def _tools(_: str) -> str:
    return listing.as_json(Settings()) + "\n"


def _readme(now: str) -> str:
    return _BLOCK.sub(lambda block: f"{block[1]}{_PARTS[block[2]]()}\n{block[3]}", now)


def _settings_table() -> str:
    rows = [
        f"| `{name}` | {_shown(Settings.model_fields[field].get_default(call_default_factory=True))} | "
        f"{Settings.model_fields[field].description} |"
        for name, field in NAMES.items()
    ]
    return "\n".join(["| name | default | meaning |", "|---|---|---|", *rows])


def _shown(default: object) -> str:
    match default:
        case None | ():
            return "-"
        case bool():
            return "on" if default else "off"
        case tuple():
            return f"`{','.join(map(str, default))}`"
        case float():
            return f"`{default:g}`"
        case _:
            return f"`{default}`"


_PARTS: Final[MappingProxyType[str, Callable[[], str]]] = MappingProxyType(
    {"tools": lambda: listing.as_markdown(OPERATIONS), "settings": _settings_table}
)
_FILES: Final[MappingProxyType[str, Callable[[str], str]]] = MappingProxyType(
    {"README.md": _readme, "manifests/tools.json": _tools}
)
