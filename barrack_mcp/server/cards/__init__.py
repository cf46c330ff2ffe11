"""Cards: an answer of ours to look at, in clients that show MCP Apps; the same facts stand in the answer's text.

A card is one HTML file that loads nothing and works with the structured content alone. It can ask the assistant for a
call, in words; it can't make one, and it can't say yes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Final

EXTENSION: Final = "io.modelcontextprotocol/ui"
MIME_TYPE: Final = "text/html;profile=mcp-app"


@dataclass(frozen=True)
class Card:
    """One card.

    Attributes:
        name: Its file's name without `.html`, and the last part of its URI.
        tool: The tool whose answer it shows.
        title: For a list.
        description: What it shows, in a sentence.
    """

    name: str
    tool: str
    title: str
    description: str

    @property
    def uri(self) -> str:
        """Where it is read."""
        return f"ui://barrack/{self.name}"

    @cached_property
    def html(self) -> str:
        """The whole of it."""
        return files(__name__).joinpath(f"{self.name}.html").read_text(encoding="utf-8")


CARDS: Final = (
    Card(
        "spending",
        "get_spending_overview",
        "Spending",
        "What all costs by kind, tier, region, GPU and state, how long the credit lasts, and what is idle.",
    ),
)
BY_TOOL: Final = {card.tool: card for card in CARDS}
BY_URI: Final = {card.uri: card for card in CARDS}
