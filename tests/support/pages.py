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
    r"(?:^<!-- (not run|command): ([^\n]+?) -->\n)?^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE
)
_ASKED: Final = "echo $?"
"""How a page shows with what the command before it ended."""
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
        fails: Whether it may end with another code than 0: the next step shows with which.
    """

    line: str
    shown: str | None = None
    fails: bool = False


@dataclass(frozen=True)
class Block:
    """A fenced part of a page.

    Args:
        page: Where it stands.
        language: As the fence says.
        text: What stands in it.
        not_run: Why no test types it, as the page itself says above it; None if one does.
        command: The name by which a script finds it.
    """

    page: str
    language: str
    text: str
    not_run: str | None = None
    command: str | None = None

    @property
    def steps(self) -> list[Step]:
        """Its commands, one after the other."""
        lines = self.text.replace("\\\n", "").splitlines()
        if self.language != "console":
            return [Step(" ".join(line.split())) for line in lines if line.strip()]
        found: list[tuple[str, list[str]]] = []
        for line in lines:
            if line.startswith("$ "):
                found.append((" ".join(line[2:].split()), []))
            else:
                found[-1][1].append(line)
        after = [line for line, _ in found[1:]] + [""]
        return [
            Step(line, "\n".join(shown), fails=then == _ASKED) for (line, shown), then in zip(found, after, strict=True)
        ]


def _blocks() -> list[Block]:
    return [
        Block(
            page,
            language,
            text,
            not_run=words if mark == "not run" else None,
            command=words if mark == "command" else None,
        )
        for page, whole in PAGES.items()
        for mark, words, language, text in _FENCE.findall(whole)
    ]


BLOCKS: Final = _blocks()
TYPED: Final = [block for block in BLOCKS if block.language in ("", "sh", "console")]
"""What a person types into a shell."""
