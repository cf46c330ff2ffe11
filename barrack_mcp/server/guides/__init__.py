"""Guides: pages of markdown that say how Barrack works, and of each statement where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Final


@dataclass(frozen=True)
class Guide:
    """One page.

    Attributes:
        name: Its file's name without `.md`, and the last part of its URI.
        title: For a list.
        description: What it answers, in a sentence.
    """

    name: str
    title: str
    description: str

    @cached_property
    def text(self) -> str:
        """The page, as markdown."""
        return files(__name__).joinpath(f"{self.name}.md").read_text(encoding="utf-8")


GUIDES: Final = (
    Guide("billing", "Billing", "What costs money and what doesn't: a stopped machine costs the full rate."),
    Guide(
        "hibernation", "Hibernation", "Pausing a machine for a small rate: what stays, what may be lost, the way back."
    ),
    Guide("images", "Images", "OS images, snapshots and custom images: making one, its limits, what can go wrong."),
    Guide(
        "networking", "Networking", "Public IP, firewalls and security rules: who can reach a machine, and closing it."
    ),
)
