"""The generated parts of the pages that people read: risks, settings, tools, their sizes, what clients want of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from barrack_mcp.catalogue import OFFERS, Risk
from barrack_mcp.cli import tools
from barrack_mcp.cli.manifests import portable
from barrack_mcp.config import NAMES, Settings

PAGES: Final = (
    "README.md",
    "docs/approvals.md",
    "docs/clients.md",
    "docs/performance.md",
    "docs/settings.md",
    "docs/tools.md",
)
"""The pages that have such parts, or may have."""
_BLOCK: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(now: str) -> str:
    """Answer a page with its generated parts made anew."""
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


_ASKS: Final[MappingProxyType[Risk, str]] = MappingProxyType(
    {
        Risk.READ: "never",
        Risk.CHANGE: "never",
        Risk.SPEND: "yes or no, with the price, the balance and how long it lasts",
        Risk.INTERRUPT: "yes or no, with what stops",
        Risk.EXPOSE: "yes or no, with whom it opens to, [where that is wide](#what-counts-as-wide)",
        Risk.DESTROY: "the target's name has to be typed",
    }
)
"""What a person is asked, by risk."""


def _risks_table() -> str:
    counted = Counter(offer.risk for offer in OFFERS.values())
    rows = [f"| {risk} | {counted[risk]} | {asks} |" for risk, asks in _ASKS.items()]
    return "\n".join(["| risk | tools | asks |", "|---|---|---|", *rows])


def _sizes_table() -> str:
    rows = [f"| {size.surface} | {size.tools} | {size.tokens:,} |" for size in tools.sizes()]
    return "\n".join(["| surface | tools | tokens, about |", "|---|---|---|", *rows])


_PARTS: Final[MappingProxyType[str, Callable[[], str]]] = MappingProxyType(
    {
        "risks": _risks_table,
        "settings": _settings_table,
        "sizes": _sizes_table,
        "tools": lambda: tools.as_markdown(OFFERS.values()),
        "portable": portable.as_markdown,
    }
)
