"""What the package says of itself, and what of the settings a person is asked when a client installs the server."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from barrack_mcp import __version__
from barrack_mcp.config import PREFIX, Settings

TITLE: Final = "Barrack AI GPU cloud"
SUMMARY: Final = "Manage Barrack AI GPU machines: honest about money, asks before it spends or destroys."
"""At most 100 characters, which is what the registry takes."""

ASKED: Final = MappingProxyType({"api_key": "Barrack API key", "toolsets": "Toolsets", "read_only": "Read only"})
"""Settings and their titles; every one listed is one more question to a person, so the rest stay in README."""


@dataclass(frozen=True)
class Package:
    """The metadata in pyproject.toml that other files repeat."""

    name: str
    description: str
    license: str
    author: str
    keywords: tuple[str, ...]
    requires_python: str
    dependencies: tuple[str, ...]
    version: str = __version__


@dataclass(frozen=True)
class Question:
    """One setting as a person is asked for it.

    Args:
        field: Its name among the settings.
        title: Its name for people.
        description: What it is for.
        kind: Text or yes/no.
        secret: Whether it must not be shown.
        default: What holds without an answer; None means that there must be one.
    """

    field: str
    title: str
    description: str
    kind: type[str | bool]
    secret: bool
    default: str | bool | None

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"{PREFIX}{self.field.upper()}"


def questions() -> list[Question]:
    """Answer what is asked, from the settings themselves."""
    made = []
    for field, title in ASKED.items():
        setting = Settings.model_fields[field]
        default = setting.get_default(call_default_factory=True)
        made.append(
            Question(
                field=field,
                title=title,
                description=f"{str(setting.description).rstrip('.').partition('. ')[0]}.",
                kind=bool if isinstance(default, bool) else str,
                secret="SecretStr" in str(setting.annotation),
                default=",".join(default) if isinstance(default, tuple) else default,
            )
        )
    return made
