"""The front door: one module a command; each parses, prints and exits."""

from barrack_mcp.cli.app import main

__all__ = ["main"]
