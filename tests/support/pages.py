"""The pages that people read, README, SECURITY and those under docs/, and what in them is a command."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).parents[2]
PAGES: Final = {
    path.relative_to(CHECKOUT).as_posix(): path.read_text(encoding="utf-8")
    for path in (CHECKOUT / "README.md", CHECKOUT / "SECURITY.md", *sorted((CHECKOUT / "docs").glob("*.md")))
}
"""Each page's text, by its path in the checkout."""
ALL: Final = "\n".join(PAGES.values())
_FENCE: Final = re.compile(
    r"(?:^<!-- (not run|command): ([^\n]+?) -->\n)?^```(\w*)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
COMMANDS: Final = {
    "demo": "makes a virtual environment out of downloads; .ci/run does it, word for word",
    "tests": "would run this very test; .ci/run does it, word for word",
}
"""The blocks that bear a name, and why no test runs them."""


@dataclass(frozen=True)
class Step:
    """A command as a person types it.

    Args:
        line: What is typed, in one line.
        shown: What the page says comes of it; None where it says nothing.
    """

    line: str
    shown: str | None = None


@dataclass(frozen=True)
class Block:
    """A fenced part of a page.

    Args:
        page: Where it stands.
        language: As the fence says.
        text: What stands in it.
        shown: What the page says comes of its last command; None where it says nothing.
        not_run: Why no test types it, as the page itself says above it; None if one does.
        command: The name by which a script finds it.
    """

    page: str
    language: str
    text: str
    shown: str | None = None
    not_run: str | None = None
    command: str | None = None

    @property
    def steps(self) -> list[Step]:
        """Its commands, one after the other."""
        lines = [" ".join(line.split()) for line in self.text.replace("\\\n", "").splitlines()]
        return [*(Step(line) for line in lines[:-1]), Step(lines[-1], self.shown)]


def _blocks() -> list[Block]:
    return [
        Block(
            page,
            language,
            text,
            shown=shown or None,
            not_run=words if mark == "not run" else None,
            command=words if mark == "command" else None,
        )
        for page, whole in PAGES.items()
        for mark, words, language, text, shown in _FENCE.findall(whole)
    ]


BLOCKS: Final = _blocks()
TYPED: Final = [block for block in BLOCKS if block.language in ("", "sh")]
"""What a person types into a shell."""
