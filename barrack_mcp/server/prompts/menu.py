"""Prompts as the protocol has them: the list, and one of them written out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, GetPromptResult, PromptArgument, PromptMessage, TextContent
from mcp.types import Prompt as Listed

from barrack_mcp.api.text import guess
from barrack_mcp.server.prompts.prompt import Prompt, write_prompt
from barrack_mcp.server.prompts.tasks import BY_NAME, PROMPTS

_LONGEST_NAME: Final = 100


def list_prompts(surface: Collection[str]) -> list[Listed]:
    """List the prompts whose task the tools on offer can do."""
    return [
        Listed(
            name=prompt.name,
            title=prompt.title,
            description=prompt.description,
            arguments=[
                PromptArgument(name=each.name, description=each.description, required=each.required)
                for each in prompt.arguments
            ],
        )
        for prompt in PROMPTS
        if _offered(prompt, surface)
    ]


def get_prompt(name: str, values: Mapping[str, str], surface: Collection[str]) -> GetPromptResult:
    """Write a prompt out with what the user gave; an empty value is none.

    Raises:
        MCPError: There is no such prompt, or an argument is missing or unknown.
    """
    prompt = BY_NAME.get(name)
    if prompt is None or not _offered(prompt, surface):
        offered = [each.name for each in PROMPTS if prompt is None and _offered(each, surface)]
        hint = guess(name[:_LONGEST_NAME], offered, otherwise="prompts/list names those on offer.")
        raise MCPError(INVALID_PARAMS, f"Unknown prompt; {hint}")
    known = {argument.name for argument in prompt.arguments}
    if not set(values) <= known:
        raise MCPError(INVALID_PARAMS, f"An argument is unknown; {name} takes {', '.join(sorted(known))}.")
    if missing := [each.name for each in prompt.arguments if each.required and not values.get(each.name, "").strip()]:
        raise MCPError(INVALID_PARAMS, f"Required: {', '.join(missing)}.")
    message = PromptMessage(role="user", content=TextContent(type="text", text=write_prompt(prompt, values, surface)))
    return GetPromptResult(description=prompt.description, messages=[message])


def _offered(prompt: Prompt, surface: Collection[str]) -> bool:
    return all(tool in surface for tool in prompt.needs)
