"""What the suite's tools, resources and prompts answer, word for word as its scenarios describe it."""

from __future__ import annotations

from typing import Any, Final

from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC"
"""One red pixel."""
WAV: Final = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAgA=="
"""Two samples of silence."""

NOTHING: Final[dict[str, Any]] = {"type": "object", "properties": {}}
"""The schema of a tool without arguments."""


def text(words: str) -> TextContent:
    return TextContent(type="text", text=words)


def image() -> ImageContent:
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def audio() -> AudioContent:
    return AudioContent(type="audio", data=WAV, mime_type="audio/wav")


def embedded(uri: str, mime_type: str, words: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=document(uri, mime_type, words))


def document(uri: str, mime_type: str, words: str) -> TextResourceContents:
    return TextResourceContents(uri=uri, mime_type=mime_type, text=words)


def picture(uri: str) -> BlobResourceContents:
    return BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)


def said(words: str) -> CallToolResult:
    return CallToolResult(content=[text(words)])


def strings(*names: str) -> dict[str, Any]:
    """The schema of an object of strings, all of them required."""
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": [*names]}
