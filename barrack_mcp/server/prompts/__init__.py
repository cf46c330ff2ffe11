"""Prompts: tasks that people pick from a menu, told to a model in the words of these tools."""

from __future__ import annotations

from barrack_mcp.server.prompts.menu import get_prompt, list_prompts
from barrack_mcp.server.prompts.prompt import Argument, Prompt, find_tools
from barrack_mcp.server.prompts.tasks import BY_NAME, PROMPTS

__all__ = ["BY_NAME", "PROMPTS", "Argument", "Prompt", "find_tools", "get_prompt", "list_prompts"]
