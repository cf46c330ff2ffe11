"""The generated parts of the pages that people read: risks, settings, tools, their sizes, clients, their wants."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final

from barrack_mcp.catalogue import OFFERS, Risk
from barrack_mcp.cli import tools
from barrack_mcp.cli.install.clients import CLIENTS, KEY, Client
from barrack_mcp.cli.install.entries import takes_reference
from barrack_mcp.cli.install.places import place
from barrack_mcp.cli.manifests import portable
from barrack_mcp.config import NAMES, Settings, default_key_file

PAGES: Final = (
    "README.md",
    "docs/approvals.md",
    "docs/clients.md",
    "docs/performance.md",
    "docs/settings.md",
    "docs/tools.md",
)
"""The pages that have such parts, or may have."""
_WIDTH: Final = 120
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
    rows = [f"| {size.surface} | {size.tools} | {round(size.tokens, -2):,} |" for size in tools.sizes()]
    return "\n".join(["| surface | tools | tokens, about |", "|---|---|---|", *rows])


def _client_names() -> str:
    names = ", ".join(client.title for client in CLIENTS.values())
    by_hand = "[any other](docs/clients.md#any-other-client-or-by-hand)"
    return textwrap.fill(f"{names}, and {by_hand}.", _WIDTH, break_on_hyphens=False)


def _clients_table() -> str:
    rows = [
        f"| {client.title} | `barrack-mcp install {client.name}` | `{_place_shown(client)}` | {_key_shown(client)} | "
        f"{'in the client' if client.elicits else 'on the page'} | [{client.checked}]({client.source}) |"
        for client in CLIENTS.values()
    ]
    heads = ("client", "command", "its file, on Linux", "the key comes from", "it asks you", "by its maker")
    return "\n".join([f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *rows])


def _place_shown(client: Client) -> str:
    return place(client, home=Path("~"), platform="linux", environ={}).as_posix()


def _key_shown(client: Client) -> str:
    if not takes_reference(client):
        return f"the file `{default_key_file(Path('~')).as_posix()}`"
    if client.reference and "input:" in client.reference:
        return f"{client.title}, which asks once and keeps it"
    return f"`{KEY}` where {client.title} is started"


_PARTS: Final[MappingProxyType[str, Callable[[], str]]] = MappingProxyType(
    {
        "clients": _clients_table,
        "clientnames": _client_names,
        "risks": _risks_table,
        "settings": _settings_table,
        "sizes": _sizes_table,
        "tools": lambda: tools.as_markdown(OFFERS.values()),
        "portable": portable.as_markdown,
    }
)
